"""Training objectives of score networks."""

from scorelib.losses.dsm import Dsm, dsm_loss

__all__ = ["Dsm", "dsm_loss"]
