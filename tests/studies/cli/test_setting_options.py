"""Tests of --set, --config and --show-settings on the command line."""

import pytest

from studies.run import main
from tests.miniature import OPTIONS
from tests.tuning.stages.features.test_extractors import FAULTS

NAME = "cifar_sampling_eps"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_launch_refuses_it_before_anything_is_scheduled(tmp_path, capsys, fault):
    store = tmp_path / "store"
    own = ["--set", f'extractor={{"spec": "test-projection", "fault": "{fault}"}}']
    kept = [change for change in OPTIONS[1::2] if not change.startswith("extractor")]
    options = [word for change in kept for word in ("--set", change)]
    assert main([NAME, *options, *own, "--store", str(store)]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1 and not store.exists()
