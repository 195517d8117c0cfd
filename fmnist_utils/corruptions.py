"""Test images made worse, by kind and severity, to see what a model withstands.

After Hendrycks and Dietterich (2019, arXiv 1903.12261), with kinds and steps that suit small grey pictures of
single garments on an empty background.
"""

import numpy as np
from scipy import ndimage

from fmnist_utils import augmentation

SEVERITIES = (1, 2, 3, 4, 5)


def corrupt(images: np.ndarray, kind: str, severity: int, seed: int = 0) -> np.ndarray:
    """Images with one corruption; what is random about it is drawn for each by itself.

    Images are uint8, shape (n, 28, 28); ``kind`` is a key of ``KINDS``, ``severity`` 1 (slight) to 5 (severe).
    One ``seed`` moves each image the same way at all severities.

    Raises:
        ValueError: an unknown kind or severity.
    """
    if kind not in KINDS or severity not in SEVERITIES:
        kinds = ", ".join(KINDS)
        raise ValueError(f"{kind} of severity {severity} is unknown; expected one of {kinds} and 1 to 5")
    changed = KINDS[kind](images.astype(np.float32) / 255, severity, np.random.default_rng(seed))
    return np.round(np.clip(changed, 0, 1) * 255).astype(np.uint8)


def _noise(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    return x + rng.normal(0, 0.06 * severity, x.shape)


def _blur(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    return ndimage.gaussian_filter(x, (0, 0.4 * severity, 0.4 * severity))


def _shift(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """By as many pixels as the severity says, in any direction."""
    direction = rng.uniform(0, 2 * np.pi, len(x))
    return _moved(x, down=severity / 28 * np.sin(direction), right=severity / 28 * np.cos(direction))


def _scale(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Smaller or larger, by an eighth a step."""
    factor = (1 + severity / 8) ** rng.choice([-1, 1], len(x))
    return _moved(x, height_factor=factor, width_factor=factor)


def _rotation(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    return _moved(x, angle=9 * severity * rng.choice([-1, 1], len(x)))


def _brightness(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """All values multiplied or divided, at most by two; the empty background stays empty."""
    factor = (1 + severity / 5) ** rng.choice([-1, 1], len(x))
    return x * factor[:, None, None]


def _contrast(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    middle = x.mean(axis=(1, 2), keepdims=True)
    return middle + (x - middle) * (1 - 0.17 * severity)


def _occlusion(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """An empty square somewhere, with sides of 6 to 14 pixels."""
    side = 4 + 2 * severity
    corner = np.floor(rng.random((2, len(x), 1)) * (29 - side))
    row, column = (corner <= np.arange(28)) & (np.arange(28) < corner + side)
    return np.where(row[:, :, None] & column[:, None, :], 0, x)


def _moved(x: np.ndarray, **how: np.ndarray) -> np.ndarray:
    """Moved as augmentation moves images, but into emptiness."""
    still = {"angle": 0.0, "down": 0.0, "right": 0.0, "height_factor": 1.0, "width_factor": 1.0}
    values = {name: np.broadcast_to(np.float32(value), len(x)) for name, value in (still | how).items()}
    transforms = augmentation.affine(x.shape[1:], **values)
    return np.asarray(augmentation.resample(x[..., None], transforms, "constant"))[..., 0]


_CHANGES = (_noise, _blur, _shift, _scale, _rotation, _brightness, _contrast, _occlusion)
KINDS = {change.__name__.removeprefix("_"): change for change in _CHANGES}
