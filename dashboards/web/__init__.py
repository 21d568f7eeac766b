"""Pages: templates, the report, the served site, and the servers beside it."""
