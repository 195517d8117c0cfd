"""One seed for ``imbalance``: ``python -m studies.photographs.imbalance_training JOB.json``.

It writes beside the job ``result.csv``, a row a way, and ``probabilities.npy``, what the network that was given
no remedy says of the validation images.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fmnist_utils import data, evaluation, models, training
from fmnist_utils.support import files
from fmnist_utils.support.startup import keras, tf

SPLIT_SEED = 0
LARGEST, RATIO = 5_500, 100  # training images of the most frequent class, and of the rarest a hundredth
WAYS = ("nothing", "class weights", "resampling", "balanced set")  # each is a training
CORRECTED = ("corrected to equal", "corrected to reversed")  # the answers of "nothing", for another mix


@dataclass(frozen=True)
class Settings:
    """Lesson 2's configuration."""

    epochs: int = 15
    batch_size: int = 64


def main(job: Path) -> None:
    """Train as the job says, and keep beside it what came of it."""
    told = files.read_json(job)
    settings, seed = Settings(**told["settings"]), told["seed"]
    training.use_precision("bfloat16")
    train, validation = data.train_validation_split(data.load().train, SPLIT_SEED)
    found = {}
    for way in WAYS:
        model = fitted(way, train, settings, seed)
        found[way] = training.predict(model, validation.images)
        print(way, (found[way].argmax(axis=1) == validation.labels).mean(), flush=True)
    np.save(job.with_name("probabilities.npy"), found["nothing"].astype(np.float16))
    had = counts(seed)
    for way, wanted in zip(CORRECTED, (np.ones(10), reversed_mix(had)), strict=True):
        found[way] = corrected(found["nothing"], had, wanted)
    rows = []
    for way, says in found.items():
        confusions = evaluation.confusion_matrix(evaluation.Predictions(says, validation.labels))
        shown = equal(had) if way == "balanced set" else had
        rows.append({"SEED": seed, "way": way, "counts": _text(shown), "confusion_matrix": _text(confusions)})
    files.write_text(job.with_name("result.csv"), pd.DataFrame(rows).to_csv(index=False))


def counts(seed: int) -> np.ndarray:
    """How many training images each class has, int, shape (10,); the seed draws which of them has many."""
    of_rank = np.rint(LARGEST * RATIO ** (-np.arange(10) / 9)).astype(int)
    found = np.empty(10, int)
    found[np.random.default_rng(seed).permutation(10)] = of_rank
    return found


def equal(had: np.ndarray) -> np.ndarray:
    """As many images with equal shares: what a balanced set of that size has of each class."""
    return np.full(10, had.sum() // 10)


def reversed_mix(had: np.ndarray) -> np.ndarray:
    """The same counts with the rarest class in the place of the most frequent one, and so on, shape (10,)."""
    found = np.empty_like(had)
    found[np.argsort(had)] = np.sort(had)[::-1]
    return found


def corrected(probabilities: np.ndarray, had: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Probabilities for another mix of classes than that of the training: Bayes's rule.

    ``had`` and ``wanted`` are the mixes, (10,), as counts or shares; rows of (n, 10) sum to 1 again.
    """
    weighed = probabilities * (wanted / wanted.sum()) / (had / had.sum())
    return weighed / weighed.sum(axis=1, keepdims=True)


def fitted(way: str, train: data.Split, settings: Settings, seed: int) -> keras.Model:
    """Lesson 2's network, trained in one of ``WAYS``; each makes as many steps."""
    had, epochs, loss = counts(seed), settings.epochs, None
    shown = drawn(train, equal(had) if way == "balanced set" else had, seed)
    if way == "class weights":
        loss = weighted(had.sum() / (10 * had))
    elif way == "resampling":  # all its draws are one epoch, so that frequent classes show all their images
        shown, epochs = resampled(shown, epochs * len(shown), seed), 1
    keras.utils.set_random_seed(seed)
    model = models.two_conv()
    how = {"epochs": epochs, "batch_size": settings.batch_size, "validation_freq": epochs}
    config = training.TrainingConfig(seed=seed, loss=loss, **how)
    training.fit(model, shown, drawn(train, np.ones(10, int), 0), config)  # which has to validate something
    return model


def drawn(train: data.Split, had: np.ndarray, seed: int) -> data.Split:
    """So many images of each class, in the order of ``train``."""
    rng = np.random.default_rng(seed)
    chosen = [rng.permutation(np.flatnonzero(train.labels == c))[:count] for c, count in enumerate(had)]
    return _at(train, np.sort(np.concatenate(chosen)))


def resampled(shown: data.Split, draws: int, seed: int) -> data.Split:
    """So many draws with replacement, each class as often as the others."""
    rng = np.random.default_rng(seed)
    own = [np.flatnonzero(shown.labels == c) for c in range(10)]
    return _at(shown, np.concatenate([rng.choice(members, draws // 10) for members in own]))


def weighted(weights: np.ndarray) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Cross-entropy in which an image counts as much as its class's weight, (10,), says."""

    def loss(labels: tf.Tensor, probabilities: tf.Tensor) -> tf.Tensor:
        of_class = tf.reduce_sum(labels * tf.constant(weights, labels.dtype), axis=-1)
        return of_class * keras.losses.categorical_crossentropy(labels, probabilities)

    return loss


def _at(split: data.Split, positions: np.ndarray) -> data.Split:
    return data.Split(split.images[positions], split.labels[positions])


def _text(numbers: np.ndarray) -> str:
    return " ".join(map(str, numbers.ravel()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
