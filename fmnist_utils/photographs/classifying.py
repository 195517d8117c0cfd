"""Photographs found, and classified by the champion. TensorFlow is loaded when it is first asked."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fmnist_utils import champion, data
from fmnist_utils.photographs import preparing
from fmnist_utils.photographs.reading import PhotographError
from fmnist_utils.support import cores, files, limits

if TYPE_CHECKING:
    import keras

# Of pictures in a folder. Pillow reads no .heic, which iPhones write: that is said of each, not passed over.
ENDINGS = {
    *(".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
}
LIKELIEST = 3  # classes in an answer
_BATCH = 50  # photographs that the champion is asked about at once; of each it looks at ten views
_AHEAD = 100  # photographs that are read before they are asked for, at most
_MEMORY = 2**30  # bytes for reading one: 4 for each pixel of the largest, and as many for what is made of it


@dataclass(frozen=True)
class Answer:
    """What the champion says of a photograph, or why it was not asked.

    Attributes:
        path: the photograph.
        fault: why it could not be read, the rest of a sentence that begins with "it"; else empty.
        steps: what ``preparing.steps`` made of it; the champion saw the last. Empty if it could not be read.
        likeliest: the three likeliest classes, the first of which is the answer, each with the champion's
            probability, 0 to 1. Empty if it could not be read.
    """

    path: Path
    fault: str = ""
    steps: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    likeliest: tuple[tuple[str, float], ...] = ()


def listed(asked: Iterable[Path]) -> list[Path]:
    """The photographs that are asked for: files as they are named, of a folder its pictures, by name.

    What counts in a folder has one of ``ENDINGS``, in either case; hidden files and folders inside do not. A
    folder in which nothing counts stays in the list, and so does what is not there: ``classify`` says so.
    """
    return [photograph for path in asked for photograph in _pictures(path) or [path]]


def _pictures(folder: Path) -> list[Path]:
    """The pictures in a folder; none if it cannot be read, or is none."""
    with suppress(OSError):
        inside = [path for path in folder.iterdir() if path.suffix.lower() in ENDINGS]
        return sorted(path for path in inside if not path.name.startswith("."))
    return []


def classify(photographs: Sequence[Path]) -> Iterator[Answer]:
    """The champion's answers, one for each photograph and in their order, as soon as they are known.

    They are read by several threads, and no more than some hundred are in memory. One that cannot be read
    stops no other.

    Raises:
        UnreadableError: the champion is missing or damaged.
    """
    pool = ThreadPoolExecutor(max(1, min(cores.available(), limits.memory() // _MEMORY)))
    try:
        read = _read_ahead(pool, photographs)
        while batch := list(islice(read, _BATCH)):
            yield from _answered(batch)
    finally:
        pool.shutdown(cancel_futures=True)


def _read_ahead(pool: ThreadPoolExecutor, photographs: Sequence[Path]) -> Iterator[Answer]:
    """Photographs in their order, read by the threads of a pool while the champion is asked."""
    waiting = deque(pool.submit(_read, path) for path in photographs[:_AHEAD])
    for path in photographs[_AHEAD:]:
        yield waiting.popleft().result()
        waiting.append(pool.submit(_read, path))
    while waiting:
        yield waiting.popleft().result()


def _read(path: Path) -> Answer:
    """A photograph with its steps or its fault; nothing is answered yet."""
    if path.is_dir():
        return Answer(path, "is a folder without pictures, or one that cannot be read")
    try:
        return Answer(path, steps=preparing.steps(path))
    except PhotographError as error:
        return Answer(path, str(error).removeprefix(f"{path} "))


def _answered(batch: list[Answer]) -> list[Answer]:
    """The same with the likeliest classes, where there is a photograph."""
    pictures = [list(answer.steps.values())[-1] for answer in batch if not answer.fault]
    if not pictures:
        return batch
    rows = iter(_champion().predict_on_batch(data.rescale(np.stack(pictures))))
    return [answer if answer.fault else replace(answer, likeliest=_likeliest(next(rows))) for answer in batch]


def _likeliest(probabilities: np.ndarray) -> tuple[tuple[str, float], ...]:
    """The names and probabilities of the likeliest classes; ``probabilities`` are float32, shape (10,)."""
    order = np.argsort(-probabilities)[:LIKELIEST]
    return tuple((data.CLASS_NAMES[position], float(probabilities[position])) for position in order)


@cache
def _champion() -> "keras.Model":
    try:
        return champion.load()
    except (FileNotFoundError, ValueError) as error:  # its message says what to do
        raise files.UnreadableError(str(error)) from error
