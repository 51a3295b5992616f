"""The last will of a test run: ends a process group of ours when we are gone, even by SIGKILL.

Runs as a process of its own beside each process that the tests start (tests/fakes/processes.py):

    python guard.py PROCESS_GROUP [FOLDER]

Standard input is a pipe whose other end only the test run holds. A line `done` means that all is settled.
If the pipe closes without it, the test run died: the process group gets SIGTERM, later SIGKILL, and FOLDER
(its scratch data) is removed.
Imports nothing of the project, so that it starts in a few milliseconds.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time

GRACE_SECONDS = 10.0


def is_alive(group: int) -> bool:
    """Whether the process group has a member, one that nobody has waited for yet included."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says so of a group that has only unwaited-for members
        return False
    return True


def end(group: int, grace_seconds: float = GRACE_SECONDS) -> None:
    """SIGTERM to the process group, and SIGKILL to what is left of it after `grace_seconds`."""
    for name in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(group, name)
        except (ProcessLookupError, PermissionError):
            return
        deadline = time.monotonic() + grace_seconds
        while is_alive(group) and time.monotonic() < deadline:
            time.sleep(0.02)
        if not is_alive(group):
            return


def main(group: int, folder: str | None) -> None:
    if sys.stdin.readline().strip() == "done":
        return
    end(group)
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
