"""Contracts of jobs and protocols: functions that pass, or raise AssertionError with one line.

The contracts of all other components are in `scorelib.testing`.
"""

from tuning.testing.jobs import check_job, finish
from tuning.testing.protocols import check_protocol

__all__ = ["check_job", "check_protocol", "finish"]
