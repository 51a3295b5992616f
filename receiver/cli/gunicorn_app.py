"""gunicorn inside our own command: its settings, its logs in our form, and how signals and metrics are handled."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from prometheus_client.multiprocess import mark_process_dead

from receiver.app import close_app, create_app, start_app
from receiver.cli.exits import Exit
from receiver.cli.gunicorn_worker import ReceiverWorker
from receiver.config import Settings
from receiver.domain.rules.model import RuleSet
from receiver.errors import WrongRules
from receiver.logs import event_logger
from receiver.rules_file import rules_of
from receiver.worker.hangup import heed_hangup

# A worker that has not shown life for this long is killed: threads that hang do not count, only the process does.
WORKER_TIMEOUT_SECONDS = 30
# Longer than nginx keeps idle connections (deploy/nginx): were it us who closes them, a POST could meet the closing and
# be lost. Connections that wait cost next to nothing.
KEEPALIVE_SECONDS = 75
# In memory: a heartbeat file on a slow disk looks like a worker that hangs.
_MEMORY = Path("/dev/shm")  # noqa: S108 - the system's, and gunicorn makes the file's name  # nosec B108
_log = event_logger("serve")


class GunicornApp(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """Serves `create_app(settings)` on `listener`, which it takes over.

    After SIGTERM requests under way get `graceful_seconds`. At SIGHUP the rules file is read again, and new workers
    take over from those that have the old rules.
    """

    def __init__(
        self, settings: Settings, rules: RuleSet, listener: socket.socket, *, graceful_seconds: int
    ) -> None:
        self._settings = settings
        # Read by the master alone: a worker that dies is replaced by one with the rules that are in force, whatever the
        # file holds by then.
        self._rules = rules
        self._graceful_seconds = graceful_seconds
        # From here on gunicorn owns the socket. Said once: at SIGHUP the settings are loaded again.
        self._bind = f"fd://{listener.detach()}"
        super().__init__()

    def load_config(self) -> None:
        """gunicorn's settings. Not from its files and variables: ours are the only ones."""
        for name, value in self._options().items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The application; called in each worker process, after the fork, so that no connection is shared."""
        return create_app(self._settings, rules=self._rules)

    def read_rules_again(self) -> bool:
        """Whether the rules file is good now. If not, it is told why, and nothing changes."""
        try:
            self._rules = rules_of(self._settings)
        except WrongRules as error:
            _log.warning("rules.refused", extra={"problems": error.problems})
            return False
        _log.info("rules.reloaded", extra={"rules": len(self._rules.rules)})
        return True

    def run(self) -> None:
        """Serve until a signal says to stop; ends the process."""
        master = os.getpid()
        try:
            _Arbiter(self).run()
        except SystemExit as ended:
            if os.getpid() != master:
                raise  # the end of a worker process: its status tells the master whether to start another
            # gunicorn's own statuses (3: a worker did not start, 4: no application) mean other things here.
            sys.exit(Exit.FAILED if ended.code else 0)

    def _options(self) -> dict[str, Any]:
        settings = self._settings
        return {
            "bind": self._bind,
            "worker_class": ReceiverWorker,
            "workers": settings.web_workers,
            "worker_connections": settings.web_connections,
            "timeout": WORKER_TIMEOUT_SECONDS,
            "graceful_timeout": self._graceful_seconds,
            "keepalive": KEEPALIVE_SECONDS,
            "limit_request_line": 4094,
            "limit_request_fields": 100,
            "limit_request_field_size": 8190,
            "worker_tmp_dir": str(_MEMORY) if os.access(_MEMORY, os.W_OK) else None,
            "preload_app": False,
            "control_socket_disable": True,
            "accesslog": None,
            "logger_class": _Logger,
            "loglevel": settings.log_level.lower(),
            "proc_name": "receiver",
            "post_worker_init": _begin,
            "worker_exit": _close,
            "child_exit": _forget,
        }


def _begin(worker: ReceiverWorker) -> None:
    if isinstance(worker.app.callable, Flask):
        start_app(worker.app.callable)


def _close(arbiter: Arbiter, worker: ReceiverWorker) -> None:
    if isinstance(worker.app.callable, Flask):
        close_app(worker.app.callable)


def _forget(arbiter: Arbiter, worker: ReceiverWorker) -> None:
    mark_process_dead(worker.pid)


class _Arbiter(Arbiter):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's master. Ctrl-C means what SIGTERM means: requests under way are finished.

    SIGHUP replaces the workers only once the new rules are known to be good.
    """

    def init_signals(self) -> None:
        super().init_signals()
        heed_hangup()

    def handle_int(self) -> None:
        self.handle_term()

    def handle_hup(self) -> None:
        if self.app.read_rules_again():
            super().handle_hup()


class _Logger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's lines through our handler. What a client sent (a broken header, an address) stays out of them."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True

    def warning(self, msg: str, *args: Any, **options: Any) -> None:
        self.error_log.warning(
            msg.partition(": ")[0] if msg.startswith("Invalid request") else msg, *args, **options
        )

    def exception(self, msg: str, *args: Any, **options: Any) -> None:
        self.error_log.error(msg.partition("%")[0].strip(), exc_info=True)
