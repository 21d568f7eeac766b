"""The store: finished jobs by content key, checkpoints, ledger, small documents."""
