"""The clothing photographs decoded once, in a cache that is read in a second. No TensorFlow here.

Sources are tried in this order: the folder that ``FMNIST_PHOTOS_DIR`` names; this project's cache; the
project's own folder ``data``, which a students' folder has; the archive from its public host. A folder that is
named is verified each time, and what the cache holds was decoded from the very same files.

The cache is a folder of two files: ``pixels``, the photographs' bytes one after the other (487 MB), and
``index.npz``, what is known of each, with the SHA-256 sum of ``pixels``.
"""

import csv
import hashlib
import io
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from fmnist_utils.support import files, photo_files, progress, sources
from fmnist_utils.support.sources import Arrays, DataError, NotThereError

SIDE = 200  # pixels of the longer side
NAME = f"photographs-{photo_files.COMMIT[:7]}-{SIDE}px"
BESIDE = sources.BESIDE / NAME
_KEYS = ("sender", "label", "kids")
_STEP = 500  # photographs from one line of progress to the next


def load() -> Arrays:
    """The photographs in the order of ``images.csv``, read-only; they are fetched and decoded if need be.

    ``image``: object, shape (n,), of uint8 arrays of shape (height, width, 3), red, green and blue, 0 to 255,
    the longer side 200; their memory is that of a file. ``sender``: int64; ``label``: str; ``kids``: bool.

    Raises:
        DataError: lists what was tried and says what to do; also if the cache cannot be written.
    """
    arrays, _ = _find()
    return arrays


def fetch() -> Path:
    """Bring the cache into being; returns its folder, or the project's own that stands in for it.

    Raises:
        DataError: as ``load``.
    """
    _, place = _find()
    return place


def cache_folder() -> Path:
    """The folder of the decoded photographs, in this project's cache."""
    return photo_files.cache_folder() / NAME


def decode(content: bytes) -> np.ndarray:
    """A photograph upright and in colour, its longer side 200 pixels: uint8, shape (height, width, 3)."""
    with Image.open(io.BytesIO(content)) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    return np.asarray(ImageOps.contain(upright, (SIDE, SIDE)))


def _find() -> tuple[Arrays, Path]:
    named, place = photo_files.named(), cache_folder()
    tried: list[str] = []
    with files.locked(place):
        for kept in (place, BESIDE):
            if arrays := sources.first_of([partial(_read, kept)], tried):
                return arrays, kept
        _make(named or photo_files.archive(tried), place)
    photo_files.archive_file().unlink(missing_ok=True)
    return _read(place), place


def _read(folder: Path) -> Arrays:
    if not folder.is_dir():
        raise NotThereError(f"there is no folder {folder}")
    try:
        with np.load(folder / "index.npz", allow_pickle=False) as stored:
            index = {key: stored[key] for key in (*_KEYS, "shape", "sha256")}
        pixels = np.memmap(folder / "pixels", np.uint8, "r").view(np.ndarray)
    except Exception as error:  # what a damaged file makes NumPy and zipfile raise
        raise DataError(f"the cache {folder} cannot be read ({error})") from error
    if hashlib.sha256(pixels.data).hexdigest() != index["sha256"]:
        raise DataError(f"the cache {folder} is damaged: its pixels are not those that were written")
    arrays = {"image": _cut(pixels, index["shape"])} | {key: index[key] for key in _KEYS}
    for array in arrays.values():
        array.setflags(write=False)
    return arrays


def _cut(pixels: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """One flat array as an array of images, which are views of it."""
    images = np.empty(len(shapes), object)
    ends = np.cumsum(shapes.prod(axis=1) * 3)
    for position, (end, (height, width)) in enumerate(zip(ends, shapes, strict=True)):
        images[position] = pixels[end - height * width * 3 : end].reshape(height, width, 3)
    return images


def _make(source: Path, folder: Path) -> None:
    """Make the cache whole or not at all, in the place of a damaged one."""
    try:
        files.discard(folder)
        files.store(folder, partial(_fill, source))
    except OSError as error:
        raise DataError(
            f"The clothing photographs are good, but their cache {folder} could not be written "
            f"({error.strerror or error}). Make that folder writable, with room for 500 MB, or set "
            "XDG_CACHE_HOME (on Linux) to one that is."
        ) from error


def _fill(source: Path, folder: Path) -> None:
    with photo_files.opened(source) as read:
        rows = _rows(read(photo_files.TABLE))
        line = progress.Line(f"Decoding {len(rows):,} photographs, once …")
        shapes, checksum = [], hashlib.sha256()
        with (folder / "pixels").open("wb") as file:
            for position, row in enumerate(rows):
                if position and position % _STEP == 0:
                    line.update(f"Decoding {len(rows):,} photographs, once: {position:,} …")
                image = decode(read(_name(row)))
                shapes.append(image.shape[:2])
                checksum.update(image.data)
                file.write(image.data)
    index = {
        "sender": np.array([int(row["sender_id"]) for row in rows]),
        "label": np.array([row["label"] for row in rows]),
        "kids": np.array([row["kids"] == "True" for row in rows]),
        "shape": np.array(shapes),
        "sha256": np.array(checksum.hexdigest()),
    }
    np.savez(folder / "index.npz", **index)  # type: ignore[arg-type]  # of a later version's allow_pickle


def _rows(table: bytes) -> list[dict[str, str]]:
    """The rows of ``images.csv`` whose photograph is there."""
    known = photo_files.sums()
    return [row for row in csv.DictReader(io.StringIO(table.decode())) if _name(row) in known]


def _name(row: dict[str, str]) -> str:
    return f"images/{row['image']}.jpg"
