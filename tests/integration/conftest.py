"""A runtime over the test's database."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine

from receiver.config import load
from receiver.runtime import Runtime, build_runtime

RuntimeFactory = Callable[..., Runtime]


@pytest.fixture
def make_runtime() -> Iterator[RuntimeFactory]:
    """A function from an engine and settings (names without RECEIVER_) to a runtime over the same database."""
    made: list[Runtime] = []

    def make(engine: Engine, **settings: str) -> Runtime:
        environ = {f"RECEIVER_{name}": value for name, value in settings.items()}
        url = engine.url.render_as_string(hide_password=False)
        made.append(build_runtime(load({"RECEIVER_DATABASE_URL": url, **environ})))
        return made[-1]

    yield make
    for runtime in made:
        runtime.close()
