"""Figures of a study's results so far, as descriptions for the drawing backends."""
