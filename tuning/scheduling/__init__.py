"""Scheduling: chooses the next job of a study and forecasts the remaining work."""
