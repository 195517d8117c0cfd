"""Easy images are shown less often and count more, so that the expected gradient stays that of all."""

import keras
import numpy as np
import pytest

from fmnist_utils import augmentation, data, evaluation, training
from fmnist_utils.fast import infobatch, layers

SIZE = 4_000
EASY = np.arange(SIZE) % 4 != 0  # three of four


def chosen(epoch, keep_easy=0.5, epochs=16, seed=0):
    selected = infobatch.InfoBatch(SIZE, keep_easy, epochs, seed)
    selected.losses.assign(np.where(EASY, 0.1, 2.0))
    selected.on_epoch_begin(epoch)
    return selected.positions.numpy(), selected.weights.numpy()


def test_easy_images_are_shown_less_often():
    positions, weights = chosen(epoch=3)
    shown = np.bincount(positions, minlength=SIZE)
    assert len(positions) == SIZE
    # A pass has 1,000 hard images and about 1,500 easy ones; an epoch 1.6 passes.
    assert shown[~EASY].min() == 1
    assert 1.5 < shown[~EASY].mean() < 1.7
    assert 0.75 < shown[EASY].mean() < 0.85
    np.testing.assert_allclose(weights.mean(), 1, rtol=1e-5)
    np.testing.assert_allclose(weights[EASY[positions]].mean() / weights[~EASY[positions]].mean(), 2, rtol=1e-5)


def test_the_expected_gradient_is_that_of_all_images():
    values = np.random.default_rng(1).normal(size=SIZE) + EASY
    means = []
    for seed in range(30):
        positions, weights = chosen(epoch=3, seed=seed)
        means.append(np.average(values[positions], weights=weights))
    assert abs(np.mean(means) - values.mean()) < 4 * np.std(means) / np.sqrt(30)
    assert abs(values[~EASY].mean() - values.mean()) > 0.5  # without weights it would be far off


@pytest.mark.parametrize("epoch", [0, 14, 15])
def test_the_first_epoch_and_the_last_ones_show_all_images_once(epoch):
    positions, weights = chosen(epoch)
    np.testing.assert_array_equal(np.sort(positions), np.arange(SIZE))
    assert (weights == 1).all()


def test_the_choice_follows_the_seed():
    np.testing.assert_array_equal(chosen(3, seed=5)[0], chosen(3, seed=5)[0])
    assert not np.array_equal(chosen(3, seed=5)[0], chosen(3, seed=6)[0])


@pytest.mark.parametrize("keep_easy", [0, 1.5])
def test_an_impossible_share_is_refused(keep_easy):
    with pytest.raises(ValueError, match="keep_easy"):
        infobatch.InfoBatch(SIZE, keep_easy, 10, 0)


def network():
    keras.utils.set_random_seed(0)
    images = keras.Input((28, 28, 1))
    x = keras.layers.Conv2D(8, 3, strides=2, use_bias=False)(images)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x)))
    return keras.Model(images, keras.layers.Dense(10, activation="softmax")(x))


def fit(train, seed=0, **options):
    model = network()
    config = training.TrainingConfig(
        epochs=3,
        batch_size=32,
        seed=seed,
        optimizer=keras.optimizers.SGD(0.1),
        augment=augmentation.RandomFlipShift(1),
        ghost_batches=2,
        **options,
    )
    history = training.fit(model, train, train, config)
    return model.get_weights(), history


def test_a_training_with_selection_repeats_itself(small_split):
    first, history = fit(small_split, keep_easy=0.5, label_smoothing=0.1)
    model = network()
    model.set_weights(first)
    probabilities = training.predict(model, small_split.images)
    loss_without_smoothing = evaluation.Predictions(probabilities, small_split.labels).loss
    again, _ = fit(small_split, keep_easy=0.5, label_smoothing=0.1)
    other, _ = fit(small_split, keep_easy=0.5, label_smoothing=0.1, seed=1)
    for one, two in zip(first, again, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)
    assert not np.allclose(first[0], other[0], rtol=1e-2)
    assert set(history) == {"accuracy", "loss", "val_accuracy", "val_loss"}
    assert history["val_loss"][-1] == pytest.approx(loss_without_smoothing, rel=1e-3)
    assert history["loss"][-1] < history["loss"][0]


def test_the_losses_are_those_of_the_images(small_split):
    """With a rate of zero each image's recorded loss is what the model gives it."""
    model = network()
    chosen_now = infobatch.InfoBatch(len(small_split), 0.5, 1, 0)
    selective = infobatch.InfoBatchModel(model, chosen_now, keras.losses.categorical_crossentropy)
    selective.compile(keras.optimizers.SGD(0.0), metrics=["accuracy"])
    for layer in model.layers:
        layer.trainable = False  # frozen statistics, so that an image's loss does not depend on its batch
    batches = training.chosen_batches(small_split, 32, 0, None, chosen_now)
    selective.fit(batches, callbacks=[chosen_now], shuffle=False, verbose=0)
    expected = keras.losses.categorical_crossentropy(
        data.one_hot(small_split.labels), model(data.rescale(small_split.images))
    )
    np.testing.assert_allclose(chosen_now.losses.numpy(), expected, rtol=1e-4)


def test_the_training_accuracy_counts_images_by_their_weights(small_split):
    model = network()
    model.trainable = False  # whatever it answers, it keeps to it
    chosen_now = infobatch.InfoBatch(len(small_split), 0.1, 16, 0)
    right = training.predict(model, small_split.images).argmax(axis=1) == small_split.labels
    chosen_now.losses.assign(np.where(right, 0.0, 1.0))
    selective = infobatch.InfoBatchModel(model, chosen_now, keras.losses.categorical_crossentropy)
    selective.compile(keras.optimizers.SGD(0.0), weighted_metrics=["accuracy"])
    batches = training.chosen_batches(small_split, 32, 0, None, chosen_now)
    history = selective.fit(
        batches, initial_epoch=3, epochs=4, callbacks=[chosen_now], shuffle=False, verbose=0
    )
    shown = right[chosen_now.positions.numpy()]
    assert 0 < right.mean() < 1 and shown.mean() < right.mean()
    expected = np.average(shown, weights=chosen_now.weights.numpy())
    assert history.history["accuracy"][0] == pytest.approx(expected, rel=1e-4)


def test_all_images_arrive_with_their_own_labels(small_split):
    chosen_now = infobatch.InfoBatch(len(small_split), 0.5, 1, 0)
    chosen_now.on_epoch_begin(0)
    seen = [
        [np.asarray(part) for part in batch]
        for batch in training.chosen_batches(small_split, 32, 0, None, chosen_now)
    ]
    images, labels, positions, _ = (np.concatenate(parts) for parts in zip(*seen, strict=True))
    np.testing.assert_allclose(images, data.rescale(small_split.images)[positions])
    np.testing.assert_array_equal(labels.argmax(1), small_split.labels[positions])
