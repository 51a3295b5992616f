"""Processes of the web part die."""

from __future__ import annotations

import random
import time

from faults.stack import Stack


def kill_web_processes(stack: Stack, seconds: float) -> None:
    """One of the processes that serve requests, every 2 s, by SIGKILL."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pids = stack.web_pids()
        if pids:
            stack.kill_pid(random.choice(pids))
        time.sleep(2)


def kill_master(stack: Stack, seconds: float) -> None:
    """gunicorn's master, by SIGKILL; what it started must end by itself, and let its successor have the address."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        stack.kill("serve")
        time.sleep(8)
