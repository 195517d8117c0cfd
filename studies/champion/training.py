"""One training of lesson 8's search, in a process of its own: ``python -m studies.champion.training JOB.json``.

``jobs`` starts it. It writes ``model.keras`` and ``result.json`` beside the job: seconds, parameters, history,
and scores on the held-out images.
"""

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fmnist_utils import augmentation, data, models, training, tuning
from fmnist_utils.fast import infobatch, muon, towers
from fmnist_utils.support import files
from fmnist_utils.support.startup import keras, tf
from studies.champion import networks
from studies.champion.settings import Recipe

SPLIT_SEED = 0
SMALL = 20  # pixels


def main(job: Path) -> None:
    """Train as the job says, and keep beside it the model and what came of it."""
    told = files.read_json(job)
    recipe, seed = Recipe(**told["settings"]), told["seed"]
    training.use_precision("auto")
    train = data.load().train
    if recipe.held_out:
        train, held_out = data.train_validation_split(train, SPLIT_SEED, recipe.held_out)
    model, seconds, history = fit(recipe, train, seed)
    model.save(job.with_name("model.keras"))
    result = {"seconds": round(seconds, 1), "parameters": model.count_params(), "history": history}
    files.write_json(job.with_name("result.json"), result | (views(model, held_out) if recipe.held_out else {}))


def fit(recipe: Recipe, train: data.Split, seed: int) -> tuple[keras.Model, float, dict[str, Any]]:
    """The trained model, the seconds from data in memory to final weights, and the history."""
    began = time.perf_counter()
    keras.utils.set_random_seed(seed)
    small_epochs = round(recipe.small_first * recipe.epochs)
    model = network(recipe, size=None if small_epochs else 28)
    steps = -(-len(train) // recipe.batch_size) * recipe.epochs
    chosen = (_HardLate if recipe.hard_late else infobatch.InfoBatch)(
        len(train), recipe.keep_easy, recipe.epochs, seed
    )
    whole = recipe.ghost_batches == 1
    cut = towers.in_towers(model, towers.TOWERS) if whole else towers.ghost_batches(model, recipe.ghost_batches)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing).call  # of each image
    if recipe.sharpness:
        fast = _SharpnessAware(cut, chosen, loss, recipe.sharpness)
    else:
        fast = infobatch.InfoBatchModel(cut, chosen, loss)
    optimizer = optimizer_of(recipe, steps)
    fast.compile(
        optimizer,
        weighted_metrics=["accuracy"],
        steps_per_execution=training.STEPS_PER_EXECUTION,
        jit_compile=False,
    )
    flips = augmentation.RandomFlipShift(
        recipe.shift_pixels, flip=recipe.flip == "random", cutout=recipe.cutout
    )
    mirror, augment = _Mirror(len(train), seed), _WholeLast(recipe, flips)
    batches = shown(recipe, train, seed, chosen, mirror, augment if recipe.whole_last else flips)
    options: dict[str, Any] = {"shuffle": False, "verbose": 0, "callbacks": [mirror, augment, chosen]}
    if recipe.latest:
        options["callbacks"].append(_Latest(model, recipe))
    history: dict[str, list[float]] = {}
    if small_epochs:
        small = batches.map(lambda x, *rest: (tf.image.resize(x, (SMALL, SMALL), antialias=True), *rest))
        history = fast.fit(small, epochs=small_epochs, **options).history
    rest = fast.fit(batches, initial_epoch=small_epochs, epochs=recipe.epochs, **options).history
    history = {name: [round(v, 4) for v in [*history.get(name, []), *rest[name]]] for name in rest}
    if recipe.average:
        optimizer.finalize_variable_values(model.trainable_variables)
    if recipe.average or recipe.latest:
        for inputs, *_ in batches.take(100):
            model(inputs, training=True)
    return model, time.perf_counter() - began, history


def network(recipe: Recipe, size: int | None) -> keras.Model:
    """The recipe's network for images of some size in pixels; None for any."""
    if recipe.network == "resnet 20":
        return networks.resnet_20(size)
    if recipe.network.isidentifier():
        return getattr(models, recipe.network)()
    return networks.build(recipe.network, size, recipe.activation, recipe.momentum, recipe.dropout)


def optimizer_of(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    """The recipe's optimizer and schedule for a training of so many steps."""
    peak, decay = recipe.learning_rate, recipe.weight_decay or None
    rate = _one_cycle(peak, steps, recipe.last_rate)
    averaged = {"use_ema": True, "ema_momentum": recipe.average} if recipe.average else {}
    options: dict[str, Any] = {"weight_decay": decay, **averaged}
    if recipe.optimizer == "adam":
        return keras.optimizers.Adam(peak)
    if recipe.optimizer == "sgd in steps":
        rates = [peak, peak / 10, peak / 100]
        rate = keras.optimizers.schedules.PiecewiseConstantDecay([steps // 2, 3 * steps // 4], rates)
        optimizer = keras.optimizers.SGD(rate, momentum=0.9, **options)
    elif recipe.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, **options)
    elif recipe.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(rate, **options)
    else:
        optimizer = muon.Muon(rate, momentum=0.9, adam_weight_decay=decay, **options)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def _one_cycle(peak: float, steps: int, last: float) -> keras.optimizers.schedules.LearningRateSchedule:
    """``tuning.one_cycle``, ending at a share of its peak."""
    settings = tuning.one_cycle(peak, steps).get_config()
    return keras.optimizers.schedules.CosineDecay.from_config(settings | {"alpha": last})


def shown(recipe: Recipe, train: data.Split, seed: int, chosen, mirror, augment) -> tf.data.Dataset:
    """The batches of an epoch, with what the recipe does to them."""
    if recipe.lesson_4:
        augment = augmentation.RandomAffine()
    if recipe.warp:
        augment = _Warp(augment, recipe.warp)
    batches = training.chosen_batches(train, recipe.batch_size, seed, augment, chosen)
    if recipe.flip == "alternating":
        batches = batches.map(mirror.apply)
    if recipe.erase:
        batches = batches.map(lambda x, *rest: (_erased(x, recipe.erase), *rest))
    if recipe.mixup or recipe.cutmix:
        batches = batches.map(lambda *batch: _mixed(recipe, *batch))
    return batches


def views(model: keras.Model, split: data.Split) -> dict[str, Any]:
    """Accuracy and loss of one view, and of averages: with the mirror image, with four shifts too, of all ten.

    Args:
        model: from float images in [0, 1], (n, 28, 28, 1), to probabilities, (n, 10).
        split: what to score it on.

    Returns:
        ``VIEW_accuracy`` and ``VIEW_loss`` (cross-entropy) for "plain", "flip", "six_views" and "views".
    """
    padded = np.pad(split.images, ((0, 0), (1, 1), (1, 1)))
    shifted = [padded[:, row : row + 28, column : column + 28] for row, column in models.VIEW_OFFSETS]
    plain, flipped = (
        np.stack([training.predict(model, images[:, :, ::step]) for images in shifted]) for step in (1, -1)
    )
    averages = {
        "plain": plain[0],
        "flip": (plain[0] + flipped[0]) / 2,
        "six_views": (plain.sum(0) + flipped[0]) / 6,
        "views": (plain + flipped).mean(0) / 2,
    }
    own = np.arange(len(split))
    scores: dict[str, Any] = {}
    for name, probabilities in averages.items():
        scores[f"{name}_accuracy"] = float((probabilities.argmax(axis=1) == split.labels).mean())
        scores[f"{name}_loss"] = round(float(-np.log(probabilities[own, split.labels] + 1e-9).mean()), 5)
    return scores


@dataclass(frozen=True)
class _Warp:
    first: training.Augment
    reach: float

    def __call__(self, images, seed):
        reach = self.reach
        warp = augmentation.RandomAffine(10 * reach, 0.0, 0.1 * reach, fill_mode="constant")
        return warp(self.first(images, seed), seed + 2)


class _SharpnessAware(infobatch.InfoBatchModel):
    """Takes each gradient where the loss is highest nearby (Foret et al. 2021, arXiv 2010.01412)."""

    def __init__(self, model, chosen, loss, radius: float) -> None:
        super().__init__(model, chosen, loss)
        self._radius = radius

    def train_step(self, data):
        images, labels, positions, weights = data
        variables = [variable.value for variable in self.trainable_variables]
        outputs, losses, gradients = self._gradients(images, labels, weights, variables)
        length = self._radius / (tf.linalg.global_norm(gradients) + 1e-12)
        for variable, gradient in zip(variables, gradients, strict=True):
            variable.assign_add(length * gradient)
        _, _, uphill = self._gradients(images, labels, weights, variables)
        for variable, gradient in zip(variables, gradients, strict=True):
            variable.assign_sub(length * gradient)
        self.optimizer.apply(uphill, self.trainable_variables)
        self._chosen.losses.scatter_nd_update(positions[:, tf.newaxis], losses)
        self._loss_tracker.update_state(tf.reduce_mean(weights * losses))
        return self.compute_metrics(images, labels, outputs, sample_weight=weights)

    def _gradients(self, images, labels, weights, variables):
        with tf.GradientTape() as tape:
            outputs = self(images, training=True)
            losses = self._loss_of_each(labels, outputs)
            loss = tf.reduce_mean(weights * losses)
        return outputs, losses, tape.gradient(loss, variables)


class _HardLate(infobatch.InfoBatch):
    """Shows all images until 60% of the epochs, then those whose last loss is above the median."""

    def on_epoch_begin(self, epoch, logs=None):
        self._keep_easy = 1e-9
        easy = np.zeros(self._size, bool)
        if epoch >= 0.6 * self._epochs:
            losses = self.losses.numpy()
            easy = losses < np.median(losses)
        self.positions.assign(self._passes(easy))


class _Mirror(keras.callbacks.Callback):
    """Mirrors half of the images in one epoch and the other half in the next."""

    def __init__(self, size: int, seed: int) -> None:
        super().__init__()
        self._half = np.random.default_rng(seed).integers(0, 2, size).astype(bool)
        self._mirrored = tf.Variable(self._half, trainable=False)

    def on_epoch_begin(self, epoch, logs=None):
        self._mirrored.assign(self._half ^ bool(epoch % 2))

    def apply(self, images, labels, positions, weights):
        mirrored = tf.gather(self._mirrored, positions)[:, tf.newaxis, tf.newaxis, tf.newaxis]
        return tf.where(mirrored, images[:, :, ::-1], images), labels, positions, weights


class _Latest(keras.callbacks.Callback):
    """Ends with the mean of the weights after each of the last epochs (Kaddour 2022, arXiv 2209.14981)."""

    def __init__(self, model: keras.Model, recipe: Recipe) -> None:
        super().__init__()
        self._variables, self._recipe = model.trainable_variables, recipe
        self._taken: list[list[np.ndarray]] = []

    def on_epoch_end(self, epoch, logs=None):
        if epoch >= self._recipe.epochs - self._recipe.latest:
            self._taken.append([variable.numpy() for variable in self._variables])
        if len(self._taken) == self._recipe.latest:
            for variable, *values in zip(self._variables, *self._taken, strict=True):
                variable.assign(np.mean(values, axis=0))


class _WholeLast(keras.callbacks.Callback):
    """An augmentation that ends its cutout with the last epochs."""

    def __init__(self, recipe: Recipe, augment: augmentation.RandomFlipShift) -> None:
        super().__init__()
        self._first_whole = (1 - recipe.whole_last) * recipe.epochs
        self._with, self._without = augment, replace(augment, cutout=0)
        self._whole = tf.Variable(False, trainable=False)

    def on_epoch_begin(self, epoch, logs=None):
        self._whole.assign(epoch >= self._first_whole)

    def __call__(self, images, seed):
        return tf.cond(self._whole, lambda: self._without(images, seed), lambda: self._with(images, seed))


def _rectangles(top, left, height, width):
    """Boolean masks, (n, 28, 28, 1), from values of shape (n,)."""
    pixels = tf.range(28, dtype=tf.float32)[tf.newaxis]
    rows = (pixels >= top[:, tf.newaxis]) & (pixels < (top + height)[:, tf.newaxis])
    columns = (pixels >= left[:, tf.newaxis]) & (pixels < (left + width)[:, tf.newaxis])
    return (rows[:, :, tf.newaxis] & columns[:, tf.newaxis])[..., tf.newaxis]


def _erased(images, probability: float):
    """Zhong et al.'s rectangle: 2 to 40% of the area, sides within 0.3 to 1/0.3, filled with noise."""
    n = tf.shape(images)[0]
    area = 784 * tf.random.uniform([n], 0.02, 0.4)
    ratio = tf.exp(tf.random.uniform([n], tf.math.log(0.3), -tf.math.log(0.3)))
    height, width = (tf.minimum(tf.round(tf.sqrt(area * r)), 28.0) for r in (ratio, 1 / ratio))
    top, left = (tf.floor(tf.random.uniform([n]) * (29 - side)) for side in (height, width))
    where = _rectangles(top, left, height, width) & (tf.random.uniform([n, 1, 1, 1]) < probability)
    return tf.where(where, tf.random.uniform(tf.shape(images)), images)


def _mixed(recipe: Recipe, images, labels, positions, weights):
    """The batch mixed with itself in reverse order, in a share that is uniform, with some probability."""
    share = tf.random.uniform([])
    if recipe.mixup:
        share = tf.where(tf.random.uniform([]) < recipe.mixup, share, 1.0)
        images = share * images + (1 - share) * images[::-1]
    else:
        side = 28 * tf.sqrt(1 - share) * tf.cast(tf.random.uniform([]) < recipe.cutmix, tf.float32)
        top, left = (tf.random.uniform([], 0, 28, tf.float32) - side / 2 for _ in range(2))
        where = _rectangles(*(value[tf.newaxis] for value in (top, left, side, side)))
        images = tf.where(where, images[::-1], images)
        share = 1 - tf.reduce_mean(tf.cast(where, tf.float32))
    return images, share * labels + (1 - share) * labels[::-1], positions, weights


if __name__ == "__main__":
    main(Path(sys.argv[1]))
