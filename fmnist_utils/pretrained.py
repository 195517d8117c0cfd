"""A network that was trained on ImageNet's photographs, as a Keras model, and what it computes of images.

It is torchvision's MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381), whose 52 convolutions and 52 batch
normalizations are those of ``keras.applications.MobileNetV2``. Keras's own weights of that network, by
``weights="imagenet"``, are another training's; the host that they come from is often closed.
"""

import hashlib
from pathlib import Path

import numpy as np

from fmnist_utils import runs, training
from fmnist_utils.fast.layers import BatchNormalization
from fmnist_utils.support import files, fingerprint, keys, progress, weights
from fmnist_utils.support.startup import keras

layers = keras.layers

MEAN = (0.485, 0.456, 0.406)  # of ImageNet's pixels in [0, 1]: red, green, blue
DEVIATION = (0.229, 0.224, 0.225)
_EPSILON = 1e-5  # PyTorch's, of batch normalization; Keras's is 1e-3
_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D)
_BATCH = 100  # images at once: more or fewer were slower
_CODE = fingerprint.hashed(fingerprint.codes(fingerprint.with_imports(fingerprint.PACKAGE / "pretrained.py")))


@keras.saving.register_keras_serializable("fmnist_utils")
class ImageNet(keras.initializers.Initializer):
    """The start of a weight where training on ImageNet left it: ``name`` is torchvision's of that weight.

    So a fresh copy of a model, of which every training is one, begins with these weights, too.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, shape, dtype=None):
        values = weights.load()[self.name].T  # PyTorch's axes: outputs, inputs, height, width
        if values.ndim == 4:
            values = values.transpose(1, 0, 2, 3)
        return keras.ops.convert_to_tensor(values.reshape(shape), dtype)

    def get_config(self) -> dict[str, str]:
        return {"name": self.name}


def backbone(side: int = 97) -> keras.Model:
    """MobileNetV2 without its last layer, 2,257,984 parameters, with ImageNet's weights.

    From float images, (n, side, side, 3), in units of ``DEVIATION`` from ``MEAN``, to the outputs of its last
    convolution, (n, side / 32 rounded up, the same, 1280). Layers are called as in Keras's own.

    Args:
        side: in pixels, such as 97, 161 or 225. One more than a multiple of 32: only then is Keras's padding
            at each of the five strides of two PyTorch's, a pixel on every side.

    Raises:
        ValueError: another side.
        DataError: the weights could not be found.
    """
    if side < 33 or side % 32 != 1:
        raise ValueError(f"side is {side}; expected one more than a multiple of 32, such as 97, 161 or 225")
    plain = keras.applications.MobileNetV2((side, side, 3), include_top=False, weights=None)
    names = _torchvision_names(plain)
    return keras.models.clone_model(
        plain, clone_function=lambda layer: _as_trained(layer, names.get(layer.name))
    )


def of_grey(model: keras.Model) -> keras.Model:
    """A model for the series' images, which are enlarged, given three channels, and normalized for ``model``.

    From grey images in [0, 1], (n, 28, 28, 1), to what ``model``, which takes images as ``backbone`` does,
    makes of them.
    """
    side = model.input_shape[1]
    images = keras.Input((28, 28, 1), name="image")
    resize = layers.Resizing(side, side, interpolation="bilinear", dtype="float32")
    enlarged = resize(images, training=False)  # True by default, and handed on to the layers behind it
    colour = layers.Concatenate(dtype="float32")([enlarged] * 3)
    return keras.Model(images, model(_normalization()(colour)), name=model.name)


def of_colour(model: keras.Model) -> keras.Model:
    """A model for photographs: from images in [0, 1] that are as large as ``model`` takes them.

    Images are (n, side, side, 3), red, green and blue; they are normalized for ``model``, which takes images as
    ``backbone`` does.
    """
    images = keras.Input(model.input_shape[1:], name="image")
    return keras.Model(images, model(_normalization()(images)), name=model.name)


def pooled(model: keras.Model, layer: str = "", cells: int = 1) -> keras.Model:
    """A model that gives the means of a layer's outputs over ``cells`` x ``cells`` parts of the picture.

    Args:
        model: as ``backbone`` gives it.
        layer: its name; the last layer if none is given.
        cells: 1 is global average pooling, (n, channels); with 2 each quarter has its own means,
            (n, 4 * channels): something of where things are is left. What does not divide is cut off,
            at the right and below.
    """
    outputs = model.get_layer(layer).output if layer else model.output
    size, rest = divmod(outputs.shape[1], cells)
    whole = layers.Cropping2D(((0, rest), (0, rest)))(outputs)
    return keras.Model(model.input, layers.Flatten()(layers.AveragePooling2D(size)(whole)), name=model.name)


def features(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """What a model computes of images, float32, (n, ...): computed once and kept in the run, in float16.

    Args:
        model: from images in [0, 1], (n, height, width, channels). Batch normalization is in inference mode.
        images: uint8, shape (n, height, width); in colour (n, height, width, 3).
    """
    content = hashlib.sha256(np.ascontiguousarray(images).data)
    for values in model.get_weights():
        content.update(np.ascontiguousarray(values).data)
    parts = [keys.architecture(model), images.shape, content.hexdigest(), keras.__version__, _CODE]
    path = runs.runs_dir() / "features" / f"{fingerprint.hashed(parts)}.npy"
    with files.locked(path):
        found = _kept(path, len(images))
        if found is None:
            found = training.predict(folded(model), images, _BATCH).astype(np.float16)
            _keep(path, found)
    return found.astype(np.float32)


def folded(model: keras.Model) -> keras.Model:
    """A model that predicts the same, the constants of its batch normalization multiplied into its kernels.

    In inference mode a normalization multiplies each channel and adds to it, and the convolution before it can
    do that by other weights. It stays if no convolution without activation stands directly before it. The
    weights of such a model can be saved, the model itself cannot.
    """
    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    norms = _normalizations(model)

    def without(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, keras.Model):
            return folded(layer)
        if layer in norms.values():
            return layers.Identity(name=layer.name, dtype=layer.dtype_policy)
        config = layer.get_config()
        return layer.from_config(config | {"use_bias": True} if layer in norms else config)

    def call(layer: keras.Layer, *inputs, **options):  # Identity takes nothing but its input
        return layer(*inputs, **({} if isinstance(layer, layers.Identity) else options))

    made = keras.models.clone_model(model, clone_function=without, call_function=call)
    for layer, copy in zip(model.layers, made.layers, strict=True):
        if layer in norms:
            copy.set_weights(_folded_weights(layer, norms[layer]))
        elif not isinstance(layer, keras.Model) and layer not in norms.values():
            copy.set_weights(layer.get_weights())
    return made


def _normalization() -> keras.Layer:
    return layers.Normalization(mean=MEAN, variance=np.square(DEVIATION), dtype="float32")


def _kept(path: Path, count: int) -> np.ndarray | None:
    """Features that were kept of so many images; None if there are none, or they cannot be read any more."""
    try:
        found = np.load(path, allow_pickle=False)
        if found.shape[:1] != (count,):
            raise ValueError(f"its shape is {found.shape}, and there are {count} images")
        return found
    except FileNotFoundError:
        return None
    except Exception as error:  # of a damaged head NumPy raises whatever its parser does
        progress.Line(f"features: computed anew, because what was kept cannot be read: {error}")
        return None


def _keep(path: Path, found: np.ndarray) -> None:
    try:
        with files.whole(path) as beside, beside.open("wb") as file:
            np.save(file, found)
    except OSError as error:  # a full disk, a folder that only others may write to
        progress.Line(f"features: could not be kept in this run ({error})")


def _as_trained(layer: keras.Layer, name: str | None) -> keras.Layer:
    """A layer of Keras's MobileNetV2 that begins with ImageNet's weights, its batch normalization fused.

    ``name`` is torchvision's of the layer; None for one without weights.
    """
    config = layer.get_config()
    if isinstance(layer, layers.ZeroPadding2D):  # the convolution after it pads
        return layers.Identity(name=layer.name)
    if isinstance(layer, layers.BatchNormalization):
        parts = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean"}
        parts |= {"moving_variance": "running_var"}
        config |= {f"{part}_initializer": ImageNet(f"{name}.{of_torch}") for part, of_torch in parts.items()}
        return BatchNormalization.from_config(config | {"epsilon": _EPSILON, "momentum": 0.9})
    if name:
        part = "depthwise" if isinstance(layer, layers.DepthwiseConv2D) else "kernel"
        config |= {f"{part}_initializer": ImageNet(f"{name}.weight"), "padding": "same"}
    return layer.from_config(config)


def _torchvision_names(model: keras.Model) -> dict[str, str]:
    """What torchvision calls the layers of Keras's MobileNetV2 that have weights, by their names in Keras.

    Both have them in one order.
    """
    arrays = weights.load()
    kernels = [name for name, values in arrays.items() if values.ndim == 4]
    means = [name for name in arrays if name.endswith(".running_mean")]
    found: dict[str, str] = {}
    for kinds, names in ((_CONVOLUTIONS, kernels), (layers.BatchNormalization, means)):
        own = [layer.name for layer in model.layers if isinstance(layer, kinds)]
        found |= {layer: name.rpartition(".")[0] for layer, name in zip(own, names, strict=True)}
    return found


def _normalizations(model: keras.Model) -> dict[keras.Layer, keras.Layer]:
    """The convolutions of a model, each with the batch normalization that alone takes its outputs."""
    called_once = [layer for layer in model.layers if len(layer._inbound_nodes) == 1]
    takers: dict[int, list[keras.Layer | None]] = {id(tensor): [None] for tensor in model.outputs}
    for layer in model.layers:
        for node in layer._inbound_nodes:
            for tensor in node.input_tensors:
                takers.setdefault(id(tensor), []).append(layer)
    found: dict[keras.Layer, keras.Layer] = {}
    for layer in called_once:
        linear = getattr(layer, "activation", None) is keras.activations.linear
        after = takers.get(id(layer.output), [])
        if type(layer) in _CONVOLUTIONS and linear and len(after) == 1 and _normalizes_channels(after[0]):
            found[layer] = after[0]
    return found


def _normalizes_channels(layer: keras.Layer | None) -> bool:
    """Whether it is a batch normalization of channels that is called only here."""
    if not isinstance(layer, layers.BatchNormalization):
        return False
    return layer.axis in (-1, 3) and len(layer._inbound_nodes) == 1


def _folded_weights(convolution: keras.Layer, norm: keras.Layer) -> list[np.ndarray]:
    kernel, *bias = convolution.get_weights()
    mean, variance = norm.get_weights()[-2:]
    gamma = norm.gamma.numpy() if norm.scale else 1.0
    beta = norm.beta.numpy() if norm.center else 0.0
    scale = gamma / np.sqrt(variance + norm.epsilon)
    by_channel = scale
    if isinstance(convolution, layers.DepthwiseConv2D):  # height, width, channels, kernels of each
        by_channel = scale.reshape(kernel.shape[2:])
    return [kernel * by_channel, beta + (sum(bias) - mean) * scale]
