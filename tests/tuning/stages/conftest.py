"""Shared fixtures of the tests of stages."""

import pytest

from scorelib.data import Digits
from scorelib.losses import Dsm
from scorelib.networks import Ncsnv2
from scorelib.optim import AdamSpec
from scorelib.schedules import GeometricSchedule
from tuning.stages import Snapshot, TrainSpec


@pytest.fixture(scope="module")
def convolutional():
    """Returns a snapshot spec of a tiny NCSNv2 on digits."""
    train = TrainSpec(
        data=Digits(), network=Ncsnv2(ngf=8), objective=Dsm(), optimizer=AdamSpec(), ema=(0.9,),
        schedule=GeometricSchedule(sigma_1=4.8, sigma_L=0.1, n_levels=6), batch_size=16,
    )  # fmt: skip
    return Snapshot(train=train, iteration=4)
