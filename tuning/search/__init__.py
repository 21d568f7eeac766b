"""Searches in progress: from the ledger and the store to what is wanted next."""
