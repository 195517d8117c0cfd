"""Drawings say what was computed and what the model has, in letters that can be read, none on another."""

import itertools
import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from matplotlib.text import Text

from fmnist_utils import drawings, models, plots, pretrained
from fmnist_utils.support.startup import keras

layers = keras.layers
NETWORKS = [
    *(models.dense, models.two_conv, models.three_conv, models.blog),
    *(models.batchnorm, models.control, models.champion),
]


def linear(units=10):
    return keras.Sequential(
        [keras.Input((28, 28)), layers.Flatten(), layers.Dense(units, activation="softmax")]
    )


def hidden(width=64):
    dense = [layers.Dense(width, activation="relu"), layers.Dense(10, activation="softmax")]
    return keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), *dense])


def residual(filters=8):
    images = keras.Input((12, 12, filters))
    x = layers.Conv2D(filters, 3, padding="same")(images)
    outputs = layers.Add()([images, layers.BatchNormalization()(x)])
    return keras.Model(images, outputs)


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def transferred(frozen_until, norms_too=True, side=97):
    """MobileNetV2 with a new dense layer; its layers up to one, and perhaps its normalizations, are frozen."""
    trunk = pretrained.backbone(side)
    names = [layer.name for layer in trunk.layers]
    for place, layer in enumerate(trunk.layers):
        late = not frozen_until or place > names.index(frozen_until)
        layer.trainable = late and (norms_too or not isinstance(layer, layers.BatchNormalization))
    grey = pretrained.of_grey(pretrained.pooled(trunk))
    return keras.Model(grey.input, layers.Dense(10, activation="softmax")(grey.output))


@pytest.fixture(scope="module")
def set_ups():
    return {
        "a linear model on frozen features": transferred("out_relu"),
        "the last block": transferred("block_15_add", norms_too=False),
        "everything": transferred(""),
        "from scratch": models.two_conv(),
    }


@pytest.fixture(scope="module")
def trunk():
    return pretrained.backbone(97)


@pytest.fixture(scope="module")
def picture():
    return np.round(np.random.default_rng(0).random((28, 28)), 2)


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text().strip()]


def is_legible(figure: Figure) -> bool:
    """Whether, as it is shown, all letters are large enough, none is cut off and no text is on another."""
    assert isinstance(figure, Figure)
    plots._enlarge_letters(figure)
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    texts = [text for text in plots._texts(figure) if on_screen(text)]
    boxes = {text: text.get_window_extent(renderer) for text in texts}
    for (a, box), (b, other) in itertools.combinations(boxes.items(), 2):
        wide = min(box.x1, other.x1) - max(box.x0, other.x0)
        tall = min(box.y1, other.y1) - max(box.y0, other.y0)
        assert wide < 1 or tall < 1, f"{a.get_text()!r} is on {b.get_text()!r}"
    canvas = figure.bbox.padded(1)
    for text, box in boxes.items():
        assert canvas.contains(box.x0, box.y0) and canvas.contains(box.x1, box.y1), text.get_text()
    return plots.letter_height(figure) >= plots.SMALLEST_LETTER


def on_screen(text: Text) -> bool:
    """Not the label of a tick beyond the ends of its axis, which Matplotlib keeps but does not draw."""
    if text.axes is None or text in text.axes.texts:
        return True
    low, high = sorted(text.axes.get_xlim())
    return text not in text.axes.get_xticklabels() or low <= text.get_position()[0] <= high


def shapes(model) -> list[str]:
    found = [" × ".join(f"{n:,}" for n in model.input_shape[1:])]
    return found + [" × ".join(f"{n:,}" for n in layer.output.shape[1:]) for layer in model.layers]


@pytest.mark.parametrize("build", [*NETWORKS, linear, hidden, residual], ids=lambda build: build.__name__)
def test_a_network_is_drawn_with_all_its_shapes(build):
    model = build()
    figure = plots.network(model)
    said = words(figure)
    assert set(shapes(model)) <= set(said)
    assert any(text.endswith(f"{model.count_params():,} parameters") for text in said)
    assert is_legible(figure)


def test_a_network_has_a_block_for_each_layer_that_makes_something_new():
    model = models.champion()
    said = words(plots.network(model))
    kinds = [type(layer).__name__ for layer in model.layers]
    assert said.count("Conv2D") == kinds.count("Conv2D") == 9
    assert said.count("+") == kinds.count("Add") == 3
    assert said.count("ReLU") == said.count("BatchNormalization") == 1, "once, where the marks are explained"
    assert said.count("14 × 14 × 48") == 3


def test_a_networks_words_follow_the_model():
    said = words(plots.network(hidden(37)))
    assert "37" in said and "64" not in said
    said = words(plots.network(models.two_conv(dropout=0.25)))
    assert {"Dropout 0.25", "conv_1", "Conv2D", "3 × 3", "ReLU", "softmax", "1,600"} <= set(said)
    assert not any("max_pooling" in text or "sequential" in text for text in words(plots.network(hidden())))


def test_a_network_that_shares_layers_is_drawn_too():
    model = models.two_conv()
    longer = keras.Sequential([keras.Input((28, 28, 1)), layers.Rescaling(2.0), *model.layers])
    assert {"Rescaling", "26 × 26 × 32"} <= set(words(plots.network(longer)))
    assert set(shapes(model)) <= set(words(plots.network(model)))


def test_what_is_no_chain_of_layers_is_not_drawn():
    images = keras.Input((8,))
    one, two = layers.Dense(4)(images), layers.Dense(4)(images)
    with pytest.raises(ValueError, match="chain"):
        plots.network(keras.Model(images, layers.Add()([one, two])))
    with pytest.raises(ValueError, match="no shapes yet"):
        plots.network(keras.Sequential([layers.Dense(4)]))


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_a_neuron_shows_its_products_and_their_sum(count):
    inputs, weights = (
        np.array([0.5, 0.25, 1, 0, 0.1, 0.7])[:count],
        np.array([0.8, -0.4, 0.3, 2, -1, 0.5])[:count],
    )
    figure = drawings.neuron(inputs, weights, -0.1)
    said = words(figure)
    total = float(inputs @ weights - 0.1)
    assert sum(number(text) == pytest.approx(total) for text in said if is_number(text)) >= 1
    for product in inputs * weights:
        assert any(is_number(text) and number(text) == pytest.approx(product) for text in said)
    assert {f"input {i + 1}" for i in range(count)} <= set(said)
    assert is_legible(figure)


def test_a_neuron_says_where_its_numbers_are_rounded():
    assert "0.4 + (−0.1) + 0.1 = 0.4" in words(drawings.neuron([0.5, 0.25], [0.8, -0.4], 0.1))
    small = np.array([-0.5, 0.25], "float32"), np.array([0.8, 0.4], "float32")
    assert "−0.4 + 0.1 + (−0.2) = −0.5" in words(drawings.neuron(*small, -0.2))
    rounded = words(drawings.neuron([1 / 3, 1 / 3], [0.5, 0.5], 0, ["left", "right"]))
    assert "0.167 + 0.167 + 0 ≈ 0.333" in rounded and {"left", "right"} <= set(rounded)
    with pytest.raises(ValueError, match="one to six inputs"):
        drawings.neuron([1, 2], [1], 0)


def test_a_kernel_at_work_shows_what_a_convolution_computes(picture):
    kernel = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    row, column = 10, 8
    figure = drawings.kernel_at_work(picture[..., None], kernel, row, column)
    said = words(figure)
    layer = layers.Conv2D(1, 3, use_bias=False)
    layer.build((None, 28, 28, 1))
    layer.set_weights([kernel[..., None, None].astype("float32")])
    feature_map = np.asarray(layer(picture[None, ..., None].astype("float32")))[0, ..., 0]
    place = said.index("sum") - 1
    assert number(said[place]) == pytest.approx(feature_map[row, column], abs=1e-3)
    for value in (picture[row : row + 3, column : column + 3] * kernel).ravel():
        assert f"{value + 0.0:.2f}".replace("-", "−") in said
    assert {"image, 28 × 28", "map, 26 × 26", "row 10,\ncolumn 8\nof the map"} <= set(said)
    drawn = [np.asarray(image.get_array()) for image in figure.axes[0].images]
    assert np.array_equal(drawn[0], picture) and np.allclose(drawn[1], feature_map, atol=1e-5)
    assert is_legible(figure)


@pytest.mark.parametrize("place", [(0, 0), (25, 25), (0, 25), (25, 0)])
def test_a_kernel_works_up_to_the_maps_corners_and_no_further(picture, place):
    assert is_legible(drawings.kernel_at_work(picture * 255, -np.ones((3, 3, 1, 1)) / 9, *place))
    with pytest.raises(ValueError, match="26 × 26"):
        drawings.kernel_at_work(picture, np.ones((3, 3)), 26, 0)
    with pytest.raises(ValueError, match="3 × 3 numbers"):
        drawings.kernel_at_work(picture, np.ones((5, 5)), 0, 0)


@pytest.mark.parametrize(("read", "made", "bias"), [(1, 32, True), (2, 8, True), (3, 4, False), (32, 64, True)])
def test_a_kernel_over_maps_counts_what_the_layer_has(read, made, bias):
    layer = layers.Conv2D(made, 3, use_bias=bias)
    layer.build((None, 13, 13, read))
    figure = drawings.kernel_over_maps(layer)
    said = words(figure)
    assert any(f"= {9 * read:,} products" in text for text in said)
    assert f"new map 1 of {made}" in said and f"map {read}" in said
    assert any(text.startswith("bias") for text in said) == bias
    weights = np.asarray(layer.kernel)[:, :, -1, 0].ravel()
    assert {f"{weight + 0.0:.3f}".replace("-", "−") for weight in weights} <= {
        t.replace("−0.000", "0.000") for t in said
    }
    assert is_legible(figure)


def test_a_kernel_over_maps_needs_a_built_convolution():
    for layer in (layers.Conv2D(8, 3), layers.Flatten()):
        with pytest.raises(ValueError, match="built Conv2D"):
            drawings.kernel_over_maps(layer)
    layer = layers.Conv2D(8, 5)
    layer.build((None, 13, 13, 4))
    assert is_legible(drawings.kernel_over_maps(layer))


@pytest.mark.parametrize("shift", [0.0, -3.0, 40.0])
def test_normalization_is_what_the_layer_computes(shift):
    batch = np.random.default_rng(0).normal(2 + shift, 1.5, (16, 4)).astype("float32")
    layer = layers.BatchNormalization()
    layer.build((None, 1))
    layer.set_weights([np.array([value]) for value in (1.0, 0.0, 1.2 + shift, 0.8)])
    inference = np.asarray(layer(batch.reshape(-1, 1), training=False))
    training = np.asarray(layer(batch.reshape(-1, 1), training=True))
    figure = drawings.normalization_modes(batch, 1.2 + shift, 0.8)
    said = "\n".join(words(figure)).replace("−0.00", "0.00")
    for name, values in (("this batch: ", batch), ("", training), ("", inference)):
        mean = f"{values.mean():.2f}".replace("-", "−").replace("−0.00", "0.00")
        assert f"{name}mean {mean}, spread {values.std():.2f}" in said
    assert f"spread {math.sqrt(0.8):.2f}" in said
    for axis, values in zip(figure.axes, (batch, training, inference), strict=True):
        bars = [(bar.get_x(), bar.get_height()) for bar in axis.patches]
        assert sum(height for _, height in bars) == batch.size, "every value is in a bar"
        assert min(x for x, height in bars if height) <= values.min() + 1e-4
    assert is_legible(figure)


def test_normalization_needs_values():
    with pytest.raises(ValueError, match="some values"):
        drawings.normalization_modes(np.array([]), 0.0, 1.0)
    with pytest.raises(ValueError, match="below zero"):
        drawings.normalization_modes(np.ones(3), 0.0, -1.0)
    assert is_legible(drawings.normalization_modes(np.ones(3), 1.0, 0.0)), "all values alike"


def test_a_residual_block_is_the_models_first():
    figure = drawings.residual_block(models.champion())
    said = words(figure)
    assert said.count("Conv2D\n3 × 3") == said.count("Batch\nNormalization") == said.count("ReLU") == 2
    assert said.count("14 × 14 × 48") == 4 and "the way round: 14 × 14 × 48, unchanged" in said
    assert is_legible(figure)


def test_a_residual_blocks_shapes_come_from_the_model():
    said = words(drawings.residual_block(residual(24)))
    assert said.count("12 × 12 × 24") == 3 and "ReLU" not in said
    assert is_legible(drawings.residual_block(residual()))
    with pytest.raises(ValueError, match="no residual block"):
        drawings.residual_block(models.two_conv())


def test_a_layer_has_a_box_of_its_own_where_the_screen_is_wide_enough(trunk):
    assert len(drawings.residual_block(models.champion()).findobj(FancyBboxPatch)) == 6
    assert len(drawings.residual_block(trunk).findobj(FancyBboxPatch)) == 3, "of eight layers"


@pytest.mark.parametrize(
    ("add", "size", "narrow", "wide"),
    [
        ("", 25, 24, 144),
        ("block_2_add", 25, 24, 144),
        ("block_5_add", 13, 32, 192),
        ("block_15_add", 4, 160, 960),
    ],
)
def test_mobilenets_residual_blocks_widen_and_narrow(trunk, add, size, narrow, wide):
    figure = drawings.residual_block(trunk, add)
    said = words(figure)
    assert "1 × 1 convolution\nnormalization\nReLU6" in said
    assert "depthwise\n3 × 3 convolution\nnormalization\nReLU6" in said
    assert "1 × 1 convolution\nnormalization" in said
    assert said.count(f"{size} × {size} × {wide}") == 2 and said.count(f"{size} × {size} × {narrow}") == 3
    assert {f"widens to {wide} maps", "each map by itself", f"narrows to {narrow} maps"} <= set(said)
    assert f"the way round: {size} × {size} × {narrow}, unchanged" in said
    assert is_legible(figure)


def test_a_residual_block_is_found_by_its_additions_name(trunk):
    with pytest.raises(ValueError, match=r"no Add layer block_1_add; it has block_2_add, block_4_add"):
        drawings.residual_block(trunk, "block_1_add")


def test_trained_parts_counts_what_is_trained(set_ups):
    figure = drawings.trained_parts(set_ups)
    said = words(figure)
    assert set(set_ups) <= set(said)
    kernels = 160 * 960 + 9 * 960 + 960 * 320 + 320 * 1280  # of the last block and of the last convolution
    counts = ["12,810", f"{kernels + 12_810:,}", "2,236,682", f"{models.two_conv().count_params():,}"]
    assert [text for text in said if text in counts] == counts
    assert said.count("17 blocks") == said.count("17") == 3
    assert said.count("10\nclasses") == 4 and said.count("convolution\n1,280 maps") == 3
    assert {"convolution\n64 maps", "dense\n128"} <= set(said)
    assert {"borrowed, frozen", "borrowed, trained further", "new, trained"} <= set(said)
    assert "new, frozen" not in said
    assert is_legible(figure)


def test_frozen_parts_are_hatched_in_a_broken_border_and_no_others(set_ups):
    figure = drawings.trained_parts(set_ups)
    looks = [look(figure, text) for text in figure.findobj(Text) if text.get_text() in ("1", "16", "17")]
    frozen, trained_on = looks[0], looks[-1]
    assert frozen == (True, "--", looks[0][2]) and trained_on == (False, "-", looks[-1][2])
    assert looks == [frozen] * 3 + [frozen, frozen, trained_on] + [trained_on] * 3
    new = {look(figure, text) for text in figure.findobj(Text) if text.get_text() == "10\nclasses"}
    assert len(new) == 1 and new.isdisjoint(looks) and not next(iter(new))[0]
    hatched = [box for box in figure.findobj(Rectangle) if box.get_hatch()]
    assert len(hatched) == 19 + 17 + 1, "first row, second row, legend"


def test_trained_parts_shows_in_grey_what_it_shows_in_colour(set_ups):
    figure = drawings.trained_parts(set_ups)
    faces = {
        look(figure, text)[2] for text in figure.findobj(Text) if text.get_text() in ("1", "17", "10\nclasses")
    }
    greys = sorted(0.3 * red + 0.59 * green + 0.11 * blue for red, green, blue in faces)
    assert len(greys) == 3 and np.diff(greys).min() > 0.15


def test_a_part_is_frozen_by_its_kernels_not_its_normalization():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    model.layers[0].trainable = False
    figure = drawings.trained_parts({"new kernels, frozen": model})
    said = words(figure)
    assert "new, frozen" in said and "new, trained" in said and not any("borrowed" in text for text in said)
    assert f"{8 + 144 * 2 + 2:,}" in said, "scale and shift of the four maps are trained"
    hatched = [look(figure, text)[0] for text in figure.findobj(Text) if "maps" in text.get_text()]
    assert hatched == [True] and is_legible(figure)


def test_trained_parts_says_what_it_cannot_draw():
    with pytest.raises(ValueError, match="one to 5 models"):
        drawings.trained_parts({})
    with pytest.raises(ValueError, match="has no weights"):
        drawings.trained_parts({"unbuilt": keras.Sequential([layers.Dense(4)])})
    with pytest.raises(ValueError, match="too many for a screen"):
        drawings.trained_parts({"long": models.champion()})
    assert is_legible(drawings.trained_parts({f"{i}": hidden() for i in range(5)}))


@pytest.mark.parametrize("seed", [0, 1])
def test_a_depthwise_convolution_shows_what_keras_computes(seed):
    rng = np.random.default_rng(seed)
    maps, kernels, mixing = rng.random((12, 12, 3)), rng.normal(size=(3, 3, 3)), rng.normal(size=(3, 2))
    figure = drawings.depthwise(maps, kernels, mixing)
    images = maps[None].astype("float32")
    own = np.asarray(keras.ops.depthwise_conv(images, kernels[..., None].astype("float32")))[0]
    drawn = [np.asarray(image.get_array()) for image in figure.axes[0].images]
    made = np.moveaxis(own @ mixing, -1, 0)
    expected = [*itertools.chain(*zip(np.moveaxis(maps, -1, 0), np.moveaxis(own, -1, 0), strict=True)), *made]
    for shown, values in zip(drawn, expected, strict=True):
        assert np.allclose(shown, values, atol=1e-4)
    said = words(figure)
    assert {f"× {weight:.3f}".replace("-", "−") for weight in mixing.ravel()} <= set(said)
    assert {f"{weight:.3f}".replace("-", "−") for weight in kernels.ravel()} <= set(said)
    assert {"3 × 3 × 3 × 2 = 54 weights", "3 × 9 + 3 × 2 = 33 weights"} <= set(said)
    assert {"12 × 12 × 3", "10 × 10 × 3", "10 × 10 × 2"} <= set(said)
    assert is_legible(figure)


def test_a_depthwise_convolution_needs_three_maps_and_makes_two():
    arrays = np.zeros((5, 6, 3)), np.zeros((3, 3, 3)), np.zeros((3, 2))
    assert is_legible(drawings.depthwise(*arrays)), "nothing to see in any map"
    for place, wrong in (
        (0, np.zeros((5, 5))),
        (0, np.zeros((2, 5, 3))),
        (1, np.zeros((5, 5, 3))),
        (2, np.ones(6)),
    ):
        with pytest.raises(ValueError, match="three maps" if place == 0 else "expected the shapes"):
            drawings.depthwise(*arrays[:place], wrong, *arrays[place + 1 :])


def look(figure: Figure, text: Text) -> tuple[bool, str, tuple[float, ...]]:
    """Of the part on which a text stands: whether it is hatched, its border's line, its colour."""
    x, y = text.get_position()
    boxes = [box for box in figure.findobj(Rectangle) if box.axes is text.axes and box is not text.axes.patch]
    face, border = (box for box in boxes if box.get_bbox().contains(x, y))
    return face.get_hatch() is not None, border.get_linestyle(), tuple(face.get_facecolor()[:3])


def is_number(text: str) -> bool:
    try:
        number(text)
    except ValueError:
        return False
    return True


def number(text: str) -> float:
    return float(text.replace("−", "-"))
