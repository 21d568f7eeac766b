"""The command that runs a study, on top of all layers. Only `studies.run` may import it."""
