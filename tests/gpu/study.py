"""A small study of the program itself on fractions of one GPU."""

import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.gpu.machine import Machine

NEEDED = ("ray", "optuna", "mlflow", "sklearn", "rich", "jinja2", "pandas", "plotly")
SHARES = (1.0, 0.25)
SECONDS = 150.0
SETTINGS = (
    'train.network={"spec": "Ncsnv2", "ngf": 64}', "iterations=60", "iteration=60",
    "snapshot_every=30", "search.n_trials=3", "search.n_images=200", "search.top_images=200",
    "search.keep=1", "chunk_images=100", "n_images=400", "seeds=1", "n_sigma=[1]",
    "train.schedule.n_levels=10", "extractor.classifier.iterations=30",
    'columns=["non-adversarial"]', "selection.n_trials=2", "selection.n_images=200",
)  # fmt: skip
"""Table 1 with a network that is large enough to want a GPU, on digits."""


def try_study(machine: Machine) -> list[dict[str, Any]]:
    """Runs the study with a whole GPU for each sampling job, then with a quarter.

    Returns:
        For each share of a GPU the seconds, the exit code and, after a failure, the last output.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing or not machine.is_gpu:
        why = f"{', '.join(missing)} missing" if missing else "no GPU"
        machine.skipped.append(f"study on fractions of a GPU: {why}")
        return []
    found = []
    for share in SHARES:
        with machine.part(f"study at {share} GPU a job"):
            machine.require(60)
            seconds = min(SECONDS, machine.left)
            with tempfile.TemporaryDirectory() as folder:
                result = run(Path(folder), seconds, "--gpus", "1", "--cpus", "6", "--set",
                             f"execution.gpu_shares.sample={share}")  # fmt: skip
            found.append({"share": share} | result)
            machine.check(f"study at {share} GPU a job", result["exit_code"], 0)
    return found


def run(folder: Path, seconds: float, *options: str) -> dict[str, Any]:
    """Runs the study in a folder.

    Args:
        folder: empty folder of the store.
        seconds: time limit, after which the study is stopped.
        options: further options of the command.
    """
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    command = [sys.executable, "-m", "studies.run", "cifar_sampling_eps", *settings]
    started = time.monotonic()
    try:
        done = subprocess.run(
            [*command, *options, "--store", str(folder / "store")], capture_output=True, text=True,
            timeout=seconds, check=False,
        )  # fmt: skip
        code, said = done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired as error:
        code, said = 124, str(error)
    result: dict[str, Any] = {"seconds": time.monotonic() - started, "exit_code": code}
    return result | ({"output": said[-2000:]} if code else {})
