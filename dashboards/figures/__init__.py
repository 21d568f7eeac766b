"""Figures: what is drawn, as PNG files and as charts of a page."""
