"""What decides the trainings of lesson 9's study."""

from dataclasses import dataclass

SPLIT_SEED = 0
SIZES = (10, 30, 100, 300, 1_000, 5_500, 55_000)  # labelled images, of all classes together
SIDES = (97, 161)

INNER = "block_10_expand_relu"  # with 2 x 2 cells the best of six layers, on the validation images
FROZEN_UNTIL = "block_15_add"
SOURCE = (5, 6, 7, 8, 9)  # classes on which a trunk is trained that is then asked for the others

EPOCHS = {  # by size, from scratch and from ImageNet's weights
    "scratch": dict(zip(SIZES, (100, 100, 60, 60, 40, 20, 10), strict=True)),
    "tuned": dict(zip(SIZES, (40, 40, 30, 20, 12, 6, 2), strict=True)),
    "trunk": 8,
}
STRENGTH = (
    0.01  # of linear models, scikit-learn's C: the best or within a point of it, for all sizes from 100 on
)


@dataclass(frozen=True)
class Settings:
    """What one process trains.

    Attributes:
        setup: "scratch" is lesson 2's network; "last block" and "all" fine-tune MobileNetV2, from
            ``FROZEN_UNTIL`` on or as a whole; "moving" is "all" with batch normalization in training mode;
            "linear" stands for all linear models, on pixels and on frozen features; "wrong" for those on images
            prepared wrongly; "five classes" for what is asked within the data.
        sizes: how many labelled images, one training each.
        learning_rate: of Adam.
        side: of the enlarged images, in pixels.
        precision: as ``training.use_precision`` has it.
    """

    setup: str
    sizes: tuple[int, ...]
    learning_rate: float = 0.001
    side: int = 97
    precision: str = "float32"
