"""Files and folders that appear whole or not at all, and where the project is. No TensorFlow here.

What is renamed into its place has been flushed to disk before: after a crash a file is the old one or the new
one, never an empty one. No permission is ever changed, since some shares refuse that.
"""

import errno
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

PROJECT = Path(__file__).resolve().parents[2]
# What to do where the package was installed without the rest.
CLONE = "clone it, and set it up there with make setup or python setup_venv.py"
_PATIENCE = 10.0  # seconds, for a network's file system to show what was renamed
_NO_FLUSHING = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)  # some network file systems


class UnreadableError(RuntimeError):
    """A file is missing or does not hold what it should; the message names it and says what is wrong."""


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A name beside ``path`` to write a file to, which then takes its place, or is gone if that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(path)
    try:
        yield beside
        _flush(beside)
        os.replace(beside, path)
    except BaseException as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None  # a full disk names none
        raise
    _flush(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with whole(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """``write_text`` for anything that JSON holds."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def read_json(path: Path, kind: type = object) -> Any:
    """The content of a JSON file.

    Raises:
        UnreadableError: it is missing, empty, no JSON, or not of this kind (``dict`` or ``list``).
    """
    text = " "
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text)
    except FileNotFoundError:
        raise UnreadableError(f"{path} is missing") from None
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:  # of the encoding or of JSON
        raise UnreadableError(f"{path} {f'is no JSON ({error})' if text else 'is empty'}") from None
    if not isinstance(content, kind):
        raise UnreadableError(f"{path} holds {text.strip()[:20]} and no {kind.__name__}")
    return content


def require(content: Mapping[str, Any], path: Path, **kinds: Any) -> None:
    """Raise an ``UnreadableError`` unless a JSON file's content has these names with values of these types."""
    for name, kind in kinds.items():
        if not isinstance(content.get(name), kind):
            raise UnreadableError(f"{path} has no sound {name}: {content.get(name)!r:.40}")


def place(named: str | Path) -> Path:
    """A path that somebody has given, absolute; nothing need be there, and no user of a ``~user``."""
    return Path(os.path.realpath(os.path.expanduser(named)))


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """Keep other processes from making ``target`` meanwhile: they wait, and then find it made.

    Where the file system has no locks, nobody waits: several may make it, and ``store`` keeps the first.
    """
    path = target.parent / f".{target.name}.lock"
    lock = FileLock(path, fallback_to_soft=False)  # a mark that a killed process leaves would lock for ever
    with suppress(OSError):
        target.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        if lock.is_locked:
            lock.release()
        with suppress(OSError):  # Windows does not delete what is open
            path.unlink()


def store(target: Path, fill: Callable[[Path], None]) -> Path:
    """Make the folder ``target`` whole or not at all, and return it.

    ``fill`` writes the content into the folder it is given. If another process was first, its folder stays.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(target)
    beside.mkdir()
    try:
        fill(beside)
        for path in (*beside.rglob("*"), beside):
            _flush(path)
        beside.rename(target)
    except BaseException as error:
        shutil.rmtree(beside, ignore_errors=True)
        if isinstance(error, OSError) and target.is_dir():
            return target
        raise
    _flush(target.parent)
    until = time.monotonic() + _PATIENCE
    while not target.is_dir() and time.monotonic() < until:
        time.sleep(0.1)
    return target


def discard(folder: Path) -> None:
    """Delete a folder, renamed first, so that at no moment a half of it stands in its place."""
    if folder.is_dir():
        aside = _beside(folder)
        folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)  # what is open in it is left for another time


def set_aside(folder: Path) -> Path:
    """Move a folder that cannot be used out of its run's way, to ``aside`` there; returns its place."""
    aside = folder.parent.with_name("aside") / f"{folder.name}-{uuid.uuid4().hex[:8]}"
    aside.parent.mkdir(exist_ok=True)
    return folder.rename(aside)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")


def _flush(path: Path) -> None:
    """Have the system write a file to disk now; a folder's list of names as well, where it can do that."""
    is_folder = path.is_dir()
    try:
        descriptor = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if not is_folder and error.errno not in _NO_FLUSHING:
            raise
