"""Where the four Fashion-MNIST files come from, and the proof that they are the real ones.

Sources are tried in this order: a folder named by the caller or ``FMNIST_DATA_DIR``; this project's
verified cache; the project's own folder ``data``, which a students' folder has; Keras's cache; a system
copy; a download through Keras; Debian's package. The decompressed content of each file is compared with the
SHA-256 sum of the official release before use.
"""

import gzip
import hashlib
import logging
import os
import shutil
import struct
import subprocess
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TypeVar

import numpy as np
from platformdirs import user_cache_path

from fmnist_utils.support import downloads, environment, files

log = logging.getLogger("fmnist_utils")

Arrays = dict[str, np.ndarray]
T = TypeVar("T")
BESIDE = files.PROJECT / "data"  # of the package: there in the folder that `batch/classroom.py` makes


class DataError(RuntimeError):
    """The data, or one of its files, is missing or is not what it should be."""


class DataWarning(UserWarning):
    """A source of the data was passed over, or the cache could not be written."""


@dataclass(frozen=True)
class IdxFile:
    """One of the four files: its name without ``.gz``, its shape, the SHA-256 of its content."""

    name: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def header(self) -> bytes:
        """The IDX header: two zero bytes, type uint8, number of axes, the axes as big-endian uint32."""
        return struct.pack(f">BBBB{len(self.shape)}I", 0, 0, 8, len(self.shape), *self.shape)


FILES = {
    "train_images": IdxFile(
        "train-images-idx3-ubyte",
        (60_000, 28, 28),
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    "train_labels": IdxFile(
        "train-labels-idx1-ubyte",
        (60_000,),
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    "test_images": IdxFile(
        "t10k-images-idx3-ubyte",
        (10_000, 28, 28),
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ),
    "test_labels": IdxFile(
        "t10k-labels-idx1-ubyte",
        (10_000,),
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
}


def load_arrays(directory: str | Path | None = None) -> Arrays:
    """The four uint8 arrays, verified, under the keys of ``FILES``, from the first source that has them.

    ``directory`` has the four IDX files, gzipped or not; ``FMNIST_DATA_DIR`` stands in for it. A folder that
    is named is the only source: if it is bad, nothing else is tried.

    Raises:
        DataError: says which file is wrong, where it was looked for and what to do.
    """
    arrays, place = _find(directory)
    if place is None:
        try:
            write_cache(arrays)
        except DataError as error:
            consequence = "Until then the data is read from its source each time."
            warnings.warn(f"{error} {consequence}", DataWarning, stacklevel=2)
    return arrays


def fetch() -> Path:
    """Bring the verified cache into being; returns its file, or the folder that stands in for it, checked.

    That is the one that ``FMNIST_DATA_DIR`` names, or the project's own.

    Raises:
        DataError: as ``load_arrays``; also if the cache cannot be written.
    """
    arrays, place = _find(None)
    return place or write_cache(arrays)


def cache_file() -> Path:
    """This project's cache: one uncompressed ``.npz`` in the user's cache folder."""
    return user_cache_path("fmnist_utils", appauthor=False) / "fashion-mnist.npz"


def read_folder(folder: Path) -> Arrays:
    """The four arrays from a folder of IDX files, each verified.

    Raises:
        DataError: names the first file that is missing, cut off, swapped or other than the release.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder. Expected there: {_expected_names()}.")
    return {key: _read_idx(folder, file) for key, file in FILES.items()}


def read_cache() -> Arrays:
    """The four arrays from the cache, verified.

    Raises:
        DataError: the cache is cut off, incomplete or holds something else.
    """
    path = cache_file()
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in FILES}
    except (OSError, ValueError, KeyError, EOFError, zlib.error) as error:
        raise DataError(f"the cache {path} cannot be read ({error})") from error
    except Exception as error:  # zipfile.BadZipFile and what a damaged archive makes zipfile raise
        raise DataError(f"the cache {path} is damaged ({error})") from error
    for key, file in FILES.items():
        if _sha256(file.header, arrays[key]) != file.sha256:
            raise DataError(f"the cache {path} holds other {key.replace('_', ' ')} than Fashion-MNIST's")
        arrays[key].setflags(write=False)  # as those read from IDX files are
    return arrays


def write_folder(arrays: Arrays, folder: Path) -> None:
    """Write the four gzipped IDX files of the official release; ``read_folder`` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    for key, file in FILES.items():
        content = gzip.compress(file.header + arrays[key].tobytes(), compresslevel=6, mtime=0)
        (folder / f"{file.name}.gz").write_bytes(content)


def write_cache(arrays: Arrays) -> Path:
    """Write the cache beside its place and rename it into it: two processes may do so at once.

    Raises:
        DataError: the folder cannot be written; nothing is left behind.
    """
    path = cache_file()
    try:
        with files.whole(path) as beside, beside.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # of a later version's allow_pickle
    except OSError as error:
        raise DataError(
            f"The data is good, but its cache {path} could not be written ({error.strerror or error}). "
            "Make that folder writable, or set XDG_CACHE_HOME (on Linux) to one that is."
        ) from error
    return path


def _named(directory: str | Path | None) -> Path | None:
    named = directory or os.environ.get("FMNIST_DATA_DIR")
    return files.place(named) if named else None


def _find(directory: str | Path | None) -> tuple[Arrays, Path | None]:
    """The arrays, and where they lie if they can be found there the next time without being cached."""
    if named := _named(directory):
        try:
            return read_folder(named), named
        except DataError as error:
            raise DataError(
                f"{error}\nThis folder was named by the caller or by FMNIST_DATA_DIR, so no other source "
                "was tried. Put the four official files there, or do not name a folder."
            ) from error
    tried: list[str] = []
    try:
        if cache_file().exists():
            return read_cache(), cache_file()
    except (DataError, OSError) as error:
        _pass_over(str(error), tried)
    if any((BESIDE / f"{file.name}.gz").exists() for file in FILES.values()):  # many a folder is called data
        try:
            return read_folder(BESIDE), BESIDE
        except (DataError, OSError) as error:
            _pass_over(str(error), tried)
    found = first_of(
        (
            _from_keras_cache,
            lambda: _read_existing(downloads.SYSTEM_DIR, "the system copy"),
            lambda: _download("through Keras", downloads.with_keras),
            _from_debian,
        ),
        tried,
    )
    if found is not None:
        return found, None
    raise DataError(
        "Fashion-MNIST could not be found. Tried, in this order:\n"
        + "\n".join(f"  - {line}" for line in [f"the cache {cache_file()}", *tried])
        + f"\nPut the four files ({_expected_names()}) from the official release into a folder and set "
        f"FMNIST_DATA_DIR to it, or install Debian's package {downloads.PACKAGE}."
    )


class NotThereError(DataError):
    """A source is absent, which is no fault worth a warning."""


def first_of(ways: Iterable[Callable[[], T]], tried: list[str]) -> T | None:
    """What the first source gives that gives something; ``tried`` gets a line for each that does not.

    Each raises ``NotThereError`` where there is nothing; ``DataError`` or ``OSError`` for what is bad, which is
    worth a warning.
    """
    for way in ways:
        try:
            return way()
        except NotThereError as absence:
            tried.append(str(absence))
        except (DataError, OSError) as error:
            _pass_over(str(error), tried)
    return None


def _pass_over(reason: str, tried: list[str]) -> None:
    tried.append(reason)
    warnings.warn(f"{reason}. Trying the next source.", DataWarning, stacklevel=4)


def _from_keras_cache() -> Arrays:
    return _read_existing(environment.keras_home() / "datasets" / "fashion-mnist", "Keras's cache")


def _read_existing(folder: Path, what: str) -> Arrays:
    if not folder.is_dir():
        raise NotThereError(f"{what}: there is no {folder}")
    return read_folder(folder)


def _from_debian() -> Arrays:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise NotThereError(f"Debian's package {downloads.PACKAGE}: this system has no apt-get")
    return _download(f"as Debian's package {downloads.PACKAGE}", downloads.with_apt)


def _download(how: str, fill: Callable[[Path], Path]) -> Arrays:
    """Download into a folder of this process's own, which is gone afterwards whatever happens."""
    log.info("Downloading Fashion-MNIST (30 MB) %s …", how)
    with tempfile.TemporaryDirectory(prefix="fashion-mnist-") as folder:
        try:
            return read_folder(fill(Path(folder)))
        except (OSError, subprocess.SubprocessError) as error:
            raise NotThereError(f"a download {how}: {downloads.last_line(error)}") from error


def _read_idx(folder: Path, file: IdxFile) -> np.ndarray:
    zipped, plain = folder / f"{file.name}.gz", folder / file.name
    path = zipped if zipped.exists() else plain
    if path.exists() and not path.is_file():
        raise DataError(f"{path} is no file")  # to read a pipe or a device may take for ever
    largest = max(len(one.header) + prod(one.shape) for one in FILES.values())
    try:
        with gzip.open(path) if path is zipped else path.open("rb") as opened:
            content = opened.read(largest + 1)  # a small file may unpack to any size
    except FileNotFoundError:
        raise DataError(f"{zipped} is missing (also without .gz). Expected: {_expected_names()}") from None
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path} is cut off or damaged ({error}). Delete it and fetch it again") from error
    except gzip.BadGzipFile as error:
        raise DataError(f"{path} is no sound gzip file ({error}). Delete it and fetch it again") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise DataError(f"{path} is not Fashion-MNIST's: {_diagnose(content, file)}")
    return np.frombuffer(content, np.uint8, offset=len(file.header)).reshape(file.shape)


def _diagnose(content: bytes, file: IdxFile) -> str:
    """What a file with the wrong checksum holds instead, as far as its content tells."""
    checksum = hashlib.sha256(content).hexdigest()
    for other in FILES.values():
        if checksum == other.sha256:
            return f"it holds the content of {other.name}; the files have been swapped"
    size = len(file.header) + prod(file.shape)
    if not content.startswith(file.header):
        return f"its header is not that of an IDX file of shape {file.shape}"
    if len(content) != size:
        return f"it holds {len(content):,} bytes of {size:,}; it was cut off or added to"
    if len(file.shape) == 1 and len(set(np.bincount(np.frombuffer(content[8:], np.uint8)))) > 1:
        return "its classes are not of equal size; plain MNIST has files of the same name"
    return "shape and size are right, the content is not; plain MNIST has files of the same name"


def _sha256(header: bytes, array: np.ndarray) -> str:
    checksum = hashlib.sha256(header)
    checksum.update(np.ascontiguousarray(array).data)
    return checksum.hexdigest()


def _expected_names() -> str:
    return ", ".join(f"{file.name}.gz" for file in FILES.values())
