"""What is sampled: score models, and among them weights that were trained elsewhere."""
