"""The command that runs a study, on top of all layers, and the launch that it shares.

Only `studies.run` and the Python interface, `studies.api`, may import it.
"""
