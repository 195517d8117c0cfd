"""Photographs made of Fashion-MNIST's pictures: what is true of each is known to the pixel. No TensorFlow here.

Fashion-MNIST's pictures are negatives in grey (Xiao et al. 2017, arXiv 1708.07747, section 2): what is bright
was dark cloth. Here the way is gone back: to cloth on a floor or a wall, lit by a lamp and seen by a camera.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from fmnist_utils.photographs.textures import BACKGROUNDS, smooth

SIDE = 256  # pixels of a photograph's sides
_PLANE = 384  # pixels of the wall or floor that is drawn, as a camera that looks straight at it sees them
_DISTANCE = 2.5 * SIDE  # from the camera to the middle of the wall or floor
_CLOTH = 12  # of 255: pixels that are brighter are cloth, for around it there are traces of JPEG
_SPOT = 8  # pixels: what is no larger, a hole in the cloth or a piece of it, is taken for a trace of JPEG
_BLACK, _WHITE = 12, 94  # lightness of the darkest and the lightest cloth in Lab, of 0 to 100
_CHROMA = 55  # of cloth of the strongest colour in Lab, if it is of medium lightness
_CORNERS = np.array([[[-0.5, -0.5], [27.5, -0.5], [27.5, 27.5], [-0.5, 27.5]]], np.float32)


@dataclass(frozen=True)
class MadePhotograph:
    """A made photograph and what is true of it.

    Attributes:
        image: uint8, shape (256, 256, 3), red, green and blue, 0 to 255.
        mask: bool, shape (256, 256), where the garment lies.
        light: float32, shape (256, 256), the share of the light that arrives at each pixel, above 0 to 1: the
            image divided by it is evenly lit.
        corners: float32, shape (4, 2), where the camera sees the corners of Fashion-MNIST's picture, right and
            down in pixels: top left, top right, bottom right, bottom left.
    """

    image: np.ndarray
    mask: np.ndarray
    light: np.ndarray
    corners: np.ndarray


def made(
    image: np.ndarray,
    seed: int,
    *,
    size: float = 0.7,
    colour: float = 0.4,
    background: str = "plain",
    light: float = 0.2,
    angle: float = 0.0,
    turn: float = 0.0,
) -> MadePhotograph:
    """A photograph of one of Fashion-MNIST's garments, the same for the same arguments.

    What is random, as the hue, the texture and where the lamp stands, is drawn from ``seed`` for each by
    itself: whoever changes one factor changes nothing else.

    Args:
        image: uint8, shape (28, 28), 0 is the background.
        seed: 0 or more.
        size: the longer edge of the garment as a share of the photograph's side, before the camera is tilted.
        colour: how colourful the cloth is, from 0, grey, to 1. It is as light or dark as in ``image``.
        background: a key of ``BACKGROUNDS``.
        light: how uneven the light is, from 0, without a shadow, to 1.
        angle: degrees by which the camera looks aslant, 0 to 60, from a direction that the seed draws.
        turn: degrees by which the garment is turned counter-clockwise; what is behind it stays.

    Raises:
        ValueError: an image of another dtype or shape, or without a garment; a factor outside its range.
    """
    _check(image, size, colour, background, light, angle)
    hue, cloth, ground, lamp, camera, sensor = np.random.default_rng(seed).spawn(6)
    coverage, values = _silhouette(image)
    laying = _laying(coverage, size, turn)
    scale = float(np.hypot(*laying[0, :2]))  # pixels of the plane for one of Fashion-MNIST's
    covering = np.clip((_enlarged(coverage, laying) - 0.5) * scale + 0.5, 0, 1)  # an edge one pixel wide
    direction = lamp.uniform(0, 2 * np.pi)  # in which the light goes
    view = _view(angle, camera.uniform(0, 2 * np.pi))
    garment = _seen(_cloth(_enlarged(values, laying), colour, hue.uniform(0, 2 * np.pi), cloth), view)
    behind = _seen(BACKGROUNDS[background](_PLANE, ground), view)
    covered, shadow = (_seen(part, view) for part in (covering, _shadow(covering, scale, direction)))
    scene = behind + covered[..., np.newaxis] * (garment - behind)
    falling = _falling(light, direction) * (1 - 0.6 * light * shadow * (1 - covered))
    seen = cv2.GaussianBlur(scene, (0, 0), 0.6) * falling[..., np.newaxis]  # no lens is sharper
    noisy = seen + 1.5 * sensor.standard_normal(seen.shape)
    return MadePhotograph(
        image=np.clip(np.round(noisy), 0, 255).astype(np.uint8),
        mask=covered > 0.5,
        light=falling,
        corners=cv2.perspectiveTransform(cv2.transform(_CORNERS, laying), view)[0],
    )


def _check(image: np.ndarray, size: float, colour: float, background: str, light: float, angle: float) -> None:
    if image.dtype != np.uint8 or image.shape != (28, 28):
        raise ValueError(f"image is {image.dtype} of shape {image.shape}; expected uint8 of shape (28, 28)")
    if background not in BACKGROUNDS:
        raise ValueError(f"background is {background!r}; expected one of {', '.join(BACKGROUNDS)}")
    ranges = {"size": (size, 0.1, 1), "colour": (colour, 0, 1), "light": (light, 0, 1), "angle": (angle, 0, 60)}
    for name, (value, least, most) in ranges.items():
        if not least <= value <= most:
            raise ValueError(f"{name} is {value}; expected {least} to {most}")


def _silhouette(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much of each pixel is cloth, 0 to 1, and how bright the cloth is there, both float32, (28, 28).

    At the edge a pixel is a mean of cloth and emptiness: its share of cloth is what it has of its neighbours'
    brightness, and its own brightness is taken from inside.
    """
    solid = ~_large_parts(image <= _CLOTH)
    inside = cv2.erode(np.pad(solid, 1).astype(np.uint8), np.ones((3, 3)))[1:-1, 1:-1] > 0
    values = image.astype(np.float32)
    share = np.minimum(1, 1.4 * values / np.maximum(cv2.dilate(values, np.ones((5, 5))), 1))
    coverage = np.where(inside, 1, share * solid).astype(np.float32)
    core = (coverage > 0.75).astype(np.float32)
    from_inside = cv2.GaussianBlur(values * core, (0, 0), 1) / (cv2.GaussianBlur(core, (0, 0), 1) + 1e-6)
    values = np.where(inside, values, np.maximum(values, from_inside))
    large = _large_parts(coverage > 0.5)
    if not large.any():
        raise ValueError(f"image shows no garment: nothing of more than {_SPOT} pixels is above {_CLOTH}")
    return cv2.GaussianBlur(coverage * large, (0, 0), 0.5), values


def _large_parts(where: np.ndarray) -> np.ndarray:
    """What hangs together in more than ``_SPOT`` pixels, bool, of the same shape."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(where.astype(np.uint8), connectivity=4)
    return where & (stats[:, cv2.CC_STAT_AREA] > _SPOT)[parts]


def _laying(coverage: np.ndarray, size: float, turn: float) -> np.ndarray:
    """From Fashion-MNIST's pixels to the plane's, the garment's middle to the plane's: affine, shape (2, 3)."""
    left, top, width, height = cv2.boundingRect((coverage > 0.5).astype(np.uint8))
    middle = (left + (width - 1) / 2, top + (height - 1) / 2)
    turned = cv2.getRotationMatrix2D(middle, turn, size * SIDE / max(width, height))
    return turned + np.column_stack([np.zeros((2, 2)), (_PLANE - 1) / 2 - np.array(middle)])


def _enlarged(picture: np.ndarray, laying: np.ndarray) -> np.ndarray:
    return cv2.warpAffine(picture, laying, (_PLANE, _PLANE), flags=cv2.INTER_CUBIC)


def _cloth(values: np.ndarray, colour: float, hue: float, rng: np.random.Generator) -> np.ndarray:
    """Cloth in one hue with slight folds and threads, as light as ``values`` are dark: red, green and blue."""
    lightness = _WHITE - (_WHITE - _BLACK) / 255 * np.clip(values, 0, 255)
    lightness += 1.5 * smooth(_PLANE, rng, 9, 6) + smooth(_PLANE, rng, 0.7, 0.7)
    chroma = colour * _CHROMA * 4 * (lightness / 100) * (1 - lightness / 100)  # black and white have none
    lab = np.dstack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)])
    return 255 * cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_Lab2RGB)


def _shadow(covering: np.ndarray, scale: float, direction: float) -> np.ndarray:
    """Where the garment keeps the light away, 0 to 1: beside it, as it has some thickness, and blurred."""
    move = np.array([[1, 0, 0.8 * scale * np.cos(direction)], [0, 1, 0.8 * scale * np.sin(direction)]])
    return cv2.GaussianBlur(cv2.warpAffine(covering, move, covering.shape), (0, 0), 0.7 * scale)


def _falling(light: float, direction: float) -> np.ndarray:
    """Light that comes from one side and falls off to the other, 1 where it is brightest."""
    down, right = np.indices((SIDE, SIDE), np.float32) / SIDE
    way = np.cos(direction) * right + np.sin(direction) * down
    return np.exp(-light * (way - way.min())).astype(np.float32)


def _view(angle: float, direction: float) -> np.ndarray:
    """From the plane's pixels to the photograph's, seen aslant: a homography, shape (3, 3)."""
    tilted, _ = cv2.Rodrigues(np.radians(angle) * np.array([np.cos(direction), np.sin(direction), 0]))
    to_camera = np.column_stack([tilted[:, :2], [0, 0, _DISTANCE]])
    return _shift(SIDE) @ np.diag([_DISTANCE, _DISTANCE, 1]) @ to_camera @ np.linalg.inv(_shift(_PLANE))


def _shift(side: int) -> np.ndarray:
    """From lengths seen from the middle to pixels."""
    return np.array([[1, 0, (side - 1) / 2], [0, 1, (side - 1) / 2], [0, 0, 1]])


def _seen(plane: np.ndarray, view: np.ndarray) -> np.ndarray:
    border = cv2.BORDER_REFLECT if plane.ndim == 3 else cv2.BORDER_CONSTANT  # only colours go on for ever
    return cv2.warpPerspective(plane, view, (SIDE, SIDE), borderMode=border)
