"""Code that depends on the device: the precision of networks, random numbers sent to a GPU."""
