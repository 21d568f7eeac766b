"""The tutorial of the documents at full size: ``make tutorial``, at most 20 minutes.

As a new user would: a wheel is built and installed into a folder of its own, and the commands run
in an empty folder. The example study of ``docs/examples`` runs on this machine, is killed and
continued, runs on an autoscaling session with two extra workers, and is shown; the notebook of
``docs`` runs by a real kernel. Small versions of all parts are in the test suite.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbclient
import nbformat

from tests.clusters import autoscaling_head
from tests.launches import wait_for

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "rings.py"


def installed(folder):
    """Builds and installs a wheel; returns the folder that holds the packages."""
    pip = [sys.executable, "-m", "pip"]
    quiet = ["--quiet", "--no-deps", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", *quiet, "--no-build-isolation", "-w", str(folder), str(ROOT)], check=True
    )
    (wheel,) = folder.glob("*.whl")
    site = folder / "site"
    subprocess.run([*pip, "install", *quiet, "--target", str(site), str(wheel)], check=True)
    return site


def start(site, folder, *arguments, environment=None):
    """Starts the installed command in a user's folder."""
    return subprocess.Popen(
        [sys.executable, "-P", str(site / "bin" / "score-studies"), *arguments],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(site)} | (environment or {}), text=True,
        start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def finish(process):
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    return output


def table(site, folder, store):
    return finish(start(site, folder, "table", "rings.py", "--store", store, "--format", "csv"))


def on_this_machine(site, folder):
    """Runs the example, kills the driver and its workers once, continues, and shows the table."""
    shutil.copy(EXAMPLE, folder)
    process = start(site, folder, "run", "./rings.py", "--cpus", "2")
    wait_for(folder / "store", "objects/sample/*/manifest.json", 2, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    printed = finish(start(site, folder, "run", "./rings.py", "--cpus", "2"))
    assert "width 256" in printed and "score-studies report ./rings.py" in printed, printed
    finish(start(site, folder, "report", "rings.py"))
    return "killed once, continued, table and report written"


def on_a_cluster(site, folder):
    """Runs the example on a session that starts two workers, with the code of this driver alone."""
    with autoscaling_head(v2=False, worker={"CPU": 1}, max_workers=2) as cluster:
        where = ("--address", cluster.address, "--cpus", "2", "--store", str(folder / "shared"))
        environment = cluster.environment | {"PYTHONPATH": str(site)}
        driver = start(site, folder, "run", "./rings.py", *where, environment=environment)
        printed = finish(driver)
        workers = len(cluster.nodes()) - 1
    assert workers == 2 and "width 256" in printed, (workers, printed)
    assert table(site, folder, "shared") == table(site, folder, "store")
    return "two workers started, the same table as on one machine"


def in_a_notebook(site, folder):
    """Runs the notebook of the documents by a real kernel."""
    notebook = nbformat.read(ROOT / "docs" / "notebook.ipynb", as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=900, resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return f"{len(notebook.cells)} cells"


def main():
    """Runs all parts and prints a line for each; returns the exit code."""
    failed = 0
    with tempfile.TemporaryDirectory() as made:
        site = installed(Path(made))
        for part in (on_this_machine, on_a_cluster, in_a_notebook):
            began, folder = time.monotonic(), Path(made) / "user"
            folder.mkdir(exist_ok=True)
            try:
                outcome = part(site, folder)
            except Exception as error:
                outcome, failed = f"FAILED: {error}", failed + 1
            print(f"{part.__name__}: {outcome} ({time.monotonic() - began:.0f} s)", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
