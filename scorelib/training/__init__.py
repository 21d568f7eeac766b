"""Training of score networks and classifiers, and exponential moving averages of weights."""
