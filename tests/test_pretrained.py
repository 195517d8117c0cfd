"""The borrowed network is torchvision's, to the last value, and features are kept only for what they are of."""

import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from fmnist_utils import data, models, pretrained, runs, training
from fmnist_utils.support import copies, saved, weights
from fmnist_utils.support.startup import keras, tf

layers = keras.layers

# torchvision's names of Keras's layers, after "features.": written down here a second time, by hand.
ENDS = {"Conv1": "0.0", "bn_Conv1": "0.1", "Conv_1": "18.0", "Conv_1_bn": "18.1"}
FIRST = {"depthwise": "0.0", "depthwise_BN": "0.1", "project": "1", "project_BN": "2"}
LATER = {"expand": "0.0", "expand_BN": "0.1", "depthwise": "1.0", "depthwise_BN": "1.1"}
LATER |= {"project": "2", "project_BN": "3"}
NAMES = ENDS | {f"expanded_conv_{part}": f"1.conv.{place}" for part, place in FIRST.items()}
NAMES |= {f"block_{n}_{part}": f"{n + 1}.conv.{place}" for n in range(1, 17) for part, place in LATER.items()}
NORM = ("weight", "bias", "running_mean", "running_var")

PALACE = 698
BUILDINGS = {442, 497, 663, 668, PALACE, 832}  # bell cote, church, monastery, mosque, palace, stupa


@pytest.fixture(autouse=True)
def float32(own_folders):
    keras.config.set_dtype_policy("float32")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="module")
def arrays():
    try:
        return weights.load()
    except weights.DataError as error:
        pytest.skip(f"the pre-trained weights are not here: {str(error).splitlines()[0]}")


@pytest.fixture(scope="module")
def trunk(arrays):
    """Left as it is by every test."""
    keras.config.set_dtype_policy("float32")
    return pretrained.backbone(97)


def norms(model) -> list[keras.Layer]:
    return [layer for layer in model._flatten_layers() if isinstance(layer, layers.BatchNormalization)]


def functional(build, shape=(9, 9, 4)) -> keras.Model:
    """A model of what ``build`` makes of its images, with weights of no particular kind."""
    images = keras.Input(shape)
    return with_other_weights(keras.Model(images, build(images)))


def with_other_weights(model, low=0.5, high=1.5) -> keras.Model:
    """Kernels of both signs, all else between two numbers: variances are positive."""
    rng = np.random.default_rng(0)
    lowest = [-high if weight.name == "kernel" else low for weight in model.weights]
    model.set_weights([rng.uniform(a, high, w.shape) for a, w in zip(lowest, model.weights, strict=True)])
    return model


def noise(model, count=3) -> np.ndarray:
    return np.random.default_rng(1).uniform(0, 1, (count, *model.input_shape[1:])).astype(np.float32)


# The network


def test_every_array_of_the_file_stands_in_its_layer_and_in_no_other(trunk, arrays):
    used = []
    for layer in [layer for layer in trunk.layers if layer.weights]:
        for part, values in zip(NORM, layer.get_weights(), strict=False):
            used.append(f"features.{NAMES[layer.name]}.{part}")
            if values.ndim == 4:  # height, width, inputs, outputs; of a depthwise one channels, 1
                depthwise = isinstance(layer, layers.DepthwiseConv2D)
                values = values.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
            np.testing.assert_array_equal(values, arrays[used[-1]], err_msg=layer.name)
    assert len(used) == len(set(used)) == 52 + 4 * 52
    others = {name for name in arrays if not name.endswith(".num_batches_tracked")} - set(used)
    assert others == {"classifier.1.weight", "classifier.1.bias"}


def test_it_is_a_model_of_52_convolutions_and_as_many_normalizations(trunk):
    convolutions = [x for x in trunk.layers if isinstance(x, layers.Conv2D | layers.DepthwiseConv2D)]
    assert (len(convolutions), len(norms(trunk))) == (52, 52)
    assert {norm.epsilon for norm in norms(trunk)} == {1e-5}, "Keras's own is another"
    assert trunk.count_params() == 2_257_984
    assert trunk.output_shape == (None, 4, 4, 1280)


def picture(name: str, side: int) -> np.ndarray:
    """The left square of a photograph of scikit-learn's, as the network takes it."""
    pixels = tf.image.resize(load_sample_image(name)[:, :427] / 255, (side, side), antialias=True).numpy()
    return ((pixels - pretrained.MEAN) / pretrained.DEVIATION).astype(np.float32)


def pictures(side: int) -> np.ndarray:
    return np.stack([picture(name, side) for name in ("china.jpg", "flower.jpg")])


def logits(means: np.ndarray, arrays) -> np.ndarray:
    """What torchvision's last layer makes of the means of the last outputs."""
    return means @ arrays["classifier.1.weight"].T + arrays["classifier.1.bias"]


def test_it_knows_a_palace_and_takes_no_flower_for_a_building(trunk, arrays):
    """The flower is a dahlia, of which ImageNet has no class: at 225 pixels it is a mushroom or a honeycomb."""
    palace, flower = logits(trunk(pictures(97)).numpy().mean((1, 2)), arrays)
    assert palace.argmax() == PALACE
    assert not set(flower.argsort()[-5:]) & BUILDINGS


def test_it_computes_what_pytorch_computed_of_waves(trunk, arrays):
    """The figures are PyTorch 2.13's, by ``by_torch``, so that this is seen where there is no PyTorch, too."""
    waves = 2 * np.sin(np.arange(97 * 97 * 3) ** 2 / 1e5).reshape(1, 97, 97, 3).astype(np.float32)
    outputs = trunk(waves).numpy()
    top = [[0.27590, 0.76790, 0.83435, 0.71822], [0.43451, 1.00590, 1.13820, 1.01436]]
    np.testing.assert_allclose(outputs.mean(axis=(0, 3))[:2], top, atol=1e-3)
    answers = logits(outputs.mean((1, 2)), arrays)[0]
    assert answers.argsort()[:-6:-1].tolist() == [811, 754, 401, 581, 650]
    np.testing.assert_allclose(np.sort(answers)[:-4:-1], [23.67098, 21.83547, 16.41946], atol=5e-3)


def by_torch(torch, arrays, images: np.ndarray) -> np.ndarray:
    """The network in PyTorch's own functions, written out from its paper; outputs as Keras has them."""
    given = {name: torch.from_numpy(values.copy()) for name, values in arrays.items()}

    def step(x, convolution, norm, stride=1, capped=True):
        kernel = given[f"features.{convolution}.weight"]
        options = {"padding": kernel.shape[-1] // 2, "groups": x.shape[1] // kernel.shape[1]}
        x = torch.nn.functional.conv2d(x, kernel, stride=stride, **options)
        scale, offset, mean, variance = (given[f"features.{norm}.{part}"] for part in NORM)
        x = torch.nn.functional.batch_norm(x, mean, variance, scale, offset, eps=1e-5)
        return torch.nn.functional.relu6(x) if capped else x

    x = step(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()), "0.0", "0.1", stride=2)
    x = step(x, "1.conv.0.0", "1.conv.0.1")
    x = step(x, "1.conv.1", "1.conv.2", capped=False)
    for place in range(2, 18):
        inner = step(x, f"{place}.conv.0.0", f"{place}.conv.0.1")
        inner = step(inner, f"{place}.conv.1.0", f"{place}.conv.1.1", stride=2 if place in (2, 4, 7, 14) else 1)
        inner = step(inner, f"{place}.conv.2", f"{place}.conv.3", capped=False)
        x = x + inner if x.shape == inner.shape else inner
    return step(x, "18.0", "18.1").numpy().transpose(0, 2, 3, 1)


@pytest.mark.parametrize("side", [97, 161])
def test_pytorch_computes_the_same(side, trunk, arrays):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; the lessons do without it")
    images = pictures(side)
    found = (trunk if side == 97 else pretrained.backbone(side))(images).numpy()
    expected = by_torch(torch, arrays, images)
    print(f"side {side}: differs by {np.abs(found - expected).max():.1e}, outputs to {expected.max():.1f}")
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-4)
    answers = [logits(outputs.mean((1, 2)), arrays).argmax(axis=1).tolist() for outputs in (found, expected)]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("side", [96, 100, 224, 49, 113, 32, 31, 1, 0, -31])
def test_a_side_at_which_keras_pads_otherwise_is_refused(side):
    with pytest.raises(ValueError, match=f"side is {side}; expected one more than a multiple of 32"):
        pretrained.backbone(side)


def test_33_pixels_are_enough(arrays):
    assert pretrained.backbone(33).output_shape == (None, 2, 2, 1280)


# In front of it and behind it


def test_grey_images_are_enlarged_given_three_channels_and_normalized():
    images = keras.Input((33, 33, 3))
    grey = pretrained.of_grey(keras.Model(images, layers.Identity()(images)))
    black, white = grey(np.stack([np.zeros((28, 28, 1)), np.ones((28, 28, 1))])).numpy()
    by_hand = [
        (-2.117904, -2.035714, -1.804444),
        (2.248908, 2.428571, 2.64),
    ]  # as torchvision's documents have it
    for seen, expected in zip((black, white), by_hand, strict=True):
        np.testing.assert_allclose(seen, np.broadcast_to(expected, (33, 33, 3)), rtol=1e-5)
    seen = grey(noise(grey)).numpy() * pretrained.DEVIATION + pretrained.MEAN
    np.testing.assert_allclose(seen[..., [0, 0]], seen[..., 1:], atol=1e-6)
    assert seen.std() > 0.1


def test_photographs_are_normalized_channel_by_channel_and_keep_their_size():
    images = keras.Input((33, 33, 3))
    colour = pretrained.of_colour(keras.Model(images, layers.Identity()(images)))
    photograph = np.random.default_rng(1).random((1, 33, 33, 3)).astype(np.float32)
    expected = (photograph - pretrained.MEAN) / pretrained.DEVIATION
    np.testing.assert_allclose(colour(photograph), expected, atol=1e-5)


def test_features_of_photographs_are_kept_like_others(computed):
    images = keras.Input((33, 33, 3))
    colour = pretrained.of_colour(keras.Model(images, layers.GlobalAveragePooling2D()(images)))
    photographs = np.random.default_rng(2).integers(0, 256, (7, 33, 33, 3), np.uint8)
    expected = (photographs.mean(axis=(1, 2)) / 255 - pretrained.MEAN) / pretrained.DEVIATION
    for _ in range(2):
        np.testing.assert_allclose(pretrained.features(colour, photographs), expected, rtol=1e-3, atol=1e-3)
    assert computed == [7]


def test_called_by_itself_it_normalizes_by_the_moving_averages_and_leaves_them():
    images = keras.Input((33, 33, 3))
    grey = pretrained.of_grey(keras.Model(images, layers.BatchNormalization()(images)))
    before = grey.get_weights()
    called, predicted = grey(noise(grey)), grey.predict(noise(grey), verbose=0)
    np.testing.assert_allclose(called, predicted, rtol=1e-5, atol=1e-5)
    for a, b in zip(before, grey.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("side", "cells"), [(4, 1), (4, 2), (5, 1), (5, 2), (7, 2), (7, 3)])
def test_means_are_those_of_the_parts_and_what_does_not_divide_is_cut_off(side, cells):
    model = functional(lambda images: layers.ReLU(name="inner")(images), (side, side, 3))
    given, size = noise(model), side // cells
    cut = given[:, : size * cells, : size * cells].reshape(3, cells, size, cells, size, 3)
    for layer in ("", "inner"):
        found = pretrained.pooled(model, layer, cells)(given)
        np.testing.assert_allclose(found, cut.mean(axis=(2, 4)).reshape(3, -1), rtol=1e-5)


def test_more_parts_than_half_the_pixels_are_as_many_as_were_asked_for():
    model = functional(layers.ReLU(), (4, 4, 3))
    assert pretrained.pooled(model, cells=3).output_shape == (None, 27)


# Folding


def assert_same_answers(model, other, images=None) -> None:
    images = noise(model) if images is None else images
    expected = keras.tree.flatten(model(images))
    for found, wanted in zip(keras.tree.flatten(other(images)), expected, strict=True):
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5 * scale)
        assert np.std(wanted) > 1e-3 * scale, "answers that are all alike show nothing"


def test_folded_the_network_answers_the_same_without_normalizations(trunk):
    other = pretrained.folded(trunk)
    assert norms(other) == [] and len(norms(trunk)) == 52
    assert_same_answers(trunk, other, pictures(97))


def test_folded_the_champion_answers_the_same():
    champion = with_other_weights(models.champion(), 0.0, 0.2)
    other = pretrained.folded(champion)
    assert 0 < len(norms(other)) < len(norms(champion)), "two stand behind a pool"
    assert_same_answers(champion, other)


def normalized(convolution, **options):
    return lambda images: layers.BatchNormalization(**options)(convolution(images))


def of_a_nested_model(images):
    inner = keras.Input((9, 9, 4))
    return normalized(layers.Conv2D(5, 3))(keras.Model(inner, normalized(layers.Conv2D(6, 3))(inner))(images))


@pytest.mark.parametrize(
    "build",
    {
        "with a bias": normalized(layers.Conv2D(5, 3)),
        "without one": normalized(layers.Conv2D(5, 3, use_bias=False)),
        "in groups": normalized(layers.Conv2D(6, 3, groups=2)),
        "depthwise": normalized(layers.DepthwiseConv2D(3)),
        "in a nested model": of_a_nested_model,
    }.items(),
    ids=lambda pair: pair[0],
)
def test_a_normalization_right_behind_a_convolution_is_folded(build):
    model = functional(build[1])
    other = pretrained.folded(model)
    assert norms(other) == []
    assert_same_answers(model, other)


def taken_twice(images):
    convolved = layers.Conv2D(5, 3)(images)
    return layers.Add()([layers.BatchNormalization()(convolved), convolved])


def given_out_too(images):
    convolved = layers.Conv2D(5, 3)(images)
    return [layers.BatchNormalization()(convolved), convolved]


def with_a_shared_norm(images):
    norm = layers.BatchNormalization()
    return layers.Add()([norm(layers.Conv2D(5, 3)(images)), norm(layers.Conv2D(5, 3)(images))])


def with_a_shared_convolution(images):
    convolution = layers.Conv2D(5, 3)
    parts = [convolution(images), convolution(layers.ReLU(negative_slope=0.5)(images))]
    return layers.Concatenate()([layers.BatchNormalization()(part) for part in parts])


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(normalized(layers.Conv2D(5, 3, activation="relu")), id="an activation between"),
        pytest.param(taken_twice, id="outputs that another layer takes, too"),
        pytest.param(given_out_too, id="outputs that are the model's, too"),
        pytest.param(with_a_shared_norm, id="a normalization for two"),
        pytest.param(with_a_shared_convolution, id="a convolution for two"),
        pytest.param(normalized(layers.Conv2D(7, 3), axis=1), id="rows normalized"),
        pytest.param(normalized(layers.DepthwiseConv2D(3, depth_multiplier=2)), id="depth 2"),
        pytest.param(normalized(layers.Conv2D(5, 3), scale=False), id="no gamma"),
        pytest.param(normalized(layers.Conv2D(5, 3), center=False), id="no beta"),
    ],
)
def test_what_is_not_so_simple_answers_the_same_when_it_is_folded(build):
    model = functional(build)
    assert_same_answers(model, pretrained.folded(model))


@pytest.mark.parametrize("build", [normalized(layers.Conv2D(5, 3, activation="relu")), taken_twice])
def test_a_normalization_stays_behind_an_activation_or_a_convolution_that_two_layers_take(build):
    assert len(norms(pretrained.folded(functional(build)))) == 1


def test_a_sequential_is_folded_too():
    model = with_other_weights(
        keras.Sequential([keras.Input((9, 9, 4)), layers.Conv2D(5, 3), layers.BatchNormalization()])
    )
    assert_same_answers(model, pretrained.folded(model))


# Fine-tuning


def beginning(trunk) -> keras.Model:
    """Its first layers, with two normalizations behind convolutions and one behind a depthwise one."""
    return copies.fresh(keras.Model(trunk.input, trunk.get_layer("expanded_conv_project_BN").output))


def classifier(trunk, trainable=True) -> keras.Model:
    """A new last layer on the first layers, whose normalizations are trainable or not."""
    eyes = beginning(trunk)
    for norm in norms(eyes):
        norm.trainable = trainable
    seen = pretrained.of_grey(pretrained.pooled(eyes))
    return keras.Model(seen.input, layers.Dense(10, activation="softmax", name="classes")(seen.output))


def config() -> training.TrainingConfig:
    return training.TrainingConfig(epochs=1, batch_size=10, seed=0, learning_rate=0.01)


@pytest.fixture
def twenty(real):
    return data.subset(real.train, 20, seed=0)


def moved(model, split) -> tuple[bool, bool]:
    """Whether a training of two steps moves the gammas, and whether it moves the means."""
    before = [norm.get_weights() for norm in norms(model)]
    assert len(before) == 3
    training.fit(model, split, split, config())
    after = [norm.get_weights() for norm in norms(model)]
    return tuple(
        any(not np.array_equal(a[part], b[part]) for a, b in zip(before, after, strict=True)) for part in (0, 2)
    )


def test_a_fresh_copy_begins_with_imagenets_weights_and_a_new_last_layer(trunk):
    grey = pretrained.of_grey(pretrained.pooled(trunk))
    model = keras.Model(grey.input, layers.Dense(10, name="classes")(grey.output))
    again = copies.fresh(model)
    mine = {id(weight) for weight in trunk.weights}
    assert not mine & {id(weight) for weight in again.weights}
    *own, kernel, bias = again.get_weights()
    *expected, other, _ = model.get_weights()
    assert len(own) >= 260
    for a, b in zip(own, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.allclose(kernel, other) and not bias.any()


def test_a_saved_model_with_borrowed_weights_is_loaded_and_keeps_its_own(trunk, tmp_path):
    model = with_other_weights(classifier(trunk))
    model.save(tmp_path / "model.keras")
    loaded = saved.load(tmp_path / "model.keras")
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    (first,) = [layer for layer in loaded._flatten_layers() if layer.name == "Conv1"]
    assert first.kernel_initializer.name == "features.0.0.weight"


def test_a_fine_tuning_is_kept_and_read_back(trunk, twenty, capsys):
    model = classifier(trunk)
    first = training.train_or_load(model, twenty, twenty, config(), name="tuned")
    assert "read back" not in capsys.readouterr().out
    again = training.train_or_load(model, twenty, twenty, config(), name="tuned")
    assert "read back" in capsys.readouterr().out
    assert again.path == first.path and again.history == first.history
    np.testing.assert_array_equal(*(training.predict(t.model, twenty.images) for t in (first, again)))


def test_a_frozen_normalization_stays_as_it_is_and_another_moves(trunk, twenty):
    assert moved(classifier(trunk, trainable=False), twenty) == (False, False)
    assert moved(classifier(trunk, trainable=True), twenty) == (True, True)


def test_keras_does_not_keep_averages_still_by_calling_a_model_with_training_false(trunk, twenty):
    """Keras's guides say that it does. If this fails, Keras has changed, and lesson 9's text has to."""
    eyes, images = beginning(trunk), keras.Input((28, 28, 1))
    colour = layers.Concatenate()([layers.Resizing(97, 97)(images)] * 3)
    means = layers.GlobalAveragePooling2D()(eyes(colour, training=False))
    model = keras.Model(images, layers.Dense(10, activation="softmax")(means))
    assert moved(model, twenty) == (True, True)


# Features


def eyes(seed=0, layer="") -> keras.Model:
    """A small model in the network's place."""
    images = keras.Input((33, 33, 3))
    inner = layers.Conv2D(6, 3, strides=4, name="inner")(images)
    model = keras.Model(images, layers.Conv2D(6, 3, name="last")(layers.BatchNormalization()(inner)))
    rng = np.random.default_rng(seed)
    model.set_weights([rng.uniform(0.1, 1, weight.shape) for weight in model.get_weights()])
    return pretrained.of_grey(pretrained.pooled(model, layer))


@pytest.fixture
def computed(monkeypatch) -> list:
    """Of how many images features were computed, once for each time that this was done."""
    done, predict = [], training.predict

    def counted(model, images, *others):
        done.append(len(images))
        return predict(model, images, *others)

    monkeypatch.setattr(training, "predict", counted)
    return done


def kept() -> list:
    return sorted((runs.runs_dir() / "features").glob("*"))


def test_features_are_the_networks_outputs_within_float16s_precision(trunk, twenty):
    grey = pretrained.of_grey(pretrained.pooled(trunk))
    found = pretrained.features(grey, twenty.images)
    assert found.shape == (20, 1280) and found.dtype == np.float32
    np.testing.assert_array_equal(found, found.astype(np.float16))
    np.testing.assert_allclose(found, grey(data.rescale(twenty.images), training=False), rtol=1e-3, atol=1e-3)
    (path,) = kept()
    assert np.load(path).dtype == np.float16


def test_features_are_computed_once(twenty, computed):
    first = pretrained.features(eyes(), twenty.images)
    np.testing.assert_array_equal(pretrained.features(eyes(), twenty.images), first)
    assert computed == [20] and len(kept()) == 1


@pytest.mark.parametrize("change", ["images", "their number", "layer", "weights", "precision"])
def test_features_of_something_else_are_others(change, twenty, computed):
    pretrained.features(eyes(), twenty.images)
    images = twenty.images.copy()
    if change == "images":
        images[3, 4, 5] ^= 1
    elif change == "their number":
        images = images[:19]
    elif change == "precision":
        training.use_precision("bfloat16")
    other = eyes(seed=int(change == "weights"), layer="inner" if change == "layer" else "")
    pretrained.features(other, images)
    assert computed == [20, len(images)] and len(kept()) == 2


def with_shape(content: bytes, shape: bytes) -> bytes:
    assert b"(20, 6)" in content and len(shape) == len(b"(20, 6)")
    return content.replace(b"(20, 6)", shape)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: content[:50], id="cut off in its head"),
        pytest.param(lambda content: content[:-1], id="cut off at its end"),
        pytest.param(lambda content: bytes(len(content)), id="zeros"),
        pytest.param(lambda content: b"\x80\x04N.", id="a pickle"),
        pytest.param(lambda content: with_shape(content, b"(21, 6)"), id="longer than it is"),
        pytest.param(lambda content: with_shape(content, b"(19, 6)"), id="shorter"),
        pytest.param(lambda content: with_shape(content, b"(20, 6("), id="a head cut up"),
        pytest.param(lambda content: b"PK\x03\x04" + content[4:], id="another kind"),
    ],
)
def test_kept_features_that_cannot_be_read_are_computed_anew_and_that_is_said(damage, twenty, computed, capsys):
    first = pretrained.features(eyes(), twenty.images)
    (path,) = kept()
    content = path.read_bytes()
    path.write_bytes(damage(content))
    np.testing.assert_array_equal(pretrained.features(eyes(), twenty.images), first)
    assert "features: computed anew, because what was kept cannot be read" in capsys.readouterr().out
    assert computed == [20, 20] and path.read_bytes() == content


def test_features_that_cannot_be_kept_are_given_all_the_same(twenty, own_folders, monkeypatch, capsys):
    expected = pretrained.features(eyes(), twenty.images)
    (own_folders / "a file").touch()
    monkeypatch.setenv("FMNIST_RUNS_DIR", str(own_folders / "a file" / "run"))
    np.testing.assert_array_equal(pretrained.features(eyes(), twenty.images), expected)
    assert "features: could not be kept in this run" in capsys.readouterr().out
