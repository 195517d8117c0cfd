"""A model computed in towers: each takes its part of the work to a processor core of its own.

TensorFlow's own way to use two cores is to cut each operation in two. At batch size 64 an operation of the
lessons' networks takes less than a millisecond, and meeting after each of them costs most of what the second
core brings. Towers meet less often. Each takes half of the images; or, between a convolution and the batch
normalization that follows it, half of the filters, since a channel's moments are those of the whole batch.
"""

from fmnist_utils.fast.layers import BatchNormalization, convolution
from fmnist_utils.support import cores
from fmnist_utils.support.startup import keras, tf

TOWERS = 1 if tf.config.list_physical_devices("GPU") else min(2, cores.available())

_IMAGES, _FILTERS = 0, -1  # the axis along which the towers share a batch
_layers = keras.layers
# Layers that treat each channel by itself, and each image by itself. Any other, also one
# derived from them, gets the whole batch.
_BY_CHANNEL = (_layers.AveragePooling2D, _layers.Dropout, _layers.MaxPooling2D, _layers.ReLU)
_BY_IMAGE = (*_BY_CHANNEL, _layers.Activation, _layers.Dense, _layers.Flatten, _layers.GlobalAveragePooling2D)


def in_towers(model: keras.Model, towers: int) -> keras.Model:
    """A model with the same layers and results, computed in towers.

    It shares its layers with ``model``: training one trains the other. The results differ by rounding only;
    dropout draws for each part. A model that is not Sequential, not built, or whose layers add to the loss or
    share masks between images comes back as it is.
    """
    if type(model) is not keras.Sequential or not model.built or not all(map(_can_be_cut, model.layers)):
        return model
    images = keras.Input(model.input_shape[1:], dtype=model.inputs[0].dtype)
    work = _Work([images], _IMAGES, towers, images)
    for layer, following in zip(model.layers, [*model.layers[1:], None], strict=True):
        work = work.through(layer, following)
    return keras.Model(images, work.whole(), name=f"{model.name}_in_towers")


def for_prediction(model: keras.Model, towers: int) -> keras.Model:
    """A model that predicts the same, on as many cores as there are towers where it can.

    Without training a part's images do not depend on each other, so any built model can be cut by part.
    """
    cut = in_towers(model, towers)
    can_be_cut = cut is model and towers > 1 and model.built and getattr(model, "inputs", None) is not None
    return ghost_batches(model, towers) if can_be_cut else cut


def ghost_batches(model: keras.Model, towers: int) -> keras.Model:
    """A model that takes each batch in parts, a tower for each: the towers never wait for each other.

    Unlike ``in_towers`` this changes what batch normalization computes: its moments are those of a part, so
    the model trains as with smaller batches ("ghost batches", Hoffer et al. 2017, arXiv 1705.08741). It shares
    its layers with ``model``, any built one with one input and one output: training one trains the other.
    """
    images = keras.Input(model.input_shape[1:], dtype=model.inputs[0].dtype)
    joined = _layers.Concatenate(axis=_IMAGES, autocast=False)([model(part) for part in _Cut(towers)(images)])
    return keras.Model(images, _WithoutPadding()([joined, images]), name=f"{model.name}_in_ghost_batches")


def _can_be_cut(layer: keras.Layer) -> bool:
    regularized = getattr(layer, "activity_regularizer", None) is not None
    return not regularized and getattr(layer, "noise_shape", None) is None


class _Work:
    """The tensors at one point of a model: one, or a part for each tower along ``axis``.

    ``cut`` is what was last cut into parts of images: it tells how many of them are no padding.
    """

    def __init__(self, parts: list, axis: int, towers: int, cut) -> None:
        self._parts, self._axis, self._towers, self._cut = parts, axis, towers, cut

    def through(self, layer: keras.Layer, following: keras.Layer | None) -> "_Work":
        """The outputs of ``layer``, in parts that suit it and the layer after it."""
        if type(layer) is _layers.Conv2D:
            return self._through_convolution(layer, following)
        if self._axis == _FILTERS and _normalizes(layer) and layer.can_fuse(self._parts[0]):
            return self._with(_ChannelsInTowers(layer)(self._parts), _FILTERS)
        if type(layer) in (_BY_CHANNEL if self._axis == _FILTERS else _BY_IMAGE):
            return self._with([layer(part) for part in self._parts], self._axis)
        return self._with([layer(self.whole())], _IMAGES)

    def _through_convolution(self, layer: keras.layers.Conv2D, following: keras.Layer | None) -> "_Work":
        plain = _is_plain(layer)
        if plain and _normalizes(following) and layer.filters % self._towers == 0:
            return self._with(_FiltersInTowers(layer, self._towers)(self.whole()), _FILTERS)
        cut = self._by_image()
        if not plain:
            return cut._with([layer(part) for part in cut._parts], _IMAGES)
        return cut._with([_FiltersInTowers(layer, 1)(part)[0] for part in cut._parts], _IMAGES)

    def whole(self):
        """All of it as one tensor."""
        if len(self._parts) == 1:
            return self._parts[0]
        joined = _layers.Concatenate(axis=self._axis, autocast=False)(self._parts)
        return _WithoutPadding()([joined, self._cut]) if self._axis == _IMAGES else joined

    def _by_image(self) -> "_Work":
        if self._axis == _IMAGES and len(self._parts) == self._towers:
            return self
        whole = self.whole()
        return _Work(_Cut(self._towers)(whole), _IMAGES, self._towers, whole)

    def _with(self, parts: list, axis: int) -> "_Work":
        return _Work(parts, axis, self._towers, self._cut)


def _normalizes(layer: keras.Layer | None) -> bool:
    return type(layer) is BatchNormalization


def _is_plain(layer: keras.layers.Conv2D) -> bool:
    """Whether ``layers.convolution`` computes it, each filter by itself."""
    return (
        layer.padding == "valid"
        and layer.strides == layer.dilation_rate == (1, 1)
        and layer.groups == 1
        and layer.data_format == "channels_last"
        and layer.use_bias
        and layer.activation in (keras.activations.relu, keras.activations.linear)
    )


class _Cut(keras.layers.Layer):
    """A batch cut into nearly equal parts, in order; zeros stand for images that a small batch lacks.

    oneDNN's convolution refuses an empty part.
    """

    def __init__(self, towers: int) -> None:
        super().__init__(autocast=False)
        self._towers = towers

    def call(self, inputs):
        missing = tf.maximum(self._towers - tf.shape(inputs)[0], 0)
        padded = tf.pad(inputs, [[0, missing]] + [[0, 0]] * (len(inputs.shape) - 1))
        images = tf.shape(padded)[0]
        ends = [images * tower // self._towers for tower in range(self._towers + 1)]
        return tf.split(padded, tf.experimental.numpy.diff(ends), num=self._towers)

    def compute_output_spec(self, inputs):
        return [keras.KerasTensor(inputs.shape, inputs.dtype) for _ in range(self._towers)]


class _WithoutPadding(keras.layers.Layer):
    """Joined parts, as many rows as the tensor had that was cut."""

    def __init__(self) -> None:
        super().__init__(autocast=False)

    def call(self, inputs):
        joined, cut = inputs
        return joined[: tf.shape(cut)[0]]

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs[0].shape, inputs[0].dtype)


class _FiltersInTowers(keras.layers.Layer):
    """A ``Conv2D``: each tower applies its part of the filters to the whole batch."""

    def __init__(self, layer: keras.layers.Conv2D, towers: int) -> None:
        super().__init__(dtype=layer.dtype_policy)
        self.layer, self._towers = layer, towers

    def call(self, inputs):
        kernels = tf.split(tf.convert_to_tensor(self.layer.kernel), self._towers, axis=-1)
        biases = tf.split(tf.convert_to_tensor(self.layer.bias), self._towers)
        pairs = zip(kernels, biases, strict=True)
        return [convolution(self.layer, inputs, kernel, bias) for kernel, bias in pairs]


class _ChannelsInTowers(keras.layers.Layer):
    """A ``BatchNormalization``: each tower normalizes its part of the channels."""

    def __init__(self, layer: BatchNormalization) -> None:
        super().__init__(dtype=layer.dtype_policy)
        self.layer = layer

    def call(self, parts, training=None):
        return self.layer.in_parts(parts, training)
