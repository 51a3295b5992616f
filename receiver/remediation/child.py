"""Runs a program as a child: no shell, nothing of our environment, bounded in time and output, nothing left running."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from receiver.errors import DeliveryFailed

LONGEST_OUTPUT_BYTES = 64 * 1024
# What a program may need to run at all. Nothing of our own environment, which has our secrets, goes to it.
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: its exit status (negative: a signal), and what it printed, cut where it was too long."""

    status: int
    output: str
    is_cut: bool = False


def run_child(
    argv: Sequence[str], *, seconds: float, folder: Path, environment: Mapping[str, str] | None = None
) -> Ended:
    """Run it to its end. Both of its streams are its output.

    Raises DeliveryFailed: `permanent` if it could not be started, `outcome_unknown` if it was killed after `seconds`.
    """
    try:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env={**_ENVIRONMENT, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a process group of its own, which can be killed as a whole
        )
    except OSError as error:
        failure = DeliveryFailed(f"the program cannot be started ({error.strerror})", permanent=True)
    else:
        return _follow(process, seconds)
    raise failure


def _follow(process: subprocess.Popen[bytes], seconds: float) -> Ended:
    deadline = time.monotonic() + seconds
    assert process.stdout is not None
    with process.stdout as stream:
        try:
            output = _read(stream, deadline)
            process.wait(max(deadline - time.monotonic(), 0))
        except (TimeoutError, subprocess.TimeoutExpired):
            output = None
        finally:
            _kill_group(process)  # also what it has left behind, which would hold the pipe open
    if output is None:
        raise DeliveryFailed(f"killed: it had not ended within {seconds:g} s", outcome_unknown=True)
    text = output[:LONGEST_OUTPUT_BYTES].decode(errors="replace")
    return Ended(process.returncode, text, len(output) > LONGEST_OUTPUT_BYTES)


def _read(stream: IO[bytes], deadline: float) -> bytes:
    """What comes until the end, of which the first 64 KiB are kept. Raises TimeoutError."""
    kept = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not selector.select(left):
                raise TimeoutError
            chunk = os.read(stream.fileno(), 65536)
            if not chunk:
                return kept
            kept += chunk[: LONGEST_OUTPUT_BYTES + 1 - len(kept)]


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):  # nobody is left in it
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
