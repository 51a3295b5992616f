"""This release migrates while the one before runs, and takes its place."""

from __future__ import annotations

import io
import signal
import subprocess
import tarfile
from pathlib import Path

from sqlalchemy import text

from faults.kinds.schema import STOPS_WITHIN_SECONDS, only_alerts_go_on, workers
from faults.stack import Stack
from receiver.storage.migrate import newest_revision, upgrade
from tests.fakes.polling import wait_until
from tests.fakes.processes import BIN, Process, environment
from tests.fakes.tools import ROOT

STARTS_WITHIN_SECONDS = 60.0
_PARTS = ("receiver", "migrations", "sql")


class ReleaseBeforeStack(Stack):
    """Begins with the schema and the processes of the release before: its code comes before this one's."""

    def _migrate(self) -> None:
        tree = self.folder / "release-before"
        export(release_before(), tree)
        self.variables["PYTHONPATH"] = str(tree)
        settings = environment(self.variables | {"RECEIVER_DATABASE_URL": self.url})
        command: list[str | Path] = [BIN / "receiver", "db", "upgrade"]
        with Process(command, folder=self.folder / "upgrade", env=settings, name="upgrade") as process:
            assert process.wait(60) == 0, process.output()

    def renew(self) -> None:
        """What is started from now on is of this release."""
        del self.variables["PYTHONPATH"]
        del self._environment["PYTHONPATH"]


def upgrade_under_the_release_before(stack: ReleaseBeforeStack, seconds: float) -> None:
    """Its web processes go on taking alerts in the new schema, its workers stop; then this release starts."""
    started_with = revision(stack)
    assert started_with != newest_revision(), "the release before has this one's schema"
    running = workers(stack)
    with stack.trouble("tables are being changed"):
        upgrade(stack.engine)
    stack.note("migrated", of=started_with, to=revision(stack))
    only_alerts_go_on(stack, running, seconds)
    stack.renew()
    serve = stack.processes["serve"]
    stack.send("serve", signal.SIGTERM)
    wait_until(lambda: stack.processes["serve"] is not serve, STOPS_WITHIN_SECONDS, "a new receiver")
    stack.processes["serve"].wait_for_http(f"http://{stack.address}/readyz", STARTS_WITHIN_SECONDS)
    wait_until(
        lambda: all(map(_works, workers(stack).values())),
        STARTS_WITHIN_SECONDS,
        "this release's workers",
    )


def revision(stack: Stack) -> str:
    """The schema's."""
    with stack.engine.connect() as connection:
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())


def release_before(root: Path = ROOT) -> str:
    """The commit before the one that brought the newest migration to the checkout at `root`.

    Raises OSError or subprocess.CalledProcessError where the history is not here, or no git.
    """
    newest = f"migrations/versions/{newest_revision()}*.py"
    brought = _git(root, "log", "-1", "--diff-filter=A", "--format=%H", "--", newest).decode().strip()
    return _git(root, "rev-parse", "--verify", f"{brought}^").decode().strip()


def export(commit: str, folder: Path, root: Path = ROOT) -> None:
    """Lay what runs of `commit` into `folder`."""
    with tarfile.open(fileobj=io.BytesIO(_git(root, "archive", commit, *_PARTS))) as archive:
        archive.extractall(folder, filter="data")


def why_impossible() -> str:
    """Where the history is not here."""
    try:
        release_before()
    except (OSError, subprocess.CalledProcessError):
        return "it needs git and the history with the release before"
    return ""


def _git(root: Path, *words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=root, capture_output=True, check=True).stdout


def _works(process: Process) -> bool:
    """Whether the worker that was started last is at work: before it, in the same log, others were refused."""
    last = process.output().rpartition("worker.started")[2]
    return process.returncode() is None and "worker.started" in process.output() and "outdated" not in last
