"""Training runs and their snapshots, for score networks and noise-conditional classifiers."""
