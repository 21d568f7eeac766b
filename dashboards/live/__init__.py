"""What the served pages show of studies that may be running, kept up to date in the background."""
