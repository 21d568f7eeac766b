"""Long tests of faults, each a scenario that says what came of it; ``make chaos`` runs them all."""

from collections.abc import Callable
from pathlib import Path

from tests.chaos import drivers, memory

SCENARIOS: dict[str, tuple[str, Callable[[Path], str]]] = {
    "driver": ("kill -9 of the driver, 20 times at random moments", drivers.kill_the_driver),
    "preemption": ("SIGTERM to the driver, three times", drivers.preempt_the_driver),
    "memory": ("the machine runs out of memory", memory.run_out_of_memory),
    "two-drivers": ("two studies on one store at once", drivers.two_drivers_on_one_store),
}
"""What is done to a study, and the function that does it, by name."""
