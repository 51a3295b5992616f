"""Workers by the hundred: one process imports everything once, and each worker is a fork of it, with parts of its own.

A worker that is started so does what `receiver worker` does, without the second that Python needs to begin. All end
when the nursery ends, and that ends when its standard input does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.fakes.polling import wait_until
from tests.fakes.processes import environment

ROOT = Path(__file__).parents[2]


class Nursery:
    """Starts and kills workers. `settings`: those of all workers, names without RECEIVER_; they log into `log`."""

    def __init__(self, settings: Mapping[str, str], log: Path) -> None:
        given = {f"RECEIVER_{name}": value for name, value in settings.items()}
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.fakes.nursery"],
                cwd=ROOT,
                env=environment(given),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=30)

    def start(self) -> int:
        """The process id of a new worker."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("one more\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def end(self, pid: int, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a worker of ours a signal, and return when it is gone."""
        os.kill(pid, number)
        wait_until(lambda: not _is_there(pid), 30, "the end of a worker")


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _serve() -> None:
    """In the nursery: a fork for each line that comes in."""
    import receiver.worker.loop  # noqa: F401 - what takes long, once for all

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead vanish by themselves
    lifeline, held = os.pipe()
    spare, go = _fork(lifeline, held)
    for _ in sys.stdin:
        os.write(go, b"!")
        os.close(go)
        print(spare, flush=True)
        spare, go = _fork(lifeline, held)  # it gets ready while the other one works


def _fork(lifeline: int, held: int) -> tuple[int, int]:
    """A worker that is ready, and where to write to let it begin."""
    wait, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(held)
        os.close(go)
        os.dup2(lifeline, 0)
        os._exit(_work(wait))
    os.close(wait)
    return pid, go


def _work(wait: int) -> int:
    """In a worker."""
    from receiver import logs
    from receiver.cli.lifeline import follow_parent
    from receiver.config import load
    from receiver.runtime import build_runtime
    from receiver.worker.loop import run_worker

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    follow_parent(0)
    settings = load()
    logs.configure(settings.log_level, settings.secrets())
    runtime = build_runtime(settings, pool_size=20)
    if not os.read(wait, 1):
        return 0  # nobody needs it any more
    return run_worker(runtime)


if __name__ == "__main__":
    _serve()
