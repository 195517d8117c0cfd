"""A model of this package for people who do not have it."""

from fmnist_utils.fast.layers import BatchNormalization
from fmnist_utils.support.startup import keras


def with_stock_layers(model: keras.Model) -> keras.Model:
    """A copy of ``model`` with Keras's own layers only, for people who do not have this package.

    Args:
        model: a built model; its layers may include those of ``fmnist_utils.fast.layers``.

    Returns:
        An uncompiled model with the same configuration, layer names and weights.
    """

    def stock(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, BatchNormalization):
            return keras.layers.BatchNormalization.from_config(layer.get_config())
        return layer.__class__.from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=stock)
    copy.set_weights(model.get_weights())
    return copy
