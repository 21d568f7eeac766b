"""Training: the loop, its two other forms, and averages of weights."""
