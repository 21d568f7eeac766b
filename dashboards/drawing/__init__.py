"""What a figure is, as data, and the two backends that draw figures."""
