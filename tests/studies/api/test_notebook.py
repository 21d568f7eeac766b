"""Tests of docs/notebook.ipynb in a real kernel: an interrupt, then the whole notebook.

Between the two the user starts a Ray in the kernel, which the second launch uses.
"""

import asyncio
import copy
import secrets
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

from tests.miniature import MINIATURE

NOTEBOOK = Path(__file__).parents[3] / "docs" / "notebook.ipynb"
SMALL = MINIATURE | {"n_sigma": "[1]", "search.n_trials": "1", "selection.n_trials": "1"}
SETTING = "changes = {}"
LAUNCH = "changes=changes)"
START_RAY = """import os, ray
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR");"""
ASK_RAY = "ray.cluster_resources()['CPU'], os.environ['RAY_AUTH_TOKEN_PATH']"


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """Returns the outputs of the interrupted cell and those of the notebook's cells by source."""
    folder = tmp_path_factory.mktemp("notebook")
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_AUTH_TOKEN_PATH", str(token))
        patched.delenv("MPLBACKEND", raising=False)  # set by the commands that tests call
        interrupted, cells = asyncio.run(_executed(folder))
    assert token.exists()
    return interrupted, {cell.source: cell for cell in cells}, token


async def _executed(folder):
    made = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in made.cells if cell.cell_type == "code"]
    setting, launch = cells[:2]
    assert SETTING in setting.source and "studies.launch" in launch.source
    setting.source = setting.source.replace(SETTING, f"changes = {SMALL}")
    assert LAUNCH in launch.source
    launch.source = launch.source.replace(LAUNCH, "changes=changes, cpus=1)")  # one worker
    made.cells = [*cells, new_code_cell(START_RAY), new_code_cell(ASK_RAY)]
    client = NotebookClient(made, timeout=200, resources={"metadata": {"path": str(folder)}})

    async def execute(cell):
        await client.async_execute_cell(cell, made.cells.index(cell))

    async with client.async_setup_kernel():
        await execute(setting)
        running = asyncio.create_task(execute(launch))
        while len(list(folder.glob("store/objects/*/*/manifest.json"))) < 1:
            assert not running.done(), running
            await asyncio.sleep(0.05)
        await client.km.interrupt_kernel()
        await running
        interrupted = copy.deepcopy(launch)
        *cells, start, ask = made.cells
        for cell in (start, *cells, ask):
            await execute(cell)
    return interrupted, made.cells


def errors(cell):
    """Returns what a cell wrote to stderr."""
    return [output.text for output in cell.outputs if output.get("name") == "stderr"]


def shown(cell, kind="text/plain"):
    """Returns what the outputs of a cell show, in order, as text of a kind."""
    found = [
        {"text/plain": output.get("text"), **output.get("data", {})} for output in cell.outputs
    ]
    return "\n".join(str(data[kind]) for data in found if data.get(kind))


def test_an_interrupt_stops_and_says_how_far(executed):
    interrupted, *_ = executed
    assert {output.output_type for output in interrupted.outputs} <= {
        "stream", "display_data", "execute_result",
    }  # fmt: skip
    said = shown(interrupted)
    assert "jobs done, stopped by SIGINT. Finished jobs are kept; the same call continues." in said
    assert errors(interrupted) == []
    assert "stage" in said and "0 of 24 jobs" not in said and "24 of 24 jobs" not in said
    assert "\x1b" not in said and "Traceback" not in said


def test_the_same_call_continues_and_the_notebook_shows_everything(executed):
    _, cells, _ = executed

    def of(part, kind="text/plain"):
        (cell,) = [cell for source, cell in cells.items() if part in source]
        return shown(cell, kind)

    assert [text for cell in cells.values() for text in errors(cell)] == []
    run = of("studies.launch")
    assert "24 of 24 jobs done" in run and "stopped" not in run and "stage" in run
    assert "Table 1" in of("studies.launch", "text/html")
    assert "<table" in of("run.table()", "text/html") and "is_winner" in of("run.trials")
    assert "torch.Size([64, 1, 8, 8])" in of("cell.samples") and of("plt.imshow", "image/png")
    assert "data:image/png" in of("run.cell", "text/html") and int(of("cell.network")) > 0
    assert "scatter" in of("run.figure(", "application/vnd.plotly.v1+json")
    assert "report.html" in of("run.report") and "done" in of("studies.open", "text/html")


def test_a_ray_that_was_there_is_used_and_stays(executed):
    _, cells, token = executed
    assert shown(cells[ASK_RAY]) == f"(1.0, '{token}')"
