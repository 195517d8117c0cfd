"""Fashion-MNIST as arrays: load, split, rescale, near-duplicates. NumPy and scikit-learn, no TensorFlow."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fmnist_utils import runs
from fmnist_utils.support import sources
from fmnist_utils.support.sources import FILES  # noqa: F401  their names and checksums, for the first lesson

CLASS_NAMES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
IMAGE_SHAPE = (28, 28)
VALIDATION_SIZE = 5_000
_CHUNK = 1_000  # images whose neighbours are looked for at once
_COMPONENTS = 64  # principal components that tell which pairs may be close


@dataclass(frozen=True)
class Split:
    """Images with their labels.

    Attributes:
        images: uint8, shape (n, 28, 28), 0 (background) to 255.
        labels: uint8, shape (n,), 0 to 9, the positions in ``CLASS_NAMES``.
    """

    images: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        _check_images(self.images)
        _check_labels(self.labels)
        if len(self.images) != len(self.labels):
            raise ValueError(f"{len(self.images)} images have {len(self.labels)} labels; expected as many")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def digest(self) -> str:
        """A hash of the content as it is now, by which a run knows its data."""
        content = hashlib.sha256(np.ascontiguousarray(self.images).data)
        content.update(np.ascontiguousarray(self.labels).data)
        return content.hexdigest()


@dataclass(frozen=True)
class FashionMNIST:
    """The data that every lesson may see: all but the test labels.

    Attributes:
        train: the 60,000 training images with their labels.
        test_images: uint8, shape (10000, 28, 28).
    """

    train: Split
    test_images: np.ndarray


def load(directory: str | Path | None = None) -> FashionMNIST:
    """The real Fashion-MNIST, verified; see ``sources.load_arrays`` for where it is looked for.

    Raises:
        DataError: says which file is wrong, where it was looked for and what to do.
    """
    arrays = sources.load_arrays(directory)
    return FashionMNIST(Split(arrays["train_images"], arrays["train_labels"]), arrays["test_images"])


def read_test(purpose: str) -> Split:
    """The 10,000 test images with their labels: the only way to the test labels.

    Args:
        purpose: what they are read for; it is written, with the time, to ``test_labels.log`` of the run.

    Raises:
        ValueError: no purpose was given.
        DataError: as ``load``.
    """
    if not purpose.strip():
        raise ValueError("purpose is empty: say what the test labels are read for")
    arrays = sources.load_arrays()
    runs.log_test_read(purpose)
    return Split(arrays["test_images"], arrays["test_labels"])


def train_validation_split(train: Split, seed: int, size: int = VALIDATION_SIZE) -> tuple[Split, Split]:
    """The training and the validation split: ``size`` images set aside, stratified, the same for a ``seed``.

    It is a seed of its own, apart from that of the training.
    """
    from sklearn.model_selection import train_test_split  # here, because its import takes a second

    kept, aside = train_test_split(
        np.arange(len(train)), test_size=size, random_state=seed, stratify=train.labels
    )
    return _take(train, kept), _take(train, aside)


def subset(split: Split, size: int, seed: int) -> Split:
    """``size`` images with the classes kept in balance; the whole split if ``size`` is its length.

    Raises:
        ValueError: ``size`` is more than there is, or less than one image a class.
    """
    classes = len(np.unique(split.labels))
    if not classes <= size <= len(split):
        raise ValueError(f"size is {size:,}; expected from {classes} (one a class) to {len(split):,}")
    if size == len(split):
        return split
    if len(split) - size < classes:  # scikit-learn wants an image of each class on the other side too
        return _take(split, np.sort(np.random.default_rng(seed).permutation(len(split))[:size]))
    from sklearn.model_selection import train_test_split

    chosen, _ = train_test_split(
        np.arange(len(split)), train_size=size, random_state=seed, stratify=split.labels
    )
    return _take(split, chosen)


def rescale(images: np.ndarray) -> np.ndarray:
    """Scale pixels to [0, 1] and add the channel axis, as every model of the series expects.

    From uint8, shape (n, 28, 28), to float32, shape (n, 28, 28, 1).

    Raises:
        TypeError, ValueError: another dtype or shape.
    """
    _check_images(images)
    return images[..., np.newaxis].astype(np.float32) / np.float32(255)


def one_hot(labels: np.ndarray) -> np.ndarray:
    """Labels, integers 0 to 9, shape (n,), as rows with a single 1, float32, shape (n, 10).

    Raises:
        TypeError, ValueError: another dtype, shape or range.
    """
    _check_labels(labels)
    return np.eye(len(CLASS_NAMES), dtype=np.float32)[labels]


def near_duplicates(
    images: np.ndarray, max_distance: float, others: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of images whose Euclidean distance in pixel space is at most ``max_distance``.

    Distances between the first principal components never exceed those between the images, so pairs
    that are far apart there need no second look. What is left is measured on all pixels.

    Args:
        images: uint8, shape (n, 28, 28).
        max_distance: in grey levels (0 to 255); two unlike garments are thousands apart.
        others: uint8, shape (m, 28, 28); None compares ``images`` among themselves, each pair once.

    Returns:
        The pairs, int, shape (p, 2), closest first, and their distances, float, shape (p,).
    """
    from sklearn.decomposition import PCA

    pixels = images.reshape(len(images), -1).astype(np.float32)
    targets = pixels if others is None else others.reshape(len(others), -1).astype(np.float32)
    pca = PCA(min(_COMPONENTS, len(pixels)), svd_solver="covariance_eigh").fit(pixels)
    low, low_targets = pca.transform(pixels), pca.transform(targets)
    pairs = np.concatenate(
        [_close(low, low_targets, start, others is None, max_distance) for start in range(0, len(low), _CHUNK)]
    )
    parts = (part.T for part in np.array_split(pairs, len(pairs) // 10_000 + 1))
    distances = np.concatenate([np.linalg.norm(pixels[i] - targets[j], axis=1) for i, j in parts])
    order = np.argsort(distances, kind="stable")
    order = order[distances[order] <= max_distance]
    return pairs[order], distances[order]


def _take(split: Split, positions: np.ndarray) -> Split:
    return Split(split.images[positions], split.labels[positions])


def _check_images(images: np.ndarray) -> None:
    if images.dtype != np.uint8:
        raise TypeError(f"images has dtype {images.dtype}; expected uint8 (0 to 255)")
    if images.shape[1:] != IMAGE_SHAPE:
        raise ValueError(f"images has shape {images.shape}; expected (n, 28, 28)")


def _check_labels(labels: np.ndarray) -> None:
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(f"labels has dtype {labels.dtype}; expected integers")
    if labels.ndim != 1:
        raise ValueError(f"labels has shape {labels.shape}; expected (n,)")
    if labels.size and not 0 <= labels.min() <= labels.max() < len(CLASS_NAMES):
        raise ValueError(
            f"labels runs from {labels.min()} to {labels.max()}; expected 0 to {len(CLASS_NAMES) - 1}"
        )


def _close(low: np.ndarray, targets: np.ndarray, start: int, among: bool, max_distance: float) -> np.ndarray:
    """Candidate pairs of one chunk of rows; among themselves, only with later rows."""
    rows = low[start : start + _CHUNK]
    later = start if among else 0
    columns = targets[later:]
    # |a - b|² ≤ r²  ⇔  a·b ≥ (|a|² + |b|² - r²) / 2; a little slack for float32's rounding
    half_norms = (columns**2).sum(1) / 2
    bound = ((rows**2).sum(1) - (1.01 * max_distance) ** 2) / 2
    i, j = np.nonzero(rows @ columns.T - half_norms >= bound[:, None])
    pairs = np.stack([i + start, j + later], axis=1)
    return pairs[pairs[:, 0] < pairs[:, 1]] if among else pairs
