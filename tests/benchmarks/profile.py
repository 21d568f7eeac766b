"""Profile of NCSNv2 on a CPU by kind of operation: the plain reference (before) and ours (after).

Run with ``python -m tests.benchmarks profile`` (about a minute, 2 GB). The two sides of a row of
`tests.benchmarks.speed` alternate in one process with one thread. PyTorch's profiler gives the time
that each operation takes without the operations that it calls; the kind is that of the operation or
of the nearest operation around it that has a kind. The gradients of sums and products count as
rest, also within a normalisation.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from unittest import mock

import torch
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile, record_function

from scorelib.networks.layers import instance_norm, winograd
from tests.benchmarks import plain
from tests.benchmarks.speed import Row, Run, sampling, training

ROUNDS = 2
REST = "sums, copies, rest"
KINDS = {
    "convolution": ("conv",),
    "ELU": ("elu",),
    "normalisation": ("norm",),
    "pooling": ("pool",),
    "change of size": ("upsample",),
    "Adam": ("adam",),
}
"""Parts of the names of operations, by kind."""

_NAMED = (
    (winograd, "convolved"), (instance_norm, "normalised"), (plain, "published_norm"),
)  # fmt: skip
"""Functions of several operations, which the profile names."""


def main() -> None:
    """Prints a table for a sampling chain and a table for an update of a training."""
    torch.set_num_threads(1)
    for row, unit in ((sampling(64), "network pass"), (training(64, 16), "update")):
        n_units = 4 if unit == "network pass" else 1
        before, after = profiled(row)
        print(f"{row.name}\n{'ms per ' + unit:24} before   after  after / all before")
        total = before.total()
        for kind in (*KINDS, REST):
            times = [of[kind] / n_units for of in (before, after)]
            print(f"{kind:24} {times[0]:6.0f}  {times[1]:6.0f}  {after[kind] / total:18.3f}")
        print(
            f"{'all':24} {total / n_units:6.0f}  {after.total() / n_units:6.0f}  "
            f"{after.total() / total:18.3f}\n",
            flush=True,
        )


def profiled(row: Row) -> tuple[Counter[str], Counter[str]]:
    """Returns the milliseconds of a run of the reference and of ours by kind of operation."""
    before, after = Counter[str](), Counter[str]()
    row.plain(), row.ours()
    for _ in range(ROUNDS):
        for run, times in ((row.plain, before), (row.ours, after)):
            for event in events_of(run):
                times[kind_of(event)] += event.self_cpu_time_total / 1000 / ROUNDS
    return before, after


def events_of(run: Run) -> Iterator[FunctionEvent]:
    """Yields the operations of a run."""
    with contextlib.ExitStack() as named:
        for module, name in _NAMED:
            function = record_function(name)(getattr(module, name))
            named.enter_context(mock.patch.object(module, name, function))
        with profile(activities=[ProfilerActivity.CPU]) as recorded:
            run()
    yield from recorded.events()


def kind_of(event: FunctionEvent) -> str:
    """Returns the kind of an operation."""
    around: FunctionEvent | None = event
    while around is not None:
        for kind, parts in KINDS.items():
            if any(part in around.name.lower() for part in parts):
                return kind
        around = around.cpu_parent
    return REST
