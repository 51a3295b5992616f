"""What happened, written down outside the system: every request with its end, and when each fault began and ended."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any


class End(StrEnum):
    """How a request ended, as its sender sees it."""

    OK = "ok"  # 2xx: it must be there
    FAIL = "fail"  # it must not be there
    UNKNOWN = "unknown"  # it may be there: cut or timed out, or 503


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `at`: time.time() when it was sent; `digest`: SHA-256 of its body, hex."""

    at: float
    seconds: float
    end: End
    status: int | None
    digest: str
    alerts: int
    what: str = "new"
    delivery_id: str = ""
    outcome: str = ""
    note: str = ""  # the error's name; or, for a 5xx, what the answer said


class Journal:
    """A file with a JSON line for each entry, written at once. Threads may share it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lock = threading.Lock()
        self._output = file.open("a", encoding="utf-8", buffering=1)

    def write(self, **entry: Any) -> None:
        """Add a line."""
        line = json.dumps({"at": time.time(), **entry}) + "\n"
        with self._lock:
            if not self._output.closed:
                self._output.write(line)

    def request(self, request: Request) -> None:
        """Add a request."""
        self.write(**asdict(request))

    def close(self) -> None:
        """No more comes."""
        with self._lock:
            self._output.close()


def entries(file: Path) -> Iterator[dict[str, Any]]:
    """What a journal holds, in its order. A last line that was cut off is left out."""
    if not file.exists():
        return
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                yield json.loads(line)


def requests_of(file: Path) -> list[Request]:
    """The requests of a history."""
    return [Request(**{**entry, "end": End(entry["end"])}) for entry in entries(file)]
