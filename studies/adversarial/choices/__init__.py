"""Studies of Appendix B: the paper's choices of hyperparameters as recorded searches."""
