"""The tutorial of the documents at full size: ``make tutorial``, at most 20 minutes.

As a new user would: a wheel is built and installed into a folder of its own, and every snippet of
``docs/your_own.md`` runs as it stands, in order, in an empty folder: commands by a shell, cells by
a real kernel, and the commands for a cluster on a session that starts two workers. Then a sweep is
killed and continued, and the notebook of ``docs`` is interrupted and continued. Small versions of
all parts are in the test suite.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import nbclient
import numpy as np
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image

from tests.clusters import autoscaling_head
from tests.launches import wait_for
from tests.tutorial import notebook
from tests.tutorial.page import DDPM, snippets

ROOT = Path(__file__).parents[2]
SHORTER = {"n_sigma": [1], "iterations": 1000, "snapshot_every": 500, "iteration": 1000}
"""Settings with which the demo takes minutes also beside other work."""


def installed(folder):
    """Builds and installs a wheel; returns the folder that holds the packages."""
    pip = [sys.executable, "-m", "pip"]
    quiet = ["--quiet", "--no-deps", "--disable-pip-version-check"]
    config = folder / "build.cfg"  # a build folder of its own: another holds files of other days
    config.write_text(f"[build]\nbuild_base = {folder / 'build'}\n")
    subprocess.run(
        [*pip, "wheel", *quiet, "--no-build-isolation", "-w", str(folder), str(ROOT)],
        env=os.environ | {"DIST_EXTRA_CONFIG": str(config)}, check=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    site = folder / "site"
    subprocess.run([*pip, "install", *quiet, "--target", str(site), str(wheel)], check=True)
    return site


def user_environment(site):
    """Returns an environment in which `python` and `score-studies` are those of the wheel."""
    command = site / "path" / "score-studies"
    if not command.exists():
        command.parent.mkdir()
        script = site / "bin" / "score-studies"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P "{script}" "$@"\n')
        command.chmod(0o755)
    path = f"{command.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return os.environ | {"PYTHONPATH": str(site), "PATH": path, "OMP_NUM_THREADS": "1"}


def start(folder, command, environment):
    """Starts a command of the page by a shell in the user's folder."""
    return subprocess.Popen(
        ["bash", "-c", command], cwd=folder, env=environment, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def finish(process):
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output
    return output


def timed(folder, command, environment):
    """Runs a command of the page and prints how long it took."""
    began = time.monotonic()
    output = finish(start(folder, command, environment))
    print(f"  {time.monotonic() - began:4.0f} s  {command}", flush=True)
    return output


def execute(site, folder, cells):
    """Runs cells by a real kernel in the user's folder, with the packages of the wheel."""
    made = new_notebook(cells=list(map(new_code_cell, [packages_of(site), *cells])))
    resources = {"metadata": {"path": str(folder)}}
    client = nbclient.NotebookClient(made, timeout=900, resources=resources)
    client.execute(env=user_environment(site))


def packages_of(site):
    """Returns code that checks that a kernel has the packages of the wheel."""
    return f"import studies; assert studies.__file__.startswith({str(site)!r}), studies.__file__"


def the_page(site, folder):
    """Follows ``docs/your_own.md`` from an empty folder, as it stands."""
    environment, cells = user_environment(site), []
    commands = [command for snippet in snippets() for command in snippet.commands]
    assert any("--address" in command for command in commands)
    for snippet in snippets():
        if snippet.kind == "file":
            (folder / snippet.name).write_text(snippet.text)
        if snippet.kind == "cell":
            cells.append(snippet.text)
        if any("--address" in command for command in snippet.commands):
            on_a_cluster(folder, snippet.commands, environment)
        else:
            for command in snippet.commands:
                timed(folder, command, environment)
    execute(site, folder, cells)
    for study in ("sweep", "rings.py"):
        here, there = (table(folder, study, store, environment) for store in ("store", "shared"))
        assert without_extra_rows(here, there), (here, there)
    return f"{len(commands)} commands, {len(cells)} cells; one table on both sessions"


def on_a_cluster(folder, commands, environment):
    """Runs commands on a session that starts two workers, with the code of the driver alone."""
    with autoscaling_head(v2=False, worker={"CPU": 1}, max_workers=2) as cluster:
        joined = environment | {
            name: value for name, value in cluster.environment.items() if name.startswith("RAY_")
        }
        for command in commands:
            timed(folder, command, joined | {"RAY_ADDRESS": cluster.address})
        workers = len(cluster.nodes()) - 1
    assert workers >= 2, workers


def the_ddpm(site, folder):
    """Follows ``docs/your_ddpm.md``: a DDPM of the real library beats the Gaussian baseline."""
    environment, printed = user_environment(site), []
    for snippet in snippets(DDPM):
        if snippet.kind == "file":
            (folder / snippet.name).write_text(snippet.text)
        printed += [timed(folder, command, environment) for command in snippet.commands]
    *_, shown = printed
    (gaussian,) = map(float, re.findall(r"Gaussian with .*? = ([\d.]+)", shown))
    rows = re.findall(r"\| (ALS|CAS), n_sigma = 1 \| [\d.]+ ±\S+ / ([\d.]+) ", shown)
    found = {name: float(denoised) for name, denoised in rows}
    assert found.keys() == {"ALS", "CAS"} and max(found.values()) < gaussian, shown
    wrong = f"{snippets(DDPM)[1].commands[1]} --set model.prediction=v_prediction --store wrong"
    process = start(folder, wrong, environment)
    refused, _ = process.communicate(timeout=900)
    assert process.returncode == 2 and "prediction=epsilon" in refused, refused
    assert refused.count("\n") == 1 and not (folder / "wrong").exists()
    numbers = ", ".join(f"{name} {value:g}" for name, value in found.items())
    return f"denoised {numbers}; Gaussian {gaussian:g}"


def table(folder, study, store, environment):
    command = f"score-studies table {study} --store {store} --format csv"
    return finish(start(folder, command, environment))


def without_extra_rows(here, there):
    """Returns whether a table holds all rows of another; the first may have more widths."""
    return set(there.splitlines()) <= set(here.splitlines())


def killed(site, folder):
    """Kills the driver and the workers of the page's sweep once, continues, compares the tables."""
    environment = user_environment(site)
    command = "score-studies run sweep --config sweep.toml --store killed"
    process = start(folder, f"exec {command}", environment)
    wait_for(folder / "killed", "objects/score/*/manifest.json", 2, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    finish(start(folder, command, environment))
    tables = [table(folder, "sweep", store, environment) for store in ("killed", "store")]
    assert tables[0] == tables[1], tables
    return "killed once, continued, the same table"


def the_pictures(site, folder):
    """Scores a folder of pictures, with a warning, and then the moved folder, at no cost."""
    draw = np.random.default_rng(0)
    for name, n in (("made", 8), ("real", 12)):
        (folder / name).mkdir()
        for i in range(n):
            pixels = draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    environment = user_environment(site)
    command = (
        "score-studies run score_images --store scores --set reference=real "
        "--set 'metrics=[\"distance\"]' --set pictures="
    )
    printed = timed(folder, f"{command}made", environment)
    # On stderr before anything runs, and below the table.
    assert printed.count("warning: made: 8 images are fewer than the 160 features") == 2, printed
    (folder / "made").rename(folder / "moved")
    again = timed(folder, f"{command}moved", environment)
    numbers = [re.findall(r"(?:made|moved) +([\d.]+)", text) for text in (printed, again)]
    assert numbers[0] == numbers[1] and len(numbers[0]) == 1, numbers
    return f"distance {numbers[0][0]} before and after the folder was moved"


def the_notebook(site, folder):
    """Runs the notebook of the documents by a real kernel, with shorter trainings and two rows.

    `make study` is the whole demo.
    """
    folder = folder / "notebook"
    folder.mkdir()
    done, jobs = notebook.check(folder, user_environment(site), SHORTER, before=packages_of(site))
    return f"interrupted after {done} of {jobs} jobs; continued on the user's own Ray"


PARTS = (the_page, killed, the_ddpm, the_pictures, the_notebook)


def main(names):
    """Runs all parts, or the named ones, and prints a line for each; returns the exit code."""
    failed = 0
    with tempfile.TemporaryDirectory() as made:
        site, folder = installed(Path(made)), Path(made) / "user"
        folder.mkdir()
        for part in PARTS:
            if names and part.__name__ not in names:
                continue
            began = time.monotonic()
            try:
                outcome = part(site, folder)
            except Exception as error:
                traceback.print_exc()
                outcome, failed = f"FAILED: {error!r}", failed + 1
            print(f"{part.__name__}: {outcome} ({time.monotonic() - began:.0f} s)", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
