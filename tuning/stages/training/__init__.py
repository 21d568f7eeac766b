"""Training runs and their snapshots: of score networks and of noise-conditional classifiers."""
