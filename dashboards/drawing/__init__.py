"""Figures as data, and the two backends that draw them: PNG files and interactive charts."""
