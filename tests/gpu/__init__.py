"""One prepared script for a machine with a GPU: ``make gpu``, or ``python -m tests.gpu``.

The script needs PyTorch and no network, installs nothing, and ends within eight minutes. It writes
one JSON file and prints a table: whether every network, sampler and training gives on the GPU what
it gives on a CPU, whether a real lack of memory is survived, and the times of our code beside those
of plain references (`tests.benchmarks.plain`, eager, float32 with TF32).

Where Ray, Optuna, MLflow, lmdb or torch-fidelity are missing, the parts that need them are skipped
and named. ``--miniature`` runs everything but the study in seconds on a CPU; its times mean
nothing.
"""
