"""The store: finished jobs by content key, checkpoints, the ledger and small documents."""
