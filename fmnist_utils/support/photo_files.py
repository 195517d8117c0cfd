"""Where the clothing photographs come from, and the proof that they are the real ones.

They are those of Alexey Grigorev's clothing dataset (github.com/alexeygrigorev/clothing-dataset, CC0) at one
commit. Its folder ``images`` has 5,756 JPEGs and its ``images.csv`` 5,403 rows; 5 rows, labelled "Skip", have
no file, and 358 files have no row, so nobody says what they show. What is used are the 5,398 that have both, by
348 senders. No two of them are the same file; but 37 and 53 sent the same photograph, saved twice, and call it
"Shorts" and "Skirt". None says how its camera was held, and all are in colour.

``photographs.sha256`` lists the SHA-256 sums of these files and of ``images.csv``, in the format of
``sha256sum``; its own sum stands here. A source is a folder with these files, a clone or an archive unpacked,
or the archive itself, which is never unpacked: each file is read from it by its name. What a source has
besides is not looked at. ``photo_cache`` says in which order sources are tried.
"""

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_cache_path

from fmnist_utils.support import files, resuming, sources
from fmnist_utils.support.sources import DataError

COMMIT = "7ed86a9cc56763b6acb35e41cb35184e43a5d218"
REPOSITORY = "https://github.com/alexeygrigorev/clothing-dataset"
ARCHIVE = f"{REPOSITORY}/archive/{COMMIT}.zip"
LARGEST_ARCHIVE = 200_000_000  # bytes; it holds 161 MB, and JPEGs cannot be compressed further
LARGEST_FILE = 400_000  # bytes; of the files on the list, images.csv is the largest, with 291,660
TABLE = "images.csv"
SUMS = Path(__file__).with_name("photographs.sha256")
SUMS_SHA256 = "1a843b777bff7ab3dc1e65b8d551ca208da011ad36ac033f8f507d68d59f6ff1"

Read = Callable[[str], bytes]  # gives the content of a file on the list, by its name there


def named() -> Path | None:
    """The folder, or the archive, that ``FMNIST_PHOTOS_DIR`` names, verified; None if it names none.

    Raises:
        DataError: says which file is missing or is another.
    """
    if not (given := os.environ.get("FMNIST_PHOTOS_DIR")):
        return None
    sums()  # before: a bad list is not the folder's fault
    source = files.place(given)
    try:
        verify(source)
    except DataError as error:
        raise DataError(
            f"{error}\nFMNIST_PHOTOS_DIR names it, so no other source was tried. Let it name a clone of "
            f"{REPOSITORY} at commit {COMMIT}, or the folder of its unpacked archive, or do not set it."
        ) from error
    return source


def archive(tried: list[str]) -> Path:
    """The archive, verified, in this project's cache; it is downloaded or gone on with if need be.

    Raises:
        DataError: lists what was tried, first the lines of ``tried``, and says what to do.
    """
    sums()  # before: with a bad list, each archive would look bad, and be deleted
    path = sources.first_of([_from_host], tried)
    if path is None:
        raise DataError(
            "The clothing photographs (161 MB) could not be found. Tried, in this order:\n"
            + "\n".join(f"  - {line}" for line in tried)
            + f"\nBring {ARCHIVE} by another way, unpack it, and set FMNIST_PHOTOS_DIR to the folder with "
            f"{TABLE}; or clone {REPOSITORY}, check out {COMMIT}, and set it to that clone."
        )
    return path


def archive_file() -> Path:
    """Where the archive is kept from its download until its photographs are in the cache."""
    return cache_folder() / f"clothing-dataset-{COMMIT}.zip"


def cache_folder() -> Path:
    """This project's folder among the user's caches."""
    return user_cache_path("fmnist_utils", appauthor=False)


def verify(source: Path) -> None:
    """Compare each file on the list with its sum, in a folder or an archive.

    Raises:
        DataError: names the first that is missing or is another.
    """
    with opened(source) as read:
        for name in sums():
            read(name)


@contextmanager
def opened(source: Path) -> Iterator[Read]:
    """A function that reads files on the list from a folder or an archive, and verifies each.

    Raises:
        DataError: the source cannot be read; from the function: a file is missing or is another.
    """
    expected = sums()
    if source.is_file():
        with _opened_archive(source) as unpacked:
            yield lambda name: _same(_from_archive(unpacked, name), expected[name], f"{name} in {source}")
    else:
        yield lambda name: _same(_from_folder(source, name), expected[name], str(source / name))


def sums() -> dict[str, str]:
    """The SHA-256 sums by the names of the files, as ``images/….jpg``, sorted.

    Raises:
        DataError: the list that came with this package is missing or is another.
    """
    restore = "Restore it from the repository (git checkout), or install the package anew."
    try:
        text = SUMS.read_bytes().replace(b"\r\n", b"\n")  # as git for Windows may have written its lines
    except OSError as error:
        raise DataError(f"The list {SUMS} cannot be read ({error.strerror}). {restore}") from error
    if hashlib.sha256(text).hexdigest() != SUMS_SHA256:
        raise DataError(f"The list {SUMS} is not the one that this package came with. {restore}")
    return {name: checksum for checksum, name in (line.split("  ") for line in text.decode().splitlines())}


def _from_host() -> Path:
    path = archive_file()
    if not path.is_file():
        resuming.download(ARCHIVE, path, LARGEST_ARCHIVE, "the clothing photographs (161 MB)")
    try:
        verify(path)
    except DataError as error:
        path.unlink()
        raise DataError(f"{error}; what came from {ARCHIVE} was deleted") from error
    return path


def _same(content: bytes, checksum: str, where: str) -> bytes:
    if hashlib.sha256(content).hexdigest() == checksum:
        return content
    held = f"more than {LARGEST_FILE:,}" if len(content) > LARGEST_FILE else f"{len(content):,}"
    raise DataError(
        f"{where} is not the file of commit {COMMIT[:7]}: the SHA-256 sum of its {held} bytes is another; "
        "it was cut off or changed"
    )


def _from_folder(folder: Path, name: str) -> bytes:
    path = folder / name
    try:
        if not path.is_file():  # to read a pipe may take for ever
            raise DataError(f"there is no file {path}")
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from error
    return content.replace(b"\r\n", b"\n") if name == TABLE else content  # a clone by git for Windows


@contextmanager
def _opened_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        unpacked = zipfile.ZipFile(path)
    except Exception as error:  # what a damaged archive makes zipfile raise
        raise DataError(f"{path} is no sound archive ({error})") from error
    with unpacked:
        yield unpacked


def _from_archive(unpacked: zipfile.ZipFile, name: str) -> bytes:
    """A file by its full name: what else an archive holds, wherever that wants to be, is not touched."""
    try:
        with unpacked.open(f"clothing-dataset-{COMMIT}/{name}") as file:
            return file.read(LARGEST_FILE + 1)  # a small one may unpack to any size
    except Exception as error:  # it is not there, and what a damaged archive makes zipfile raise
        raise DataError(f"{unpacked.filename} has no sound {name} ({error})") from error
