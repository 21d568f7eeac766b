"""Drivers on one store: which drivers run, which study each runs and which jobs each has leased."""
