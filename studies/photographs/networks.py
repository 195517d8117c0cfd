"""The networks of lesson 10's study, and what each of them is shown of a photograph."""

from dataclasses import dataclass

import cv2
import numpy as np

from fmnist_utils import photographs, pretrained
from fmnist_utils.augmentation import RandomAffine, resample
from fmnist_utils.fast.layers import BatchNormalization
from fmnist_utils.support.startup import keras, tf
from fmnist_utils.training import Augment
from studies.photographs.settings import SPLIT_SEED

TEN = (  # the largest classes that have a name, by their number of photographs
    *("T-Shirt", "Longsleeve", "Pants", "Shoes", "Shirt"),
    *("Dress", "Outwear", "Shorts", "Hat", "Skirt"),
)
SMALLEST = 8  # pixels: maps are halved until their side is no longer than this
FIRST_FILTERS = 16
GREY = 128  # of what is cut out or left out
MOVE = RandomAffine()  # lesson 4's
TRAINED_FROM = "block_7_expand"  # of MobileNetV2: what comes before it stays as it is, at a third of the work

layers = keras.layers


@dataclass(frozen=True)
class Settings:
    """One way to learn the ten classes from photographs.

    Attributes:
        start: "scratch" is a convolutional network with random weights, "ImageNet" fine-tunes MobileNetV2.
        side: of the pictures in pixels.
        colour: whether they have three channels, or their mean in one.
        part: "whole" picture; the "garment" on grey; the "background" with grey in the garment's place; or
            "beside", with grey in all of its box, so that its outline cannot be seen.
        augment: "none"; "moved", lesson 4's way and mirrored; "moved, light", colour and light change, too;
            "cropped", mirrored and a part of the picture.
        epochs: passes over the photographs.
        learning_rate: the highest of a cycle.
        label_smoothing: as Keras has it.
    """

    start: str = "scratch"
    side: int = 64
    colour: bool = True
    part: str = "whole"
    augment: str = "none"
    epochs: int = 20
    learning_rate: float = 0.01
    label_smoothing: float = 0.0


def parts() -> tuple[photographs.Photographs, photographs.Photographs]:
    """The photographs of the ten classes by training senders, and by validation senders."""
    train, validation, _ = photographs.split(photographs.load(), SPLIT_SEED)
    return of_ten(train), of_ten(validation)


def of_ten(shown: photographs.Photographs) -> photographs.Photographs:
    return shown.at(np.isin(shown.label, TEN))


def numbers(shown: photographs.Photographs) -> np.ndarray:
    """The positions of labels in ``TEN``, uint8, shape (n,)."""
    return np.array([TEN.index(label) for label in shown.label], np.uint8)


def pictures(images: np.ndarray, settings: Settings) -> np.ndarray:
    """What a network is shown: uint8, shape (n, side, side, 3), in grey (n, side, side, 1)."""
    return np.stack([_picture(image, settings) for image in images])


def _picture(image: np.ndarray, settings: Settings) -> np.ndarray:
    if settings.part != "whole":
        hidden = _hidden(photographs.find(image), settings.part)
        image = np.where(hidden[..., np.newaxis], np.uint8(GREY), image)
    if not settings.colour:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(image, (settings.side, settings.side), interpolation=cv2.INTER_AREA)
    return small if settings.colour else small[..., np.newaxis]


def _hidden(garment: np.ndarray, part: str) -> np.ndarray:
    """Which pixels are not shown; all bool, shape (h, w)."""
    if part == "garment":
        return ~garment
    if part == "beside":
        return garment.any(axis=1)[:, np.newaxis] & garment.any(axis=0)
    return garment


def network(settings: Settings) -> keras.Model:
    """From float images in [0, 1] to probabilities of the ten classes, (n, 10)."""
    if settings.start == "ImageNet":
        trunk = pretrained.backbone(settings.side)
        first = trunk.layers.index(trunk.get_layer(TRAINED_FROM))
        for place, layer in enumerate(trunk.layers):
            layer.trainable = place >= first and not isinstance(layer, layers.BatchNormalization)
        seen = pretrained.of_colour(pretrained.pooled(trunk))
        return keras.Model(seen.input, _classes(seen.output), name="fine_tuned")
    images = keras.Input((settings.side, settings.side, 3 if settings.colour else 1))
    x, filters = images, FIRST_FILTERS
    while x.shape[1] > SMALLEST:
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(BatchNormalization(momentum=0.9)(x))
        x, filters = layers.MaxPooling2D()(x), min(2 * filters, 128)
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    x = layers.ReLU()(BatchNormalization(momentum=0.9)(x))
    return keras.Model(images, _classes(layers.GlobalAveragePooling2D()(x)), name="from_scratch")


def _classes(features: keras.KerasTensor) -> keras.KerasTensor:
    classes = layers.Dense(len(TEN), activation="softmax", dtype="float32", name="classes")
    return classes(layers.Dropout(0.2)(features))


def augmentation(settings: Settings) -> Augment | None:
    """What changes a batch in [0, 1] at random; None changes nothing."""
    return {"none": None, "moved": _moved, "moved, light": _moved_and_lit, "cropped": _cropped}[
        settings.augment
    ]


def _moved(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Lesson 4's augmentation, and mirrored."""
    return MOVE(_mirrored(images, seed), seed + 1)


def _moved_and_lit(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Moved; brightness and contrast change by up to three tenths, each channel by a tenth more."""
    draws = tf.random.stateless_uniform([5, tf.shape(images)[0], 1, 1, 1], seed + 2, -1.0, 1.0)
    colour = 1 + 0.1 * tf.transpose(draws[:3, :, :, :, 0], [1, 2, 3, 0])
    moved = _moved(images, seed)
    mean = tf.reduce_mean(moved, axis=(1, 2, 3), keepdims=True)
    lit = (mean + (moved - mean) * (1 + 0.3 * draws[3])) * (1 + 0.3 * draws[4]) * colour
    return tf.clip_by_value(lit, 0.0, 1.0)


def _cropped(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Mirrored, and a part of half of the area or more, up to a third wider or higher, enlarged.

    It is Inception's way (Szegedy et al. 2015, arXiv 1409.4842, section 6), with half instead of 8%.
    """
    n, side = tf.shape(images)[0], float(images.shape[1])
    draws = tf.random.stateless_uniform([4, n], seed + 3)
    area, ratio = 0.5 + 0.5 * draws[0], tf.exp(tf.math.log(4 / 3) * (2 * draws[1] - 1))
    width, height = tf.minimum(1.0, tf.sqrt(area * ratio)), tf.minimum(1.0, tf.sqrt(area / ratio))
    left, top = (1 - width) * draws[2] * side, (1 - height) * draws[3] * side
    zero = tf.zeros_like(width)
    x_row = [width, zero, left + (width - 1) / 2]  # of the pixels' middles, which lie at halves
    y_row = [zero, height, top + (height - 1) / 2]
    places = tf.stack([*x_row, *y_row, zero, zero], axis=1)
    return resample(_mirrored(images, seed), places, "nearest")


def _mirrored(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Every other image, on average, with left and right exchanged."""
    mirrored = tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 1], seed) < 0.5
    return tf.where(mirrored, images[:, :, ::-1], images)
