"""Executes docs/notebook.ipynb in a real kernel: an interrupt, then the whole notebook.

Between the two the user starts a Ray in the kernel, which the second launch uses.
"""

import ast
import asyncio
import copy
import re
import secrets
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebook.ipynb"
SETTING = "changes = {}"
START_RAY = """import os, ray
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR");"""
ASK_RAY = "ray.cluster_resources()['CPU'], os.environ['RAY_AUTH_TOKEN_PATH']"


def sources(changes):
    """Returns the code of the notebook's cells, which change settings in the first of them."""
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    first, *others = (cell.source for cell in cells if cell.cell_type == "code")
    assert SETTING in first, first
    return [first.replace(SETTING, f"changes = {changes}"), *others]


def evaluated(source, names):
    """Executes a cell in a namespace; returns the value that a notebook would show, if any."""
    tree = ast.parse(source)
    *_, last = tree.body
    shown = isinstance(last, ast.Expr) and not source.rstrip().endswith(";")
    body = tree.body[:-1] if shown else tree.body
    exec(compile(ast.Module(body, []), "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if shown else None


def check(folder, environment, changes, before=""):
    """Interrupts the launch of the notebook in a kernel, launches again and checks every output.

    Args:
        folder: empty folder in which the kernel runs.
        environment: environment of the kernel.
        changes: settings that the notebook changes.
        before: code that runs first.

    Returns:
        The number of jobs that were done at the interrupt, and of all jobs.
    """
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32))
    environment = environment | {"RAY_AUTH_TOKEN_PATH": str(token)}
    interrupted, cells = asyncio.run(_executed(folder, environment, changes, before))
    assert token.exists()

    assert _errors(interrupted) == []
    said = _shown(interrupted)
    done, jobs = re.search(
        r"(\d+) of (\d+) jobs done, stopped by SIGINT\. Finished jobs are kept; the same call "
        r"continues\.",
        said,
    ).groups()
    assert 0 < int(done) < int(jobs) and "stage" in said
    assert "\x1b" not in said and "Traceback" not in said

    def of(part, kind="text/plain"):
        (cell,) = [cell for cell in cells if part in cell.source]
        return _shown(cell, kind)

    assert [text for cell in cells for text in _errors(cell)] == []
    run = of("studies.launch")
    counts = re.search(r"(\d+) of (\d+) jobs done", run)  # searches may end before their caps
    assert counts and counts[1] == counts[2] and "stopped" not in run and "stage" in run, run
    assert "Table 1" in of("studies.launch", "text/html")
    assert "<table" in of("run.table()", "text/html") and "is_winner" in of("run.trials")
    assert "torch.Size([64, " in of("cell.samples") and of("plt.imshow", "image/png")
    assert "data:image/png" in of("run.cell", "text/html") and int(of("cell.network")) > 0
    assert "scatter" in of("run.figure(", "application/vnd.plotly.v1+json")
    assert "report.html" in of("run.report") and "done" in of("studies.open", "text/html")
    # The user's own Ray was used and stays.
    assert of(ASK_RAY) == f"(2.0, '{token}')"
    return int(done), int(jobs)


async def _executed(folder, environment, changes, before):
    """Returns the interrupted cell, and all cells after the second launch."""
    made = nbformat.read(NOTEBOOK, as_version=4)
    made.cells = [new_code_cell(s) for s in (before, *sources(changes), START_RAY, ASK_RAY)]
    client = NotebookClient(made, timeout=900, resources={"metadata": {"path": str(folder)}})

    async def execute(cell):
        await client.async_execute_cell(cell, made.cells.index(cell))

    first, setting, launch = made.cells[:3]
    assert "studies.launch" in launch.source
    async with client.async_setup_kernel(env=environment):
        for cell in (first, setting):
            await execute(cell)
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


def _errors(cell):
    """Returns what a cell wrote to stderr."""
    return [output.text for output in cell.outputs if output.get("name") == "stderr"]


def _shown(cell, kind="text/plain"):
    """Returns what the outputs of a cell show, in order, as text of a kind."""
    found = [
        {"text/plain": output.get("text"), **output.get("data", {})} for output in cell.outputs
    ]
    return "\n".join(str(data[kind]) for data in found if data.get(kind))
