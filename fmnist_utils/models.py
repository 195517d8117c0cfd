"""The architectures of the lessons, one builder each. A lesson writes the one it is about out, and compares.

All take float images in [0, 1] of shape (n, 28, 28, 1) and give probabilities of the ten classes, in
float32 whatever the precision of the layers before.
"""

import math

from fmnist_utils.fast.layers import BatchNormalization
from fmnist_utils.support.startup import keras, tf

layers = keras.layers

VIEW_OFFSETS = ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))  # row and column of five views in a frame of a pixel


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


def control(dropout: float = 0.5) -> keras.Sequential:
    """``batchnorm`` without its normalization, 241,546 parameters: what that is compared with."""
    return batchnorm(dropout, batch_normalization=False)


def champion() -> keras.Model:
    """The residual network of lesson 8, 233,322 parameters, 232,330 of them trainable.

    Its convolutions have no bias: the batch normalization after each of them has one. Pooling comes before
    normalization, which then has a quarter of the values to normalize.
    """
    images = keras.Input((28, 28, 1), name="image")
    x = _normalized(images, 32)
    x = _normalized(x, 48, pool=True)
    x = _residual(x)
    x = _normalized(x, 64, pool=True)
    x = _residual(x)
    x = _residual(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    outputs = layers.Dense(10, activation="softmax", dtype="float32", name="classes")(x)
    return keras.Model(images, outputs, name="champion")


def with_fresh_averages(model: keras.Sequential, batches: tf.data.Dataset) -> keras.Sequential:
    """A copy of a network with the same weights, its batch normalization's moving averages measured anew.

    They are the means over these batches, each counted alike, of what the network as it is now makes of them
    (as PyTorch's ``update_bn``). ``batches`` is a dataset of images (n, 28, 28, 1) and labels.
    """
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    norms = [layer for layer in copy.layers if isinstance(layer, layers.BatchNormalization)]
    for count, (images, _) in enumerate(batches, start=1):
        for norm in norms:
            norm.momentum = 1 - 1 / count  # of the batches before, so that all of them count alike
        copy(images, training=True)
    return copy


def multiply_adds(layer: keras.Layer) -> int:
    """Multiplications of convolutions and dense layers to predict one image, each with its addition.

    Of a built layer, or summed over those of a model.
    """
    if isinstance(layer, keras.Model):
        return sum(multiply_adds(part) for part in layer.layers)
    if isinstance(layer, layers.Conv2D):
        _, height, width, _ = layer.output.shape
        return height * width * math.prod(layer.kernel.shape)
    return math.prod(layer.kernel.shape) if isinstance(layer, layers.Dense) else 0


def _normalized(x, filters: int, pool: bool = False):
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
    if pool:
        x = layers.MaxPooling2D()(x)
    return layers.ReLU()(BatchNormalization(momentum=0.9)(x))


def _residual(x):
    filters = x.shape[-1]
    return layers.Add()([x, _normalized(_normalized(x, filters), filters)])


def averaging_views(model: keras.Model) -> keras.Model:
    """A model that shows ``model`` each image in ten ways and averages the probabilities.

    The ten are the image, the image moved by a pixel in each of four directions, and the mirror images of these
    five. It takes ten times as long to predict. Images are (n, 28, 28, 1), probabilities (n, 10).
    """
    images = keras.Input(model.input_shape[1:], name="image")
    framed = layers.ZeroPadding2D(1)(images)
    moved = [layers.Cropping2D(((row, 2 - row), (column, 2 - column)))(framed) for row, column in VIEW_OFFSETS]
    views = [*moved, *(keras.ops.flip(view, axis=2) for view in moved)]
    probabilities = model(layers.Concatenate(axis=0)(views))
    outputs = layers.Average(dtype="float32")(keras.ops.split(probabilities, len(views), axis=0))
    return keras.Model(images, outputs, name=f"{model.name}_views")


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
