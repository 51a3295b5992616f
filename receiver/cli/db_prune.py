"""`receiver db prune` and `receiver db archive`: what is older than the settings say."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import click
from sqlalchemy import Engine

from receiver.cli.db_engine import database
from receiver.cli.exits import Exit
from receiver.clock import isoformat
from receiver.config import Settings
from receiver.errors import ArchiveFailed
from receiver.services.archive import ArchivingSweep, Target, sweep_through
from receiver.services.archive_file import check as check_archive
from receiver.services.retention import cutoffs_now, survey
from receiver.services.retention import prune as prune_database

_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(short_help="Remove what is old, into an archive first if wanted.")
@click.option("--dry-run", is_flag=True, help="Only tell how much may go.")
@click.option(
    "--archive-to",
    type=_FOLDER,
    metavar="DIR",
    help="Archive it there first, and remove what is archived.  [default: RECEIVER_ARCHIVE_DIR]",
)
def prune(dry_run: bool, archive_to: Path | None) -> None:
    """Remove what is older than the RECEIVER_KEEP_... settings say, slowly enough for intake not to notice.

    A worker does the same by itself every RECEIVER_HOUSEKEEPING_HOURS. It can be stopped at any time, and repeated.
    """
    with database() as (settings, engine):
        if dry_run:
            _tell(survey(engine, cutoffs_now(engine, settings)), "may go")
            return
        folder = archive_to or settings.archive_dir
        if folder is None:
            has_broker = settings.broker_url is not None
            rows = prune_database(engine, cutoffs_now(engine, settings), has_broker=has_broker)
        else:
            rows = _archive(engine, settings, Target(folder, removes=True))
    _tell(rows, "removed")


@click.command(short_help="Write what is old into files, or check such files.")
@click.option(
    "--to", "folder", type=_FOLDER, metavar="DIR", help="Where to.  [default: RECEIVER_ARCHIVE_DIR]"
)
@click.option("--check", is_flag=True, help="Only prove that FILES are whole.")
@click.argument("files", type=_FILE, nargs=-1)
def archive(folder: Path | None, check: bool, files: tuple[Path, ...]) -> None:
    """Write what `receiver db prune` would remove into compressed files, and remove nothing.

    docs/operations.md describes the files. `--check FILES` proves each whole: nothing cut off, nothing changed. Exit
    status 1 if one is not.
    """
    if check != bool(files) or (check and folder):
        raise click.UsageError("either --check FILES, or --to DIR")
    if check:
        _check(files)
        return
    with database() as (settings, engine):
        target = folder or settings.archive_dir
        if target is None:
            raise click.UsageError("say where to: --to DIR, or RECEIVER_ARCHIVE_DIR")
        _tell(_archive(engine, settings, Target(target, removes=False)), "archived")


def _archive(engine: Engine, settings: Settings, target: Target) -> Counter[str]:
    has_broker = settings.broker_url is not None
    sweep = ArchivingSweep(engine, cutoffs_now(engine, settings), target, has_broker=has_broker)
    try:
        sweep_through(sweep)
    finally:
        for file in sweep.files:
            click.echo(file)
    return sweep.rows


def _check(files: Iterable[Path]) -> None:
    are_whole = True
    for file in files:
        try:
            contents = check_archive(file)
        except ArchiveFailed as failure:
            click.echo(failure, err=True)
            are_whole = False
            continue
        click.echo(f"{file} is whole, made at {isoformat(contents.header.made_at)}:")
        _tell(contents.rows, "in it")
    if not are_whole:
        sys.exit(Exit.FAILED)


def _tell(rows: Counter[str], done: str) -> None:
    lines = [f"{number:,} {name} {done}" for name, number in sorted(rows.items()) if number]
    click.echo("\n".join(lines) or "Nothing.")
