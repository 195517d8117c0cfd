"""The networks that lesson 8's search compared, each from a line of text."""

import numpy as np

from fmnist_utils import data
from fmnist_utils.fast.layers import BatchNormalization
from fmnist_utils.support.startup import keras

layers = keras.layers


def build(
    plan: str, size: int | None = 28, activation: str = "relu", momentum: float = 0.9, dropout: float = 0.0
) -> keras.Model:
    """A network of 3 x 3 convolutions, each with batch normalization and activation.

    Args:
        plan: what follows what. A number is a convolution with so many filters; with "p" it pools, with "s" it
            steps by two pixels. "+" adds a residual block of two convolutions, "*" the last block once more
            with the same kernels, "e" is squeeze-and-excitation, "P" pools by itself, "w" whitens patches, "d"
            makes four channels of two by two pixels; "m" at the end takes the maximum of each channel beside
            its mean.
        size: of the images; None for any.
        activation: by its name in Keras.
        momentum: of the moving statistics.
        dropout: of what the last layer is given.

    Returns:
        From float images in [0, 1], (n, size, size, 1), to float32 probabilities, (n, 10).
    """

    def kernels(filters: int, strides: int = 1) -> keras.Layer:
        return layers.Conv2D(
            filters, 3, strides, padding="same", use_bias=False, kernel_initializer="he_normal"
        )

    def normalized(x):
        return layers.Activation(activation)(BatchNormalization(momentum=momentum)(x))

    def residual(x, first: keras.Layer, second: keras.Layer):
        return layers.Add()([x, normalized(second(normalized(first(x))))])

    def excitation(x):
        squeezed = layers.GlobalAveragePooling2D(keepdims=True)(x)
        squeezed = layers.Dense(x.shape[-1] // 4, activation="relu")(squeezed)
        return layers.Multiply()([x, layers.Dense(x.shape[-1], activation="sigmoid")(squeezed)])

    images = keras.Input((size, size, 1))
    x = images
    for part in plan.removesuffix(" m").split():
        if part == "+":
            block = kernels(x.shape[-1]), kernels(x.shape[-1])
        if part in "+*":
            x = residual(x, *block)
        elif part == "e":
            x = excitation(x)
        elif part == "P":
            x = layers.MaxPooling2D()(x)
        elif part == "w":
            x = whitening()(x)
        elif part == "d":
            x = layers.Reshape((14, 14, 4))(layers.Permute((1, 3, 2, 4))(layers.Reshape((14, 2, 14, 2))(x)))
        elif part[-1] == "p":
            x = normalized(layers.MaxPooling2D()(kernels(int(part[:-1]))(x)))
        elif part[-1] == "s":
            x = normalized(kernels(int(part[:-1]), strides=2)(x))
        else:
            x = normalized(kernels(int(part))(x))
    if plan.endswith("m"):
        x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
    else:
        x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x) if dropout else x
    return keras.Model(images, layers.Dense(10, activation="softmax", dtype="float32")(x))


def whitening() -> keras.layers.Layer:
    """A frozen convolution with 18 filters: the principal components of 3 x 3 patches of training images,
    scaled to equal variance, and their negatives (after Page 2018)."""
    images = data.rescale(data.load().train.images[:5_000])[..., 0]
    patches = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(1, 2)).reshape(-1, 9)
    values, vectors = np.linalg.eigh(np.cov(patches[::7].T))
    kernel = (vectors / np.sqrt(values + 1e-3)).reshape(3, 3, 1, 9)
    kernel = np.concatenate([kernel, -kernel], axis=-1)
    initial = keras.initializers.Constant(kernel.tolist())
    return layers.Conv2D(
        18, 3, padding="same", use_bias=False, activation="relu", kernel_initializer=initial, trainable=False
    )


def resnet_20(size: int | None = 28) -> keras.Model:
    """The residual network with 20 layers (He et al. 2016) for one grey channel: 273,754 parameters, 272,186 of
    them trainable."""

    def convolution(x, filters: int, strides: int = 1, kernel_size: int = 3):
        x = layers.Conv2D(filters, kernel_size, strides, padding="same", use_bias=False)(x)
        return BatchNormalization(momentum=0.9)(x)

    images = keras.Input((size, size, 1))
    x = layers.ReLU()(convolution(images, 16))
    for filters in (16, 32, 64):
        for block in range(3):
            strides = 2 if filters > 16 and block == 0 else 1
            y = layers.ReLU()(convolution(x, filters, strides))
            y = convolution(y, filters)
            shortcut = x if strides == 1 else convolution(x, filters, strides, kernel_size=1)
            x = layers.ReLU()(layers.Add()([y, shortcut]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(images, layers.Dense(10, activation="softmax", dtype="float32")(x))
