"""Studies: one module per table or figure of a paper, the reported numbers, the command line."""
