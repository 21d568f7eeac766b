"""Records that MLflow and an Optuna storage display, made from the store alone."""
