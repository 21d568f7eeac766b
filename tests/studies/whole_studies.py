"""Every study at either scale as the program has it, built once in a process."""

import functools

from studies.registry import find_study


@functools.cache
def whole_study(name, scale="demo"):
    """Returns a study with its own settings; its specs remember their keys."""
    module = find_study(name)
    return module.study(scale, module.settings(scale))
