"""What differs between devices: the precision of networks, and the way of draws to a GPU."""
