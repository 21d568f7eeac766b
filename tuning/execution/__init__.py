"""Execution of jobs in Ray: sessions, workers and the searcher that passes jobs to Ray Tune."""
