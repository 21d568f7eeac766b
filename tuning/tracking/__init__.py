"""Writers of MLflow and of Optuna's storage: displays that are rebuilt from the store."""
