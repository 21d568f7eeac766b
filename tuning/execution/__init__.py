"""Running jobs in Ray: sessions, workers, the searcher that hands jobs to Tune."""
