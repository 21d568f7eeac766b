"""Tests of the script for GPUs: its miniature, on a CPU; without the libraries; without a GPU."""

import json
import os
import subprocess
import sys
import textwrap

import pytest
import torch

from studies.registry import find_study
from tests.gpu import __main__ as script
from tests.gpu.machine import Machine
from tests.gpu.rows import TABLE_1, hours_of_table_1
from tuning.scheduling.forecast import forecast
from tuning.scheduling.scheduler import Scheduler

MISSING = (
    "ray", "optuna", "mlflow", "lmdb", "torch_fidelity", "scipy", "sklearn", "safetensors",
)  # fmt: skip


def run(code, *arguments, cwd):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments], capture_output=True, text=True,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""}, cwd=cwd, check=False,
    )  # fmt: skip


def test_the_miniature_runs_where_the_libraries_of_studies_are_missing(tmp_path):
    """One run for both: without the libraries, every part but the study must be there."""
    code = f"""
        import sys

        sys.modules |= dict.fromkeys({MISSING})  # an import of None raises ModuleNotFoundError
        import torch
        torch.set_num_threads(1)
        from tests.gpu.__main__ import main
        sys.exit(main(["--miniature", "--output", sys.argv[1]]))
    """
    done = run(code, str(tmp_path / "gpu.json"), cwd=None)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert all(check["passed"] for check in found["checks"]) and len(found["checks"]) > 25
    assert {check["name"].split()[0] for check in found["checks"]} == {
        "network", "sampler", "training", "memory:",
    }  # fmt: skip
    skipped = " ".join(found["skipped"])
    assert "study on fractions of a GPU" in skipped and "waits for the GPU" in skipped
    assert len(found["skipped"]) == 2
    kinds = {row["name"].split(", ")[1].split(",")[0] for row in found["rows"]}
    assert kinds == {"forward", "DSM step", "CAS", "adversarial step"}
    for row in found["rows"]:
        assert row["ratio"] == pytest.approx(row["ours_seconds"] / row["plain_seconds"], rel=1)
        assert row["multiply_adds_per_second"] > 0 and row["bf16_seconds"] > 0
        assert row["busy"] is None
    hours = found["hours_of_table_1"]
    assert set(hours) == {
        f"{stage}{kind}" for stage in ("train", "sample") for kind in ("", ", bf16", ", plain")
    }
    assert "NCSNv2, DSM step" in done.stdout and "Table 1, sample:" in done.stdout


def test_a_machine_without_a_gpu_is_told_in_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert script.main(["--output", str(tmp_path / "gpu.json")]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1 and "add --miniature" in printed.err
    assert printed.out == "" and not list(tmp_path.iterdir())


def test_a_part_that_fails_or_does_not_fit_is_named_and_the_next_part_runs():
    machine = Machine(torch.device("cpu"), seconds=100)
    with machine.part("good"):
        machine.check("good", 1, 2)
    with machine.part("bad"):
        raise ValueError("a kernel is missing")
    with machine.part("large"):
        raise torch.OutOfMemoryError
    with machine.part("long"):
        machine.require(1000)
        raise AssertionError("must not start")
    machine.seconds = -1.0
    with machine.part("late"):
        machine.time(lambda: None)
    assert [(c["name"], c["passed"]) for c in machine.checks] == [("good", True), ("bad", False)]
    assert "a kernel is missing" in machine.checks[1]["error"]
    assert [what.partition(":")[0] for what in machine.skipped] == ["large", "long", "late"]


def test_the_work_of_table_1_is_that_of_its_forecast(store):
    found = find_study("cifar_sampling_eps")
    study = found.study("paper", found.settings("paper"))
    rows = forecast(Scheduler(study, store), store, "gpu")
    work = {row.stage: row.work.multiply_adds for row in rows if row.stage in TABLE_1}
    assert work == pytest.approx(TABLE_1, rel=1e-3)
    row = {"name": "NCSNv2, DSM step, batch 128", "multiply_adds_per_second": 1e15,
           "ours_seconds": 2.0, "bf16_seconds": 1.0, "plain_seconds": 3.0}  # fmt: skip
    hours = TABLE_1["train"] / 1e15 / 3600
    expected = {"train": hours, "train, bf16": hours / 2, "train, plain": 1.5 * hours}
    assert hours_of_table_1([row]) == pytest.approx(expected)


def test_a_network_that_differs_from_the_cpu_fails_its_check(monkeypatch):
    from tests.gpu import equality
    from tests.gpu.sizes import MINIATURE

    passed, calls = equality._passed, []

    def off(*arguments):
        calls.append(arguments)
        out = passed(*arguments)
        return out * 1.01 if len(calls) == 2 else out  # the first float32 pass on the device

    monkeypatch.setattr(equality, "_passed", off)
    machine = Machine(torch.device("cpu"), seconds=100)
    equality.check_networks(machine, MINIATURE)
    failed = [check["name"] for check in machine.checks if not check["passed"]]
    assert failed == ["network Ncsnv2, float32"]
