"""Long tests of faults; ``make chaos`` runs all of them.

Each scenario is a function that returns a description of its outcome.
"""

from collections.abc import Callable
from pathlib import Path

from tests.chaos import drivers, faults, jobs, memory, nodes, services

SCENARIOS: dict[str, tuple[str, Callable[[Path], str]]] = {
    "driver": ("kill -9 of the driver, 20 times at random moments", drivers.kill_the_driver),
    "preemption": (
        "SIGTERM or Ctrl-C to the driver, before Ray starts and at work",
        drivers.preempt_the_driver,
    ),
    "slurm": ("SIGTERM to all processes, SIGKILL 30 s later", faults.stop_as_slurm),
    "litter": ("workers killed alone, some in the middle of a write", faults.kill_workers),
    "serve": ("kill -9 of the served page during a study", faults.kill_serve),
    "damage": ("documents of a running store damaged", faults.damage_documents),
    "two-drivers": ("two studies on one store at once", drivers.two_drivers_on_one_store),
    "autoscaling-v1": ("autoscaling; a node killed in the middle", nodes.autoscaler_v1),
    "autoscaling-v2": ("the same on autoscaler v2", nodes.autoscaler_v2),
    "node-sigterm": ("SIGTERM to a node", nodes.preempted),
    "node-drained": ("a node drained with notice, then gone", nodes.drained),
    "five-nodes": ("five nodes lost under one training", nodes.five_lost_nodes),
    "worker": ("a worker killed three times without progress", nodes.a_process_that_dies),
    "memory": ("the machine runs out of memory", memory.run_out_of_memory),
    "disk": ("the store's disk is full", services.disk_is_full),
    "mlflow": ("MLflow away for a minute", services.mlflow_is_away),
    "passwords": ("S3, PostgreSQL and MLflow with passwords", services.passwords),
    "blind-node": ("a node lacks the store or a module, at the start or later", jobs.blind_nodes),
    "job": ("a submitted job: laptop gone, stopped, submitted again", jobs.submitted),
}
"""Scenarios by name: each function injects a fault into a study."""
