"""Contracts of jobs, score models and protocols.

Each is a function that passes, or raises AssertionError with one line.

The contracts of all other components are in `scorelib.testing`.
"""

from tuning.testing.jobs import check_job, finish
from tuning.testing.models import check_score_model
from tuning.testing.protocols import check_protocol

__all__ = ["check_job", "check_protocol", "check_score_model", "finish"]
