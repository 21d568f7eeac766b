"""Tests of --set, --config and --show-settings on the command line."""

import pytest

from studies.cli.options import RUN_FLAGS, options_given, parser
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


def refused(capsys, *arguments):
    """Runs the command; returns its one line on stderr."""
    assert main([NAME, *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1 and "Traceback" not in printed.err
    return printed.err


def test_the_printed_file_gives_the_printed_settings_back(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    changes = ["--set", "train.schedule=LinearSchedule", "--set", "train.data=Photographs"]
    assert main([NAME, *changes, "--seeds", "7", "--show-settings", "--toml"]) == 0
    (tmp_path / "my.toml").write_text(capsys.readouterr().out)
    assert main([NAME, *changes, "--seeds", "7", "--show-settings"]) == 0
    listed = capsys.readouterr().out
    assert "train.schedule = LinearSchedule " in listed and "seeds = 7 " in listed
    assert main([NAME, "--config", "my.toml", "--show-settings", "--scale", "paper"]) == 0
    assert capsys.readouterr().out == listed
    assert [path.name for path in tmp_path.iterdir()] == ["my.toml"], "nothing else is written"


def test_a_plan_follows_the_file_and_set_follows_after_it(tmp_path, capsys):
    file, store = tmp_path / "my.toml", str(tmp_path / "store")
    file.write_text('columns = ["non-adversarial"]\nn_sigma = [3]\nsnapshot_every = 1000\n')
    command = [NAME, "--config", str(file), "--plan", "--store", store]

    def iterations(*changes):
        assert main([*command, *changes]) == 0
        (row,) = [line for line in capsys.readouterr().out.splitlines() if " train " in line]
        return int(row.split()[2]), row

    assert iterations()[0] == 4, "4,000 iterations of one network, with four snapshots"
    assert iterations("--set", "snapshot_every=2000")[0] == 2
    assert not (tmp_path / "store").exists()


def test_the_next_command_repeats_the_file():
    args = parser().parse_args([NAME, "--config", "a b.toml", "--set", "seeds=1"])
    assert options_given(args, RUN_FLAGS) == f"{NAME} --config 'a b.toml' --set seeds=1"


def test_bad_files_and_options_are_refused_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.toml").write_text("train.lr = 1")
    line = refused(capsys, "--config", "my.toml")
    assert line.startswith("error: my.toml: ") and "(--config FILE)" in line
    assert "got 'train.lr'; the nearest are 'train.optimizer.learning_rate', " in line
    (tmp_path / "my.toml").write_text("seeds = [")
    assert "my.toml must hold TOML" in refused(capsys, "--config", "my.toml")
    assert "reading no.toml failed" in refused(capsys, "--config", "no.toml")
    assert "--toml needs --show-settings" in refused(capsys, "--toml")
    line = refused(capsys, "--set", "lr=1")
    assert line.endswith("(--set train.optimizer.learning_rate=VALUE)\n")
    assert [path.name for path in tmp_path.iterdir()] == ["my.toml"]
