"""One target under atheris: bytes that reach new code are kept and changed further. Linux only, for want of wheels.

    python -m fuzz.guided TARGET SECONDS ARTIFACTS FOLDER...

libFuzzer ends the process itself, so each target has one of its own: 0 when the time is over, else something broke.
"""

from __future__ import annotations

import importlib
import logging
import sys

# Longer inputs find nothing that shorter ones do not, and slow everything down.
_LONGEST = 2048
_SLOWEST_SECONDS = 10
_MEMORY_MEGABYTES = 2048


def main(name: str, seconds: int, artifacts: str, folders: list[str]) -> None:
    """Fuzz the target `name`; never returns."""
    import atheris

    logging.disable(logging.CRITICAL)
    with atheris.instrument_imports(include=["receiver", "gunicorn.http"]):
        targets = importlib.import_module("fuzz.targets")
    options = [
        f"-max_total_time={seconds}",
        f"-artifact_prefix={artifacts}",
        f"-max_len={_LONGEST}",
        f"-timeout={_SLOWEST_SECONDS}",
        f"-rss_limit_mb={_MEMORY_MEGABYTES}",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, *folders], targets.TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:])
