"""Precision, input pipeline, and runs that are kept by what they are."""

import keras
import numpy as np
import pytest

from fmnist_utils import augmentation, data, models, runs, training


@pytest.fixture(autouse=True)
def float32(own_folders):
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def validation(real):
    return data.subset(real.train, 50, seed=1)


def config(**changes):
    return training.TrainingConfig(**{"epochs": 2, "batch_size": 30, "seed": 0} | changes)


def train(small_split, validation, model=None, **changes):
    return training.train_or_load(
        model or models.two_conv(), small_split, validation, config(**changes), name="tiny"
    )


def test_precision_follows_the_machine_unless_it_is_named(monkeypatch):
    for has, policy in ((True, "mixed_bfloat16"), (False, "float32")):
        monkeypatch.setattr(training, "has_native_bfloat16", lambda has=has: has)
        assert training.use_precision("auto") == policy == keras.config.dtype_policy().name
    assert training.use_precision("bfloat16") == "mixed_bfloat16"
    assert training.use_precision("float32") == "float32"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flags\t\t: fpu amx_bf16\n", True),
        ("flags : avx512_bf16", True),
        ("flags : avx512f", False),
        ("", False),
    ],
)
def test_bfloat16_is_read_off_the_processors_flags(text, expected, tmp_path):
    (tmp_path / "cpuinfo").write_text(text)
    assert training.cpu_has_bfloat16(tmp_path / "cpuinfo") is expected
    assert training.cpu_has_bfloat16(tmp_path / "missing") is False


def test_batches_hold_every_image_once_an_epoch_in_another_order(small_split):
    pipeline = training.batches(small_split, 30, seed=0)
    epochs = [[(np.asarray(x), np.asarray(y)) for x, y in pipeline] for _ in range(2)]
    assert [len(x) for x, _ in epochs[0]] == [30, 30, 30, 10]
    whole = [np.concatenate([x for x, _ in epoch]) for epoch in epochs]
    assert not np.array_equal(*whole)
    expected = data.rescale(small_split.images)
    for images in whole:
        np.testing.assert_allclose(np.sort(images.sum((1, 2, 3))), np.sort(expected.sum((1, 2, 3))), rtol=1e-5)
    assert whole[0].dtype == np.float32
    assert len(pipeline) == 4


def test_labels_stay_with_their_images(small_split):
    label_of = {
        image.tobytes(): label for image, label in zip(small_split.images, small_split.labels, strict=True)
    }
    for images, rows in training.batches(small_split, 30, seed=0):
        as_uint8 = (np.asarray(images)[..., 0] * 255).round().astype(np.uint8)
        assert [label_of[image.tobytes()] for image in as_uint8] == np.asarray(rows).argmax(1).tolist()


def test_without_a_seed_the_order_is_kept(small_split):
    labels = np.concatenate([np.asarray(y).argmax(1) for _, y in training.batches(small_split, 30)])
    assert np.array_equal(labels, small_split.labels)


def test_augmentation_draws_anew_for_each_image_and_epoch(small_split):
    repeated = data.Split(np.repeat(small_split.images[:1], 20, axis=0), np.zeros(20, np.uint8))
    pipeline = training.batches(repeated, 20, seed=0, augment=augmentation.RandomAffine())
    again = training.batches(repeated, 20, seed=0, augment=augmentation.RandomAffine())
    first, second = (np.asarray(next(iter(pipeline))[0]) for _ in range(2))
    assert len({image.tobytes() for image in first}) == 20
    assert not np.array_equal(first, second), "the second epoch draws anew"
    for epoch in (first, second):
        assert np.array_equal(next(iter(again))[0], epoch), "the same seed draws the same epochs"


def test_a_training_is_kept_and_read_back(small_split, validation, capsys):
    first = train(small_split, validation)
    assert sorted(path.name for path in first.path.iterdir()) == ["history.json", "metrics.json", "model.keras"]
    assert "2 epochs in" in capsys.readouterr().out
    again = train(small_split, validation)
    assert "read back" in capsys.readouterr().out
    assert again.path == first.path
    assert again.history == first.history
    probabilities = [training.predict(t.model, validation.images) for t in (first, again)]
    np.testing.assert_array_equal(*probabilities)
    accuracy = (probabilities[0].argmax(1) == validation.labels).mean()
    assert first.metrics["val_accuracy"] == pytest.approx(accuracy)


def test_the_same_seed_trains_the_same_network(small_split, validation, monkeypatch, tmp_path):
    first = train(small_split, validation, augment=augmentation.RandomAffine())
    monkeypatch.setenv("FMNIST_RUNS_DIR", str(tmp_path / "other"))
    again = train(small_split, validation, augment=augmentation.RandomAffine())
    assert first.path.name == again.path.name
    assert first.path != again.path
    np.testing.assert_allclose(first.history["loss"], again.history["loss"], rtol=1e-3)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"epochs": 1},
        {"batch_size": 20},
        {"learning_rate": 0.01},
        {"optimizer": keras.optimizers.SGD(0.01)},
        {"augment": augmentation.RandomAffine()},
        {"augment": lambda images, seed: images},
        {"augment": augmentation.RandomFlipShift()},
        {"label_smoothing": 0.1},
        {"loss": keras.losses.Huber(0.3)},
        {"loss": keras.losses.Huber(0.4)},
        {"ghost_batches": 2},
        {"keep_easy": 0.5},
        {"model": models.two_conv(dropout=0.4)},
    ],
)
def test_whatever_decides_the_outcome_changes_the_key(change, small_split, validation):
    assert key(small_split, validation) != key(small_split, validation, **change)


def key(train_split, validation, model=None, **changes):
    return training.run_key(model or models.two_conv(), train_split, validation, config(**changes))


def test_labels_that_were_changed_in_place_are_other_data(small_split, validation):
    noisy = data.Split(small_split.images.copy(), small_split.labels.copy())
    before = key(noisy, validation)
    noisy.labels[:10] = 0
    assert key(noisy, validation) != before


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "../a", "a" * 200])
def test_a_name_that_is_no_folders_is_refused(name, small_split, validation):
    with pytest.raises(ValueError, match="name is "):
        training.train_or_load(models.dense(), small_split, validation, config(), name=name)


@pytest.mark.parametrize(
    ("setting", "error", "why"),
    [
        ({"optimizer": "adam"}, TypeError, "optimizer is 'adam'; expected one of Keras's"),
        ({"loss": "nonsense"}, ValueError, "nonsense"),
        ({"epochs": 0}, ValueError, "epochs is 0; expected at least 1"),
        ({"batch_size": 0}, ValueError, "batch_size is 0; expected at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting, error, why):
    with pytest.raises(error, match=why):
        config(**setting)


def test_a_loss_may_be_given_by_its_name(small_split, validation):
    assert key(small_split, validation, loss="mse") == key(
        small_split, validation, loss=keras.losses.mean_squared_error
    )


def test_half_an_epoch_and_two_losses_are_refused():
    with pytest.raises(ValueError, match="epochs is 2.5; expected a whole number"):
        config(epochs=2.5)
    with pytest.raises(ValueError, match="loss and label_smoothing are both given"):
        config(loss=keras.losses.Huber(), label_smoothing=0.1)


def test_the_key_knows_the_data_and_the_precision(small_split, validation):
    plain = key(small_split, validation)
    assert key(validation, small_split) != plain
    training.use_precision("bfloat16")
    assert key(small_split, validation) != plain


def test_names_do_not_change_the_key(small_split, validation):
    named = models.two_conv()
    layers = [
        layer.__class__.from_config(layer.get_config() | {"name": f"x{i}"})
        for i, layer in enumerate(named.layers)
    ]
    renamed = keras.Sequential([keras.Input((28, 28, 1)), *layers], name="other")
    assert key(small_split, validation, model=renamed) == key(small_split, validation)


def test_a_layer_called_like_an_activation_does_not_hide_the_activation(small_split, validation):
    def model(activation):
        head = keras.layers.Dense(10, activation=activation, name="relu")
        return keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), head])

    keys = {key(small_split, validation, model=model(activation)) for activation in ("relu", "softmax")}
    assert len(keys) == 2
    assert training.same_architecture(model("relu"), model("relu"))
    assert not training.same_architecture(model("relu"), model("softmax"))


def test_whole_numbers_and_floats_of_the_same_value_have_one_key(small_split, validation):
    augments = [augmentation.RandomAffine(rotation=rotation) for rotation in (10, 10.0)]
    assert len({key(small_split, validation, augment=augment) for augment in augments}) == 1


def test_what_follows_a_training_does_not_depend_on_whether_it_was_read_back(small_split, validation):
    draws = []
    for _ in range(2):
        train(small_split, validation)
        draws.append((np.random.random(), float(keras.random.uniform(()))))
    assert draws[0] == draws[1]


def test_the_given_model_is_left_as_it_was(small_split, validation):
    model = models.two_conv()
    before = model.get_weights()
    train(small_split, validation, model=model)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_interrupted_training_leaves_nothing(small_split, validation, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(training._Progress, "on_epoch_end", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(small_split, validation)
    assert not list((runs.runs_dir() / "models").iterdir())


def test_a_training_in_two_towers_is_that_of_one(small_split, validation, monkeypatch):
    results = []
    for count in (1, 2):
        monkeypatch.setattr(training.towers, "TOWERS", count)
        results.append(train(small_split, validation, model=models.batchnorm(dropout=0.0)))
    one, two = results
    assert one.path != two.path
    np.testing.assert_allclose(one.history["loss"], two.history["loss"], rtol=1e-3)


def test_another_optimizer_trains_afresh_from_its_settings(small_split, validation):
    rate = keras.optimizers.schedules.CosineDecay(0.05, 8)
    optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True)
    others = [keras.optimizers.SGD(rate, momentum=0.8, nesterov=True), keras.optimizers.AdamW(0.05)]
    known = [key(small_split, validation, optimizer=o) for o in (optimizer, optimizer, *others)]
    assert known[0] == known[1]
    assert len(set(known)) == 3
    trained = train(small_split, validation, optimizer=optimizer)
    assert trained.path.name == f"tiny-{known[0]}"
    assert not optimizer.built, "the given one is left alone"


def test_fit_trains_in_place_with_callbacks(small_split, validation):
    model = models.two_conv()
    before = model.get_weights()[0].copy()
    stop = keras.callbacks.EarlyStopping("val_loss", min_delta=100.0, patience=1)
    options = config(epochs=5, optimizer=keras.optimizers.SGD(0.01))
    history = training.fit(model, small_split, validation, options, callbacks=[stop])
    assert len(history["val_loss"]) == 2
    assert not np.array_equal(before, model.get_weights()[0])


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("build", [models.batchnorm, models.champion])
def test_predictions_are_the_models_own_and_follow_its_weights(count, build, real, monkeypatch):
    monkeypatch.setattr(training.towers, "TOWERS", count)
    model = build()
    images = real.train.images[:1001]  # the last batch is no multiple of the towers
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        model.set_weights([w + rng.uniform(0, 0.05, w.shape) for w in model.get_weights()])
        expected = model.predict(data.rescale(images), batch_size=500, verbose=0)
        np.testing.assert_allclose(training.predict(model, images), expected, atol=1e-5)


def test_photographs_are_predicted_in_colour():
    images = np.random.default_rng(0).integers(0, 256, (5, 12, 16, 3), np.uint8)
    model = keras.Sequential([keras.Input((12, 16, 3)), keras.layers.GlobalAveragePooling2D()])
    expected = images.mean(axis=(1, 2)) / 255
    np.testing.assert_allclose(training.predict(model, images, 2), expected, atol=1e-6)


def test_images_that_were_rescaled_already_are_refused():
    with pytest.raises(TypeError, match="dtype float32; expected uint8"):
        training.predict(keras.Sequential([keras.Input((28, 28, 1))]), np.zeros((2, 28, 28), np.float32))


def test_a_model_that_is_not_built_predicts_too(real):
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")])
    assert training.predict(model, real.train.images[:7]).shape == (7, 10)


def test_validation_may_wait_for_the_last_epoch(small_split, validation):
    every, last = (train(small_split, validation, validation_freq=freq) for freq in (1, 2))
    assert [len(t.history["val_loss"]) for t in (every, last)] == [2, 1]
    assert last.metrics["val_loss"] == pytest.approx(every.metrics["val_loss"], rel=1e-4)
