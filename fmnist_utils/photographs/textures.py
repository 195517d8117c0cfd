"""Backgrounds drawn by code, for ``made`` photographs: no two seeds draw the same. No TensorFlow here.

Each function takes the side in pixels and a generator of random numbers, and returns float32, shape
(side, side, 3), red, green and blue, about 0 to 255. Lengths are in pixels of the photograph.
"""

import cv2
import numpy as np

_PAINT = (216, 213, 208)
_PLASTER = (205, 198, 188)
_CARPETS = ((120, 124, 134), (148, 140, 128), (112, 126, 116))
_LINEN = (198, 186, 164)
_WOOD = (176, 134, 92)
_BOARD = 44  # width of a board


def smooth(side: int, rng: np.random.Generator, down: float, right: float) -> np.ndarray:
    """Noise of standard deviation 1 that changes over so many pixels down and to the right, (side, side)."""
    noise = rng.standard_normal((side, side), np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), sigmaX=right, sigmaY=down)
    return blurred / blurred.std()


def plain(side: int, rng: np.random.Generator) -> np.ndarray:
    """A painted wall: next to nothing but what the roller left."""
    return _in_colour(_PAINT, 1.2 * smooth(side, rng, 2, 2))


def plaster(side: int, rng: np.random.Generator) -> np.ndarray:
    """A rough wall: hills of plaster, lit from above."""
    hills = smooth(side, rng, 3, 3) + 0.6 * smooth(side, rng, 1.2, 1.2)
    return _in_colour(_PLASTER, 11 * np.gradient(hills, axis=0) + 3 * smooth(side, rng, 40, 40))


def linen(side: int, rng: np.random.Generator) -> np.ndarray:
    """A bedspread: threads over and under each other, some thicker than others."""
    down, right = np.indices((side, side), np.float32) + 1.5 * smooth(side, rng, 30, 30)
    threads = np.sin(2 * np.pi * down / 5) * np.sin(2 * np.pi * right / 5)
    uneven = smooth(side, rng, 1, 25) + smooth(side, rng, 25, 1)
    return _in_colour(_LINEN, 9 * threads + 5 * uneven + 5 * smooth(side, rng, 30, 30))


def carpet(side: int, rng: np.random.Generator) -> np.ndarray:
    """A pile of tufts with dark gaps, stroked lighter here and darker there."""
    tufts = np.minimum(smooth(side, rng, 1.4, 0.8), 1)
    return _in_colour(_CARPETS[rng.integers(len(_CARPETS))], 11 * tufts + 6 * smooth(side, rng, 25, 12))


def planks(side: int, rng: np.random.Generator) -> np.ndarray:
    """A floor of boards, each of its own shade, with the grain along it and a dark joint between two."""
    start = rng.integers(_BOARD)
    board, across = np.divmod(np.arange(side) + start, _BOARD)
    shades = 14 * rng.standard_normal(board[-1] + 1)[board]
    grain = 6 * smooth(side, rng, 1, 40) + 6 * smooth(side, rng, 4, 90)
    joints = np.where(across < 2, -70, 0)
    return _in_colour(_WOOD, grain + (shades + joints)[:, np.newaxis])


def _in_colour(colour: tuple[int, int, int], change: np.ndarray) -> np.ndarray:
    """A colour made lighter and darker: its three parts keep their proportions."""
    return np.array(colour, np.float32) * (1 + change.astype(np.float32)[..., np.newaxis] / max(colour))


BACKGROUNDS = {texture.__name__: texture for texture in (plain, plaster, linen, carpet, planks)}
