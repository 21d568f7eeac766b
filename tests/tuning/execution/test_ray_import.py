"""Tests of the environment that Ray's workers inherit from a driver."""

import subprocess
import sys

import pytest

STEPS = """
import resource
import numpy as np

def step():
    for buffer in [np.ones(2**19) for _ in range(5)]:  # 4 MiB each, freed together
        buffer += 1

for _ in range(5):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="settings of glibc")
def test_workers_keep_freed_memory_for_the_next_step():
    driver = (
        "import subprocess, sys, tuning.execution.ray_import\n"
        "subprocess.run(sys.argv[1:], check=True)"
    )
    command = [sys.executable, "-c", driver, sys.executable, "-c", STEPS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    pages_of_a_step = 5 * 2**22 // 4096
    assert int(done.stdout) < pages_of_a_step


def test_a_user_without_home_and_name_can_import_ray():
    code = (
        "import os, pwd\n"
        "def unknown(*_):\n    raise KeyError('uid not found')\n"
        "os.environ.pop('HOME', None)\n"
        "pwd.getpwuid = pwd.getpwnam = unknown\n"
        "from tuning.execution.ray_import import ray\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
