"""What tests of the deployment ask for: made secrets, a stand-in for the receiver, and nginx in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.deploy import compose
from tests.deploy.front import Front
from tests.deploy.upstream import Upstream


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """A folder of secrets, as deploy/make-secrets.sh makes them."""
    folder = tmp_path / "secrets"
    compose.make_secrets(folder).check_returncode()
    return folder


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A stand-in for the receiver."""
    with Upstream() as server:
        yield server


@pytest.fixture
def start_front(upstream: Upstream, tmp_path: Path) -> Iterator[Callable[..., Front]]:
    """A function that starts nginx in front of `upstream`, with edits to its configuration as keyword `edits`."""
    with ExitStack() as running:
        yield lambda **options: running.enter_context(Front(tmp_path / "nginx", upstream.port, **options))


@pytest.fixture
def front(start_front: Callable[..., Front]) -> Front:
    """nginx in front of `upstream`."""
    return start_front()
