"""Studies of "Adversarial score matching and improved sampling for image generation"."""
