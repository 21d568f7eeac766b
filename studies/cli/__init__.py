"""Puts the layers together: the command that runs a study. Only `studies.run` may import it."""
