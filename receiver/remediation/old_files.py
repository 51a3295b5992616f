"""Finds and removes old files below a folder, through open folders only, so that nothing leads out of it.

Every folder is opened by its name within the open one above it, never through a symbolic link and never onto another
file system. Between looking and removing, somebody may put anything in the place of anything: what is removed is a
name in a folder that is known to lie where it should, and no link is followed.
"""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from receiver.errors import DeliveryFailed

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Deeper than any tree of logs; a limit, because each level keeps a folder open.
DEEPEST = 32


@dataclass(frozen=True, slots=True)
class OldFile:
    """A file by its path below the folder, with the size in bytes that removing it gives back."""

    path: str
    size: int


@contextmanager
def opened(root: Path, path: Path) -> Iterator[int]:
    """The folder `path`, which is `root` or lies below it, open. Raises DeliveryFailed where a link leads out of it."""
    handles = []
    try:
        handles.append(os.open(root, _FOLDER))
        mount = _mount(handles[0])
        for part in path.relative_to(root).parts:
            handles.append(os.open(part, _FOLDER, dir_fd=handles[-1]))
            if _mount(handles[-1]) != mount:
                raise DeliveryFailed("the folder is another mount than the allowed one", permanent=True)
        yield handles[-1]
    except OSError as error:
        failure = DeliveryFailed(
            f"the folder cannot be opened without links ({error.strerror})", permanent=True
        )
    else:
        return
    finally:
        for handle in handles:
            os.close(handle)
    raise failure


def old_files(folder: int, pattern: str, before: float, most: int) -> list[OldFile]:
    """Ordinary files in and below the open folder, last changed before the Unix time `before`, `most` of them.

    `pattern` (as in a shell) is for the file's name. What cannot be read is left out.
    """
    found: list[OldFile] = []
    for path, handle in _folders(folder, "", _mount(folder), 0):
        for name in _names(handle):
            if len(found) >= most:
                return found
            size = _old_size(handle, name, before) if fnmatch.fnmatchcase(name, pattern) else None
            if size is not None:
                found.append(OldFile(path + name, size))
    return found


def remove(folder: int, files: list[OldFile], before: float) -> tuple[int, int, int]:
    """Remove these, if they are as old still: how many, how many bytes, and how many could not be removed."""
    count = size = failed = 0
    for file in files:
        try:
            if _remove(folder, file.path, before):
                count, size = count + 1, size + file.size
        except OSError:
            failed += 1
    return count, size, failed


def _remove(folder: int, path: str, before: float) -> bool:
    *parts, name = path.split("/")
    handle, mount = os.dup(folder), _mount(folder)
    try:
        for part in parts:
            inner = os.open(part, _FOLDER, dir_fd=handle)
            os.close(handle)
            handle = inner
        if _mount(handle) != mount or _old_size(handle, name, before) is None:
            return False
        os.unlink(name, dir_fd=handle)
    except FileNotFoundError:
        return False
    finally:
        os.close(handle)
    return True


def _folders(handle: int, path: str, mount: tuple[int, str], depth: int) -> Iterator[tuple[str, int]]:
    """The open folder and all below it on the same mount, each with its path (with a / at its end)."""
    yield path, handle
    if depth >= DEEPEST:
        return
    for name in _names(handle):
        try:
            inner = os.open(name, _FOLDER | os.O_NONBLOCK, dir_fd=handle)
        except OSError:  # no folder, a link, or not ours to read
            continue
        try:
            if _mount(inner) == mount:
                yield from _folders(inner, f"{path}{name}/", mount, depth + 1)
        finally:
            os.close(inner)


def _names(handle: int) -> list[str]:
    return sorted(os.listdir(handle))


def _mount(handle: int) -> tuple[int, str]:
    """The file system that an open folder is on, and on Linux the mount: a bind mount has the device of its source."""
    number = ""
    with suppress(OSError):
        lines = Path(f"/proc/self/fdinfo/{handle}").read_text().splitlines()
        number = next((line for line in lines if line.startswith("mnt_id:")), "")
    return os.fstat(handle).st_dev, number


def _old_size(handle: int, name: str, before: float) -> int | None:
    """The size of an ordinary file that was last changed before then; None for anything else."""
    try:
        facts = os.stat(name, dir_fd=handle, follow_symlinks=False)
    except OSError:
        return None
    if not stat.S_ISREG(facts.st_mode) or max(facts.st_mtime, facts.st_ctime) >= before:
        return None
    return facts.st_size
