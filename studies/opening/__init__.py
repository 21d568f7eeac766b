"""Opens a study by name with the settings of its last run, and shares code of the commands."""
