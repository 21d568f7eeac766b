"""Helpers of the tests of contracts: all components, and components that break one rule."""

from dataclasses import dataclass

import pytest

from scorelib.spec import is_ours, kinds_below


def wrong(base, **members):
    """Returns a class of specs that differs from its base by some methods and attributes."""
    body = {"__module__": __name__, "__qualname__": "Wrong", **members}
    return dataclass(frozen=True, kw_only=True)(type("Wrong", (base,), body))


def refused(message, check, *args, **settings):
    """Asserts that a contract fails with one line that matches a pattern."""
    with pytest.raises(AssertionError, match=message) as caught:
        check(*args, **settings)
    assert "\n" not in str(caught.value)


def components(base):
    """Returns the classes of this distribution that derive from a base and are no base themselves.

    The contract of their kind must be tested on an instance of each.
    """
    # Other tests in this process have classes of users' modules.
    ours = [cls for cls in kinds_below(base) if is_ours(cls.__module__)]
    return {cls for cls in ours if not any(cls in other.__bases__ for other in ours)}
