"""Runs the children of `receiver up`: starts them, starts them again when they die, and ends them all together."""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType

from receiver.cli.exits import Exit, Failure
from receiver.cli.restarts import Restarts
from receiver.logs import event_logger
from receiver.worker.hangup import has_terminal

_log = event_logger("up")
# A signal wakes the loop at once; this is only for the clock: restarts that are due, and the end of patience.
_TICK_SECONDS = 0.2
# Wrappers pass a Ctrl-C on that the terminal has sent to us already: it is no second one.
_SAME_CTRL_C_SECONDS = 0.5
# What a child that was told to end at once may still take.
_LAST_SECONDS = 5.0


@dataclass(slots=True)
class Child:
    """One process: its arguments after `python -m receiver`, the files it inherits, and the signal that hurries it."""

    name: str
    arguments: Sequence[str]
    inherits: Sequence[int] = ()
    hurry: signal.Signals = signal.SIGKILL
    restarts: Restarts = field(default_factory=Restarts)
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    due_at: float = 0.0

    def start(self) -> None:
        """Start it. Its standard input is a pipe that closes when this process dies (see lifeline.py)."""
        command = [sys.executable, "-m", "receiver", *self.arguments]
        # A terminal's signals reach the whole group, but they are for this process to act on. Blocked here, they are
        # blocked in the child from its first instruction; what the child could do about them would come too late.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGHUP])
        try:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=self.inherits)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self.started_at = time.monotonic()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self.process:
            self.process.send_signal(number)

    def ended(self) -> int | None:
        """The status (negative: a signal's number) if it has ended since it was started, once; else None."""
        status = self.process.poll() if self.process else None
        if self.process and status is not None:
            if self.process.stdin:
                self.process.stdin.close()
            self.process = None
        return status


class Supervisor:
    """Keeps `children` running until SIGTERM or Ctrl-C, or until one of them cannot be kept running."""

    def __init__(
        self, children: Sequence[Child], drain_seconds: float, before_stop: Callable[[], None]
    ) -> None:
        self._children = children
        self._drain_seconds = drain_seconds
        self._before_stop = before_stop
        self._signals: queue.SimpleQueue[int] = queue.SimpleQueue()  # its put() may interrupt its own get()

    def run(self) -> None:
        """Run until a signal says to stop. Failure, once all have ended, if a child could not be kept running."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, self._note)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # it is under nohup
            signal.signal(signal.SIGHUP, self._note)
        hands_on = None if has_terminal() else signal.SIGHUP
        for child in self._children:
            child.start()
        lost = self._watch(hands_on)
        self._before_stop()
        self._stop()
        if lost:
            raise lost

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signals.put(number)

    def _next_signal(self) -> int | None:
        try:
            return self._signals.get(timeout=_TICK_SECONDS)
        except queue.Empty:
            return None

    def _watch(self, hands_on: signal.Signals | None) -> Failure | None:
        """Tend the children until a signal says to stop. `hands_on`: the one that is for them to act on."""
        while True:
            number = self._next_signal()
            if number is not None and number == hands_on:
                self._send_all(hands_on)
            elif number not in (None, signal.SIGCHLD):
                _log.info("up.stopping", extra={"signal": signal.Signals(number).name})
                return None
            for child in self._children:
                lost = self._tend(child)
                if lost:
                    return lost

    def _tend(self, child: Child) -> Failure | None:
        """Note the child's end, or start it again when that is due; what to say if it cannot be kept running."""
        now = time.monotonic()
        status = child.ended()
        if status is not None:
            lived = now - child.started_at
            delay = child.restarts.delay_seconds(status, lived)
            facts = {"child": child.name, "status": status, "lived_seconds": round(lived, 1)}
            if delay is None:
                _log.error("up.child_lost", extra=facts)
                shown = status if status >= 0 else 128 - status  # the end by a signal, as a shell shows it
                line = f"The {child.name} cannot be kept running: it ended with status {shown}; see the lines above."
                return Failure(shown or Exit.FAILED, line)
            _log.warning("up.child_ended", extra=facts | {"restart_in_seconds": delay})
            child.due_at = now + delay
        elif child.process is None and now >= child.due_at:
            child.start()
        return None

    def _stop(self) -> None:
        """SIGTERM to all, the hurrying signal at another Ctrl-C or when patience ends, then SIGKILL."""
        self._send_all(signal.SIGTERM)
        if self._all_ended(self._drain_seconds, hurried_by=(signal.SIGINT, signal.SIGTERM)):
            return
        _log.warning(
            "up.hurrying", extra={"children": [child.name for child in self._children if child.process]}
        )
        for child in self._children:
            child.send(child.hurry)
        if not self._all_ended(_LAST_SECONDS, hurried_by=()):
            self._send_all(signal.SIGKILL)
            self._all_ended(_LAST_SECONDS, hurried_by=())

    def _send_all(self, number: signal.Signals) -> None:
        for child in self._children:
            child.send(number)

    def _all_ended(self, seconds: float, hurried_by: Sequence[int]) -> bool:
        """Wait until no child runs; False after `seconds`, or at a signal of `hurried_by`."""
        began = time.monotonic()
        while True:
            for child in self._children:
                status = child.ended()
                if status is not None:
                    _log.info("up.child_stopped", extra={"child": child.name, "status": status})
            if not any(child.process for child in self._children):
                return True
            hurried = self._next_signal() in hurried_by
            waited = time.monotonic() - began
            if waited > seconds or (hurried and waited > _SAME_CTRL_C_SECONDS):
                return False
