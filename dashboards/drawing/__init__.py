"""What a figure is, as data, and the two backends that draw it: files and charts of a page."""
