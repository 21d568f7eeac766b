"""Studies of Tables 1 to 3 and of further results from their cells: samplers at best step sizes."""
