"""Features: extractors with their weights, and stored features of real images."""
