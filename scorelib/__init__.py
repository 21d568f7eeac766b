"""Score-based generative models in PyTorch.

The package contains noise schedules, networks, losses, samplers, training, metrics and data sets.
It does not depend on Ray, Optuna, MLflow or any study.
"""
