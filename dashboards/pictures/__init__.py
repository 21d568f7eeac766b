"""Pictures of cells: sheets of samples, and frames along the sampling chain."""
