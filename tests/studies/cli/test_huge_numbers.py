"""Tests of huge but well-formed input: refused in one line within seconds, before any work."""

import dataclasses
import sys
import time
from collections import Counter

import pytest

from scorelib.errors import InputError
from scorelib.limits import LARGEST, largest, shown
from scorelib.schedules import GeometricSchedule
from scorelib.spec import Spec
from studies.opening.cli_common import ended
from studies.registry import find_study
from studies.run import main
from tuning.stages import Score
from tuning.study_size import _sorts

NAME = "cifar_sampling_eps"
LONG = "9" * 5001


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("seeds=100000000", "Settings.seeds must be at most 1,000 in magnitude, but got 100000000"),
        ("n_images=100000000", "n_images must be at most 1,000,000 in magnitude"),
        ("search.n_trials=100000000", "n_trials must be at most 1,000 in magnitude"),
        ("train.schedule.n_levels=1000000000", "n_levels must be at most 100,000 in magnitude"),
        ("train.network.depth=1000000000", "depth must be at most 1,000 in magnitude"),
        ("train.network.width=1000000000000", "width must be at most 2,000 in magnitude"),
        ("train.network.width=1e12", "width must be int; got 1000000000000.0"),
        ("n_sigma=[1,1000000000]", "n_sigma must be at most 10,000 in magnitude"),
        (f"seeds={'9' * 31}", f"must be at most 1,000 in magnitude, but got {'9' * 31}"),
        (f"seeds=-{'9' * 31}", f"must be at most 1,000 in magnitude, but got -{'9' * 31}"),
        (f"train.seed={'9' * 31}", "TrainSpec.seed must be at most 9,223,372,036,854,775,807"),
        (f"seeds={LONG}", f"must be short enough to be read, but '{LONG[:79]}... is not"),
        (f"train.schedule.sigma_1={'9' * 401}", "must be float; got a whole number of about 401"),
        (f"train.schedule.sigma_1={'9' * 401}.0", "sigma_1 must be float; got inf"),
        ("seeds=" + "[" * 100_000, "must be short enough to be read"),
        ("seeds=" + "[" * 900 + "]" * 900, "must be a flat list"),
    ],
)
@pytest.mark.parametrize("by_file", [False, True])
def test_a_huge_number_is_one_line_within_seconds(
    capsys, tmp_path, monkeypatch, change, message, by_file
):
    monkeypatch.chdir(tmp_path)
    given = ["--set", change]
    if by_file:
        (tmp_path / "x.toml").write_text(change + "\n")
        given = ["--config", "x.toml"]
    began = time.process_time()
    assert main([NAME, "--plan", *given]) == 2
    assert time.process_time() - began < 5
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1 and len(printed.err) < 600
    if not by_file:
        assert message in printed.err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            ["seeds=1000", "n_images=1000000"],
            "a study must have at most 50,000 jobs, but this one has at least 2,002,1",
        ),
        (["search.n_trials=1000", "search.n_images=40000", "search.top_images=40000"], "1,000 ti"),
        (["n_images=1000000", "chunk_images=1"], "1 divides 1,000,000 into 1,000,000: raise chunk"),
        (
            ["iterations=1000000000", "iteration=1000000000", "snapshot_every=1"],
            "at most 10,000 parts, but 1 divides 1,000,000,000 iterations into 1,000,000,000",
        ),
        (
            ["n_images=1000000", "chunk_images=1000000", "n_sigma=[3000]", "seeds=200"],
            "must take at most 10,000,000,000,000 network evaluations, but these take at",
        ),
        ([f"n_sigma={[*range(1, 1001)]}"], "a study must have at most 50,000 jobs"),
        ([f"n_sigma={[*range(1, 1002)]}"], "n_sigma must have at most 1,000 values, but has 1,001"),
    ],
    ids=[
        "seeds x images",
        "trials x images",
        "images / chunk",
        "snapshots",
        "evaluations",
        "rows",
        "list",
    ],
)
@pytest.mark.parametrize("plan", [["--plan"], []], ids=["plan", "launch"])
def test_a_product_of_admissible_counts_is_one_line_within_seconds(
    capsys, tmp_path, monkeypatch, changes, message, plan
):
    monkeypatch.chdir(tmp_path)
    began = time.process_time()
    assert main([NAME, *plan, *(f"--set={change}" for change in changes)]) == 2
    assert time.process_time() - began < 5
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1 and message in printed.err
    assert list(tmp_path.iterdir()) == []


MANY = str([1 + i / 1000 for i in range(1000)])
IMAGES = ["n_images=1000000", "chunk_images=1000000"]


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("moons_score_mismatch", ["seeds=1000"], "lower seeds, or raise curve_every"),
        ("moons_score_mismatch", ["iterations=10000", "curve_every=1"], "raise curve_every"),
        ("likelihood_renormalisation", [f"alphas={MANY}", f"normal_stds={MANY}"], "give fewer al"),
        ("dlsm_scaling", ["seeds=1000", *IMAGES], "at most 50,000 jobs, but this one has at leas"),
        ("cifar10_dlsm", ["seeds=1000", *IMAGES], "at most 50,000 jobs, but this one has at leas"),
    ],
    ids=["seeds of curves", "points of curves", "rows x columns", "seeds", "seeds of accuracies"],
)
def test_jobs_are_counted_before_they_are_built(capsys, name, changes, message):
    began = time.process_time()
    assert main([name, "--plan", *(f"--set={change}" for change in changes)]) == 2
    assert time.process_time() - began < 5
    assert message in capsys.readouterr().err


def test_the_seeds_of_a_cell_are_counted_as_often_as_they_are_listed():
    study = configured_study("cifar10_dlsm", seeds=3)
    kinds = Counter(type(job) for job in study.fixed_jobs)
    counted = Counter()
    for job, times in _sorts(study):
        counted[type(job)] += times
    assert counted == kinds and kinds[Score] > 3 * 20


def configured_study(name, **changes):
    definition = find_study(name)
    return definition.study("demo", definition.settings("demo").replace(**changes))


def test_the_settings_are_listed_with_their_largest_values(capsys):
    assert main([NAME, "--show-settings"]) == 0
    lines = {line.split(" = ")[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "whole number, >= 1, at most 1,000: " in lines["seeds"]
    assert "at most 100,000" in lines["train.schedule.n_levels"]
    assert ">= 1, at most 10,000, at most 1,000 values: " in lines["n_sigma"]
    assert "at most" not in lines["train.batch_size"], "the docstring states a smaller one"
    assert "at most" not in lines["train.ema"] + lines["execution.compile"]


@pytest.mark.parametrize("option", ["--seeds", "--cpus", "--gpus", "--max-concurrent"])
@pytest.mark.parametrize("value", [LONG, "²"])
def test_a_huge_number_of_an_option_is_one_line(capsys, option, value):
    assert main([NAME, "--plan", option, value]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1 and "must be a whole number" in printed and len(printed) < 300


def test_every_whole_number_has_a_largest_value_and_large_seeds_are_good():
    assert largest("n_levels") == 100_000 and largest("a new count") == LARGEST
    schedule = GeometricSchedule(sigma_1=50.0, sigma_L=0.01, n_levels=100_000)
    assert schedule.n_levels == 100_000
    with pytest.raises(InputError, match="must be at most 100,000 in magnitude, but got 100001"):
        dataclasses.replace(schedule, n_levels=100_001)
    assert shown(10**5000) == "a whole number of about 5,000 digits"

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Own(Spec):
        n_levels: int

    assert Own(n_levels=2**63 - 1).n_levels == 2**63 - 1
    with pytest.raises(InputError, match=r"Own\.n_levels must be at most"):
        Own(n_levels=2**63)
    assert sys.maxsize > LARGEST


def test_what_torch_cannot_allocate_is_no_error_of_this_program(capsys):
    def failing():
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to ...")

    assert ended(failing) == 1
    assert "these settings must fit into memory" in capsys.readouterr().err
