"""Runs the unfinished jobs of a study and prints the study's table.

    python -m studies.run NAME [--scale demo|paper] [--set path=value ...] [--plan] [--store URL]
                               [--tracking-uri URI] [--address auto|HOST:PORT] [--cpus N] [--gpus N]
                               [--max-concurrent N] [--seeds N] [--allow-cpu]
    python -m studies.run --list

The same command starts a study and continues the study after an interruption. Finished jobs are
never repeated: if all jobs are finished, the command only prints the table.
"""

import sys

from studies.cli.command import main

__all__ = ["main"]


if __name__ == "__main__":
    sys.exit(main())
