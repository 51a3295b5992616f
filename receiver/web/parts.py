"""What the web layer of one process works with. The database side is built when the first request needs it.

A server may import the application first and fork its workers later: connections and threads do not survive that, so
they belong to the process that built them.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass

from flask import Flask, current_app

from receiver.clock import utc_now
from receiver.config import Settings
from receiver.domain.rules.model import RuleSet
from receiver.runtime import Runtime, build_runtime
from receiver.services.acceptance import Acceptance
from receiver.services.drain import Drainer
from receiver.services.figures import Figures
from receiver.services.health import Health
from receiver.services.intake import Intake
from receiver.storage.spool import Spool
from receiver.web.api_auth import ApiGate
from receiver.web.browsers import BrowserGuard
from receiver.web.webhook_auth import WebhookGate

_EXTENSION = "receiver"


@dataclass(frozen=True, slots=True)
class _Services:
    pid: int
    runtime: Runtime
    intake: Intake
    acceptance: Acceptance
    spool: Spool
    drainer: Drainer
    health: Health
    figures: Figures


class Parts:
    """Settings, gates and services of this process; threads share it."""

    def __init__(
        self, settings: Settings, runtime: Runtime | None = None, rules: RuleSet | None = None
    ) -> None:
        self.settings = settings
        self._rules = rules
        self.webhook_gate = WebhookGate(settings, runtime.clock if runtime else utc_now)
        self.api_gate = ApiGate(settings)
        self.browsers = BrowserGuard(settings)
        self._lock = threading.Lock()
        self._services = _services(runtime) if runtime else None

    @property
    def runtime(self) -> Runtime:
        """Settings, engine, clock and channels."""
        return self._built().runtime

    @property
    def intake(self) -> Intake:
        """Stores deliveries."""
        return self._built().intake

    @property
    def acceptance(self) -> Acceptance:
        """Takes deliveries within the budget."""
        return self._built().acceptance

    @property
    def spool(self) -> Spool:
        """What the database could not take yet."""
        return self._built().spool

    @property
    def health(self) -> Health:
        """Tells whether the database answers."""
        return self._built().health

    @property
    def figures(self) -> Figures:
        """What /metrics reads from the database."""
        return self._built().figures

    def start(self) -> None:
        """Begin what goes on beside requests: for a server's process that is about to take some."""
        self._built().drainer.start()

    def close(self) -> None:
        """Give this process's connections back, for a server that ends a worker."""
        services = self._services
        if services is not None and services.pid == os.getpid():
            services.drainer.stop()
            services.runtime.close()

    def _built(self) -> _Services:
        services = self._services
        if services is None or services.pid != os.getpid():
            with self._lock:
                services = self._services
                if services is None or services.pid != os.getpid():
                    services = self._services = _services(build_runtime(self.settings, rules=self._rules))
        return services


def _services(runtime: Runtime) -> _Services:
    settings = runtime.settings
    intake = Intake(runtime)
    spool = Spool(settings.spool_dir, settings.spool_max_megabytes * 1024 * 1024)
    return _Services(
        pid=os.getpid(),
        runtime=runtime,
        intake=intake,
        acceptance=Acceptance(intake, spool, settings.intake_budget_seconds),
        spool=spool,
        drainer=Drainer(intake, spool),
        health=Health(runtime.engine),
        figures=Figures(runtime.engine, has_broker=runtime.broker is not None),
    )


def install(app: Flask, parts: Parts) -> None:
    """Make `parts` those of `app`."""
    app.extensions[_EXTENSION] = parts


def of(app: Flask) -> Parts:
    """The parts of `app`."""
    found: Parts = app.extensions[_EXTENSION]
    return found


def current_parts() -> Parts:
    """The parts of the application that answers the current request."""
    return of(current_app)
