"""Appendix B: the paper's choices of hyperparameters as searches."""
