"""Runs a command, and kills the command when the process that started the guard ends.

The guard is run as a file, in a process group of its own. Its standard input is a pipe whose other
end only the starting process holds: when the pipe closes, even by ``kill -9``, the guard kills its
group, to which the command and all processes of the command belong.
"""

import os
import signal
import subprocess
import sys
import threading


def main(command: list[str]) -> int:
    """Runs a command and returns its exit code.

    Args:
        command: the command with its arguments.
    """
    # The group receives SIGTERM. The guard stays until the command has ended; the command itself
    # does not inherit a handler.
    signal.signal(signal.SIGTERM, lambda *_: None)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_kill_when_alone, daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


def _kill_when_alone() -> None:
    os.read(sys.stdin.fileno(), 1)  # returns when the pipe closes
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
