"""Writers that show the results of the store in MLflow and in an Optuna storage."""
