"""Displays of results: tables, figures, pages, MLflow and Optuna records. Never starts a trial."""

from studies import early as early  # first: Ctrl-C may come during the imports of a command
