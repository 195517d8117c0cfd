"""The architectures of the lessons, one builder each; every lesson writes its own out and compares.

All take float images in [0, 1] of shape (n, 28, 28, 1) and give probabilities of the ten classes, in
float32 whatever the precision of the layers before.
"""

from fmnist_utils.layers import BatchNormalization
from fmnist_utils.startup import keras

layers = keras.layers


def dense(dropout: float = 0.5) -> keras.Sequential:
    """A network without convolutions, 224,466 parameters: the comparison for ``two_conv``."""
    return _sequential(
        "dense",
        [
            layers.Flatten(name="flatten"),
            layers.Dense(256, activation="relu", name="dense_1"),
            layers.Dense(88, activation="relu", name="dense_2"),
            layers.Dropout(dropout, name="dropout"),
        ],
    )


def two_conv(dropout: float = 0.5) -> keras.Sequential:
    """The mini-project's basic network as its method section has it, 225,034 parameters."""
    return _sequential("two_conv", [*_conv(1, 32), _pool(1), *_conv(2, 64), _pool(2), *_head(dropout)])


def three_conv(dropout: float = 0.5) -> keras.Sequential:
    """The mini-project's basic network as its results section has it, 110,474 parameters."""
    return _sequential(
        "three_conv",
        [*_conv(1, 32), _pool(1), *_conv(2, 64), _pool(2), *_conv(3, 128), _pool(3), *_head(dropout)],
    )


def blog() -> keras.Sequential:
    """The blog post's network, 241,546 parameters: pooling after two of three convolutions, no dropout.

    The post does not give its widths; these are the mini-project's.
    """
    return _sequential(
        "blog", [*_conv(1, 32), _pool(1), *_conv(2, 64), _pool(2), *_conv(3, 128), *_head(dropout=None)]
    )


def batchnorm(
    dropout: float = 0.5, batch_normalization: bool = True, momentum: float = 0.99
) -> keras.Sequential:
    """The mini-project's network with batch normalization, 242,442 parameters, 241,994 trainable.

    Args:
        dropout: share of the dense layer's outputs that training drops.
        batch_normalization: False builds the control, the same network without the three layers
            (241,546 parameters).
        momentum: of the moving statistics.
    """

    def block(number: int, filters: int) -> list[keras.Layer]:
        norm = [BatchNormalization(momentum=momentum, name=f"bn_{number}")] if batch_normalization else []
        return [*_conv(number, filters), *norm]

    return _sequential(
        "batchnorm" if batch_normalization else "control",
        [*block(1, 32), _pool(1), *block(2, 64), _pool(2), *block(3, 128), *_head(dropout)],
    )


def _conv(number: int, filters: int) -> list[keras.Layer]:
    return [layers.Conv2D(filters, 3, activation="relu", name=f"conv_{number}")]


def _pool(number: int) -> keras.Layer:
    return layers.MaxPooling2D(name=f"pool_{number}")


def _head(dropout: float | None) -> list[keras.Layer]:
    hidden = [layers.Flatten(name="flatten"), layers.Dense(128, activation="relu", name="dense")]
    return [*hidden, layers.Dropout(dropout, name="dropout")] if dropout is not None else hidden


def _sequential(name: str, body: list[keras.Layer]) -> keras.Sequential:
    classes = layers.Dense(10, activation="softmax", dtype="float32", name="classes")
    return keras.Sequential([keras.Input((28, 28, 1), name="image"), *body, classes], name=name)
