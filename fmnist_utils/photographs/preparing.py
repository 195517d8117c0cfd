"""Photographs of garments made to look like Fashion-MNIST's pictures. No TensorFlow here.

Zalando made those of pictures from a studio, in seven steps (Xiao et al. 2017, arXiv 1708.07747, section 2):
cut off what has the corner's colour, make the longer edge 28 pixels by leaving pixels out, sharpen, extend the
shorter edge to 28 pixels, negate, make grey. A room is no studio: here the garment is found first, as what
differs from the border, and pixels are averaged.
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from fmnist_utils.photographs.reading import read

Picture = np.ndarray | str | Path | bytes | Image.Image
Frame = tuple[int, int, int, int]

_SIDE = 128  # pixels of the longer side on which the garment is found: 28 are left in the end
_STRIP = 0.05  # of the shorter side: the width of the border that is taken for background
_USUAL = 0.6  # of the border, nearest to its median colour: a sleeve or another thing may lie in the rest
_NOISE = (2.0, 1.0, 1.0)  # added to the variances of the background's L, a and b: of white paper they are 0
_PART = 0.15  # of the largest part: what is smaller does not belong to the garment
_LONGER = 27  # pixels of the longer edge
_WIDEST = 0.9  # of the height, for what is about as wide as high: spread sleeves are drawn in
_LYING = 1.5  # times as wide as high: shoes are, and stay as they are
_SHARPEN = 0.3


def prepare(image: Picture, frame: Frame | None = None) -> np.ndarray:
    """A photograph as a picture like Fashion-MNIST's, uint8, (28, 28): the last of ``steps``, which see."""
    return steps(image, frame)["sharpened"]


def steps(image: Picture, frame: Frame | None = None) -> dict[str, np.ndarray]:
    """What becomes of a photograph, a picture a step, uint8, in the order in which they are made.

    ``photograph``: made small, (h, w, 3). ``distance``: of each pixel's colour from the background's, (h, w).
    ``garment``: what is far, (h, w, 3), on white. ``crop``: its box, (height, width, 3). ``grey``: its
    lightness. ``negated``: dark cloth is bright, the background 0. ``fitted``: the longer edge ``_LONGER``
    pixels, centred, (28, 28). ``sharpened``: the same, its edges enhanced.

    Args:
        image: uint8, shape (h, w, 3), or what ``read`` takes.
        frame: as ``find`` takes it.

    Raises:
        PhotographError: as ``read``.
        TypeError, ValueError: an array of another dtype or shape; a frame that does not lie in the picture.
    """
    photograph, distance, mask = _found(_checked(image), frame)
    garment = np.where(mask[..., None], photograph, np.uint8(255))
    box = _box(mask)
    grey = _bytes(_lab(photograph)[box][..., 0] * 2.55)
    negated = np.where(mask[box], 255 - grey, np.uint8(0))
    fitted = _fitted(negated)
    return {
        "photograph": photograph,
        "distance": distance,
        "garment": garment,
        "crop": garment[box],
        "grey": grey,
        "negated": negated,
        "fitted": fitted,
        "sharpened": _sharpened(fitted),
    }


def find(image: Picture, frame: Frame | None = None) -> np.ndarray:
    """Where the garment is, bool, shape (h, w): what differs in colour from the border.

    The distance of a colour is Mahalanobis's from the border's, in Lab: light and shade on a floor count less
    than another hue does. Otsu's threshold divides near from far. Where nothing differs, all is garment:
    all that is inside of the frame.

    Args:
        image: uint8, shape (h, w, 3), or what ``read`` takes.
        frame: left, top, right and bottom in pixels, right and bottom excluded. What is outside is background,
            by whose colours the garment is found inside; None takes a strip along the edges instead.

    Raises:
        PhotographError, TypeError, ValueError: as ``steps``.
    """
    image = _checked(image)
    height, width = image.shape[:2]
    _, _, mask = _found(image, frame)
    return cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0


def _checked(image: Picture) -> np.ndarray:
    if not isinstance(image, np.ndarray):
        return read(image)
    if image.dtype != np.uint8:
        raise TypeError(f"image has dtype {image.dtype}; expected uint8 (0 to 255)")
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"image has shape {image.shape}; expected (h, w, 3)")
    return image


def _found(image: np.ndarray, frame: Frame | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The photograph made small, the distance of its colours from the background's, uint8, and the mask."""
    height, width = image.shape[:2]
    scale = min(1, _SIDE / max(height, width))
    small = _resized(image, max(1, round(height * scale)), max(1, round(width * scale)))
    allowed = _framed(small.shape[:2], frame or (0, 0, width, height), (height, width))
    distance = _distance(small, _strip(allowed.shape) if allowed.all() else ~allowed)
    threshold, _ = cv2.threshold(distance[allowed], 0, 255, cv2.THRESH_OTSU)
    mask = _largest((distance > threshold) & allowed)
    return small, distance, mask if mask.any() else allowed


def _framed(shape: tuple[int, int], frame: Frame, full: tuple[int, int]) -> np.ndarray:
    """What is inside of a frame that was drawn in a picture of shape ``full``: bool, of ``shape``."""
    left, top, right, bottom = frame
    if not (0 <= left < right <= full[1] and 0 <= top < bottom <= full[0]):
        raise ValueError(f"frame is {frame}; expected left, top, right, bottom within {full[1]} x {full[0]}")
    inside = np.zeros(shape, bool)
    inside[_scaled(top, bottom, shape[0] / full[0]), _scaled(left, right, shape[1] / full[1])] = True
    return inside


def _strip(shape: tuple[int, ...]) -> np.ndarray:
    """The pixels along the edges, bool."""
    width = max(1, round(_STRIP * min(shape)))
    strip = np.ones(shape, bool)
    strip[width:-width, width:-width] = False
    return strip


def _scaled(start: int, stop: int, scale: float) -> slice:
    """From one pixel to another in a picture made small, at least one pixel."""
    first = int(start * scale)
    return slice(first, max(first + 1, round(stop * scale)))


def _resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _lab(image: np.ndarray) -> np.ndarray:
    """Lightness, 0 to 100, and two axes of hue, in which distances are about as large as they look."""
    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def _distance(image: np.ndarray, background: np.ndarray) -> np.ndarray:
    """How far each pixel's colour is from the background's by Mahalanobis, uint8, the farthest 255."""
    colours = _lab(cv2.GaussianBlur(image, (0, 0), 1))
    known = colours[background]
    off = np.abs(known - np.median(known, axis=0)).sum(1)
    usual = known[off <= np.quantile(off, _USUAL)]
    mean = usual.mean(0)
    covariance = np.cov(usual.T, bias=True) + np.diag(_NOISE)
    away = colours - mean
    squared = np.einsum("hwi,ij,hwj->hw", away, np.linalg.inv(covariance), away)
    distance = np.sqrt(np.maximum(squared, 0))
    return _bytes(255 * distance / max(distance.max(), 1))


def _largest(mask: np.ndarray) -> np.ndarray:
    """The largest part of a mask, and others if they are not much smaller: of shoes there are two."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    areas = stats[:, cv2.CC_STAT_AREA]
    areas[0] = 0  # the background
    return np.isin(parts, np.flatnonzero(areas > _PART * areas.max()))


def _box(mask: np.ndarray) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _fitted(picture: np.ndarray) -> np.ndarray:
    """A grey picture in the middle of 28 x 28 pixels, its longer edge ``_LONGER``."""
    height, width = picture.shape
    aspect = width / height
    if aspect < _LYING:
        aspect = min(aspect, _WIDEST)
    height, width = (max(1, round(_LONGER * share)) for share in (min(1, 1 / aspect), min(1, aspect)))
    top, left = (28 - height) // 2, (28 - width) // 2
    fitted = np.zeros((28, 28), np.uint8)
    fitted[top : top + height, left : left + width] = _resized(picture, height, width)
    return fitted


def _sharpened(picture: np.ndarray) -> np.ndarray:
    """Unsharp masking: what a blur would take away is added."""
    values = picture.astype(np.float32)
    return _bytes(values + _SHARPEN * (values - cv2.GaussianBlur(values, (0, 0), 1)))
