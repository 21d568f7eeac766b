"""General studies, of the user's own data, networks and settings; no paper's table."""
