"""Ways to make a 28 x 28 picture of a photograph, among them those that leave out one step of ``prepare``."""

from collections.abc import Callable

import cv2
import numpy as np

from fmnist_utils import photographs
from fmnist_utils.photographs import preparing
from studies.photographs.masks import cut_out, finished, lightness, shrunk

Prepared = Callable[[np.ndarray], np.ndarray]

FRAME = 0.05  # of each side: what counts as background where ``prepare``'s own way is not taken


def squashed(image: np.ndarray) -> np.ndarray:
    """Grey, 28 x 28, whatever the sides were: what a beginner does."""
    return cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (28, 28), interpolation=cv2.INTER_AREA)


def negated(image: np.ndarray) -> np.ndarray:
    return 255 - squashed(image)


def uncut(image: np.ndarray) -> np.ndarray:
    """All steps with everything taken for garment."""
    return with_mask(image, np.ones(image.shape[:2], bool))


def plain_distance(image: np.ndarray) -> np.ndarray:
    """All steps, the garment found by its distance from the border's median colour, in Lab, and by Otsu."""
    small = shrunk(image)
    colours = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    width = max(1, round(FRAME * min(small.shape[:2])))
    border = np.ones(small.shape[:2], bool)
    border[width:-width, width:-width] = False
    away = np.linalg.norm(colours - np.median(colours[border], axis=0), axis=2)
    away = (255 * away / max(away.max(), 1e-6)).astype(np.uint8)
    threshold, _ = cv2.threshold(away, 0, 255, cv2.THRESH_OTSU)
    return with_mask(small, away > threshold)


def grab_cut(image: np.ndarray) -> np.ndarray:
    """All steps, the garment found by GrabCut (Rother et al. 2004), all but a frame perhaps garment."""
    small = shrunk(image)
    height, width = small.shape[:2]
    left, top = max(1, round(FRAME * width)), max(1, round(FRAME * height))
    mask = np.zeros((height, width), np.uint8)
    cv2.setRNGSeed(0)  # its mixtures of colours begin at random
    background, garment = np.zeros((1, 65)), np.zeros((1, 65))
    box = (left, top, width - 2 * left, height - 2 * top)
    cv2.grabCut(small, mask, box, background, garment, 5, cv2.GC_INIT_WITH_RECT)
    return with_mask(small, np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)))


def not_negated(image: np.ndarray) -> np.ndarray:
    steps = preparing.steps(image)
    return finished(np.where(steps["negated"] > 0, steps["grey"], 0).astype(np.uint8))


def not_cropped(image: np.ndarray) -> np.ndarray:
    """The garment stays where and as large as it is, on black."""
    mask = preparing.find(image)
    return finished(np.where(mask, 255 - lightness(image), 0).astype(np.uint8))


def pixels_left_out(image: np.ndarray) -> np.ndarray:
    """As Zalando did it: every so many pixels one is kept, where ``prepare`` takes the mean of them."""
    picture = preparing.steps(image)["negated"]
    kept = [max(1, round(27 * side / max(picture.shape))) for side in picture.shape]
    rows, columns = (
        ((np.arange(count) + 0.5) * side / count).astype(int)
        for count, side in zip(kept, picture.shape, strict=True)
    )
    return finished(picture[np.ix_(rows, columns)])


def not_sharpened(image: np.ndarray) -> np.ndarray:
    return preparing.steps(image)["fitted"]


VARIANTS: dict[str, Prepared] = {  # worse ways to find the garment, then all steps, then all but one
    "squashed": squashed,
    "squashed, negated": negated,
    "nothing cut out": uncut,
    "plain distance": plain_distance,
    "GrabCut": grab_cut,
    "prepare": photographs.prepare,
    "not negated": not_negated,
    "not cropped": not_cropped,
    "pixels left out": pixels_left_out,
    "not sharpened": not_sharpened,
}


def with_mask(photograph: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """All steps with a mask that was found by another way; an empty one takes everything."""
    return cut_out(photograph, preparing._largest(mask) if mask.any() else np.ones_like(mask))
