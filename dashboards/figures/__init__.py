"""Figures and pictures: what the results so far show, described or cut from what jobs left."""
