"""Finished trials as samplers are told of them."""

from tuning.spaces.trial import Trial


def told(values, *numbers):
    """A finished trial; None for a number says that it failed."""
    return Trial(0, values, numbers=() if None in numbers else numbers)


def at_step(epsilon, value):
    """A finished trial of a step size."""
    return told({"epsilon": epsilon}, value)
