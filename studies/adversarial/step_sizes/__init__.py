"""Tables 1 to 3 and all that rests on their cells: samplers at their best step sizes."""
