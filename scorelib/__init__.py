"""The science in PyTorch: noise schedules, networks, losses, samplers, training, metrics, data.

Knows nothing of Ray, Optuna, MLflow or any study.
"""
