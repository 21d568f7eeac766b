"""What is known exactly: noise through sampling, Parzen scores, powers of a likelihood."""
