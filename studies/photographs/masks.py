"""The steps of ``prepare`` for who has a mask already, however it was found.

They are those of ``preparing``, by its own functions, and a test compares both ways with each other.
"""

import cv2
import numpy as np

from fmnist_utils.photographs import preparing


def shrunk(image: np.ndarray) -> np.ndarray:
    """A photograph as small as ``prepare`` looks for the garment in it."""
    height, width = image.shape[:2]
    scale = min(1, preparing._SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def cut_out(photograph: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture of 28 x 28 pixels that ``prepare`` makes of a shrunk photograph with this mask."""
    box = preparing._box(mask)
    return finished(np.where(mask[box], 255 - lightness(photograph)[box], np.uint8(0)))


def lightness(image: np.ndarray) -> np.ndarray:
    """Lab's, as ``prepare`` makes grey, uint8, (h, w)."""
    return preparing._bytes(preparing._lab(image)[..., 0] * 2.55)


def finished(picture: np.ndarray) -> np.ndarray:
    """A grey picture, negated or not, fitted into 28 x 28 pixels and sharpened."""
    return preparing._sharpened(preparing._fitted(picture))
