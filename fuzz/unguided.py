"""One target under hypothesis, for where atheris cannot be had: arbitrary bytes, and known inputs with changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

_LONGEST = 300
_ROUND = 500


def run(
    target: Callable[[bytes], None], beginnings: Sequence[bytes], seconds: float
) -> tuple[int, bytes | None]:
    """How many inputs were tried within `seconds`, and the smallest that broke the target, if one did."""
    deadline = time.monotonic() + seconds
    tried, last = 0, b""

    @settings(
        max_examples=_ROUND,
        deadline=None,
        database=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(_inputs(beginnings))
    def attempt(data: bytes) -> None:
        nonlocal tried, last
        tried, last = tried + 1, data
        target(data)

    while time.monotonic() < deadline:
        try:
            attempt()
        except Exception:  # noqa: BLE001 - whatever a target raises is what is looked for
            return tried, last  # hypothesis tries the smallest one last
    return tried, None


def _inputs(beginnings: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    anything = st.binary(max_size=_LONGEST)
    if not beginnings:
        return anything
    changed = st.builds(
        lambda known, at, over, put: known[:at] + put + known[at + over :],
        st.sampled_from(beginnings),
        st.integers(0, _LONGEST),
        st.integers(0, 20),
        st.binary(max_size=20),
    )
    return anything | changed
