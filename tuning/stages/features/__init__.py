"""Features: extractors with their weights, and what is stored of real images in features."""
