"""Connections that wait for the next request to the same place."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from receiver.httpclient.alarm import Alarm
from receiver.httpclient.connection import Session

# Servers close connections that have been idle for 2 (gunicorn), 5 (Apache) or 75 seconds (nginx). One that is used
# while it is being closed can leave open whether the request arrived: rather a new one than come near that.
LONGEST_IDLE_SECONDS = 1.0
# The name may lead elsewhere by then.
LONGEST_LIFE_SECONDS = 60.0
LARGEST_STOCK = 32

Place = tuple[str, str, int | None]  # scheme, host, port


@dataclass(slots=True)
class _Kept:
    place: Place
    session: Session
    since: float


@dataclass(slots=True)
class Stock:
    """Sessions with an open connection that nobody uses at the moment. Threads may share it."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _kept: list[_Kept] = field(default_factory=list)  # the longest idle first
    _alarm: Alarm | None = None

    def take(self, place: Place) -> Session | None:
        """One for this place, the last used first; None if there is none. The caller gives it back, or closes it."""
        youngest = time.monotonic() - LONGEST_IDLE_SECONDS
        with self._lock:
            for position in range(len(self._kept) - 1, -1, -1):
                one = self._kept[position]
                if one.place == place and one.since > youngest:
                    return self._kept.pop(position).session
        return None

    def give_back(self, place: Place, session: Session) -> None:
        """Keep it for the next request; its last answer must have been read to the end."""
        now = time.monotonic()
        if now - session.opened_at > LONGEST_LIFE_SECONDS:
            session.close()
            return
        with self._lock:
            self._kept.append(_Kept(place, session, now))
            surplus = self._kept[:-LARGEST_STOCK]
            del self._kept[:-LARGEST_STOCK]
            if self._alarm is None:
                self._alarm = Alarm(LONGEST_IDLE_SECONDS, self._tidy)
        for one in surplus:
            one.session.close()

    def _tidy(self) -> None:
        """Close what has been idle for too long, and come again while there is something left."""
        oldest = time.monotonic() - LONGEST_IDLE_SECONDS
        with self._lock:
            stale = [one for one in self._kept if one.since <= oldest]
            self._kept = [one for one in self._kept if one.since > oldest]
            self._alarm = Alarm(LONGEST_IDLE_SECONDS, self._tidy) if self._kept else None
        for one in stale:
            one.session.close()
