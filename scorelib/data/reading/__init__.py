"""Reading of image files: decoding to 8-bit pixels, and checks of what was read."""
