"""Runs benchmarks: ``python -m tests.benchmarks NAME`` prints a ratio to a named reference.

Both sides of the ratio are measured in the same run.
"""

import sys
from importlib import import_module

NAMES = ("ema", "frechet", "initial_r", "overhead", "prdc", "profile", "scale", "search", "speed")


def main() -> int:
    """Runs the named benchmark; returns exit code 2 if there is no such benchmark."""
    if len(sys.argv) != 2 or sys.argv[1] not in NAMES:
        print(f"usage: python -m tests.benchmarks {'|'.join(NAMES)}", file=sys.stderr)
        return 2
    import_module(f"tests.benchmarks.{sys.argv[1]}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
