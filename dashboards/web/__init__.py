"""Web pages: templates, the report, the served site, and the MLflow and Optuna servers."""
