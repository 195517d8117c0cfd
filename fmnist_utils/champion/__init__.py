"""The trained network of lesson 8, which comes with this package; ``champion.md`` is its model card."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

MODEL = Path(__file__).with_name("champion.keras")
CARD = MODEL.with_suffix(".md")
_RESTORE = "Restore it from the repository (git checkout), or install the package anew."


def load(path: Path = MODEL) -> "keras.Model":
    """Read the champion, after its checksum.

    Args:
        path: the model's file; ``.sha256`` beside it has the checksum.

    Returns:
        A ``keras.Model`` in float32, of Keras's own layers: float images in [0, 1] of shape (n, 28, 28, 1) to
        probabilities of the ten classes, (n, 10). It averages ten views of each image inside.

    Raises:
        FileNotFoundError: the model or its checksum is not there.
        ValueError: the file is not the one that was published.
    """
    kept = path.with_suffix(".sha256")
    for needed in (path, kept):
        if not needed.exists():
            raise FileNotFoundError(f"{needed} is missing. {_RESTORE}")
    expected, found = kept.read_text(encoding="utf-8").split()[0], checksum(path)
    if found != expected:
        raise ValueError(
            f"{path} is not the published model: its SHA-256 is {found}, expected {expected}. {_RESTORE}"
        )
    from fmnist_utils.support import saved, startup  # noqa: F401  not before: importing TensorFlow takes seconds

    return saved.load(path)


def checksum(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
