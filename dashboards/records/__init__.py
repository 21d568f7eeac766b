"""What MLflow and Optuna's storage show of a study, made from the store alone."""
