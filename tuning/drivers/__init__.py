"""Drivers on one store: which live, which study each holds, which jobs each has out."""
