"""Displays of results: tables, figures, pages, MLflow and Optuna records. Never starts a trial."""
