"""Runs a study: whatever its cells still need, nothing twice; then prints its table.

    python -m studies.run NAME [--scale demo|paper] [--set path=value ...] [--plan] [--store URL]
                               [--tracking-uri URI] [--address auto|HOST:PORT] [--cpus N] [--gpus N]
                               [--max-concurrent N] [--seeds N] [--allow-cpu]
    python -m studies.run --list

The same command starts a study, continues it after any interruption and, when all is done, only
prints the table.
"""

import sys

from studies.cli.launch import STOPPED, main

__all__ = ["main"]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nStopped. Nothing finished is lost; the same command continues.")
        sys.exit(STOPPED)
