"""Commands as real processes: each in its own process group, output in a file, none outlives the test run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.fakes import groups, guard
from tests.fakes.polling import TimedOut, wait_until

BIN = Path(sys.executable).parent  # the scripts of the environment that runs the tests
_KEPT_VARIABLES = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ")
# Makes standard input the controlling terminal of the session that it leads, then becomes the command.
_TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
_UNDER_TERMINAL = (sys.executable, "-S", "-E", "-c", _TAKE_TERMINAL)


def environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a process of ours: nothing of the developer's own settings, then `settings`."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {**kept, "PYTHONUNBUFFERED": "1", **(settings or {})}


class Process:
    """A running command. Use it as a context manager, or call stop().

    `folder` becomes its working directory (where a receiver keeps its var/) and is made if need be; what it
    prints goes to `folder`/`name`.log. `env` is its whole environment (see `environment`). `remove`: the
    folder is scratch data that goes when the test run dies. `terminal`: it belongs to one, as when a person starts it;
    else to none, as a service.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        folder: Path,
        env: Mapping[str, str] | None = None,
        name: str = "process",
        remove: bool = False,
        terminal: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.command = [str(part) for part in command]
        self.name = name
        self.log = folder / f"{name}.log"
        self._terminal, stdin = os.openpty() if terminal else (None, subprocess.DEVNULL)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [*(_UNDER_TERMINAL if terminal else ()), *self.command],
                cwd=folder,
                env=environment() if env is None else dict(env),
                stdin=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if terminal:
            os.close(stdin)
        self.pid = self._process.pid  # also the id of its process group
        self._guard = subprocess.Popen(
            [sys.executable, "-S", "-E", guard.__file__, str(self.pid), *([str(folder)] if remove else [])],
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us; the guard comes after us
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def output(self) -> str:
        """All that it has printed so far, both streams."""
        return self.log.read_text(errors="replace")

    def returncode(self) -> int | None:
        """Its exit status (negative: the signal that ended it), None while it runs."""
        return self._process.poll()

    def wait(self, timeout: float) -> int:
        """Its exit status, once it has ended by itself; AssertionError after `timeout` seconds."""
        self.wait_until(lambda: self.returncode() is not None, timeout, "end")
        return self._process.wait()

    def send(self, number: signal.Signals) -> None:
        """A signal for the process itself, not for its children."""
        self._process.send_signal(number)

    def close_terminal(self) -> None:
        """The end of its terminal's window, of which the kernel tells the process by SIGHUP."""
        if self._terminal is not None:
            os.close(self._terminal)
            self._terminal = None

    def wait_until(self, holds: Callable[[], bool], timeout: float, what: str) -> None:
        """Returns when `holds()` is true.

        AssertionError with its last output after `timeout` seconds, or if it ends first.
        """

        def settled() -> bool:
            ended = self.returncode() is not None  # asked first: what it did last still counts
            if ended and not holds():
                status = self.returncode()
                raise AssertionError(f"{self.name} ended ({status}) before it would {what}:\n{self._tail()}")
            return ended or holds()

        try:
            wait_until(settled, timeout)
        except TimedOut:
            failed = f"{self.name} did not {what} within {timeout:g} s"
            raise AssertionError(f"{failed}:\n{self._tail()}") from None

    def wait_for_http(self, url: str, timeout: float = 30, status: int = 200) -> None:
        """Returns when a GET of `url` answers `status`."""
        self.wait_until(lambda: _http_status(url) == status, timeout, f"answer {status} at {url}")

    def wait_for_output(self, text: str, timeout: float = 30) -> None:
        """Returns when `text` has been printed."""
        self.wait_until(lambda: text in self.output(), timeout, f"print {text!r}")

    def members(self) -> list[str]:
        """What runs in its process group now, a line (process id, command) each."""
        return groups.members(self.pid)

    def assert_nothing_left(self, timeout: float = 5) -> None:
        """AssertionError that names what in its process group still runs after `timeout` seconds.

        To be asked once it has ended by itself, or by `send`; `stop` would remove the evidence.
        """
        try:
            wait_until(lambda: not self.members(), timeout)
        except TimedOut:
            raise AssertionError(f"{self.name} left running:\n" + "\n".join(self.members())) from None

    def stop(self, grace: float = guard.GRACE_SECONDS) -> int:
        """Ends it as an operator would: SIGTERM, and SIGKILL to its whole group after `grace` seconds.

        Returns its exit status. May be called again.
        """
        if self.returncode() is None:
            self._process.terminate()
            try:
                self._process.wait(grace)
            except subprocess.TimeoutExpired:
                self.kill()
        self.kill()  # what it may have left behind
        self._settle()
        return self._process.wait()

    def kill(self) -> None:
        """SIGKILL to its whole process group at once: a machine that lost its power."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return
        self._process.wait()

    def _settle(self) -> None:
        self.close_terminal()
        if self._guard.stdin and not self._guard.stdin.closed:
            self._guard.communicate("done\n")

    def _tail(self, lines: int = 30) -> str:
        return "\n".join(self.output().splitlines()[-lines:])


def _http_status(url: str) -> int | None:
    """The status that a GET answers, None if nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return None
