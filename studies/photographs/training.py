"""What one process of lesson 10's study trains: ``python -m studies.photographs.training JOB.json``.

``jobs`` starts it. It writes beside the job ``result.csv``, one row; ``answers.npy``, the position in ``TEN``
that it answers to each validation photograph; and of a fine-tuned network its weights.
"""

import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score

from fmnist_utils import data, photographs, pretrained, training, tuning
from fmnist_utils.support import copies, files
from fmnist_utils.support.startup import keras, tf
from studies.photographs import networks
from studies.photographs.networks import Settings

BATCH_SIZE = 32
TURNS = (15, 30, 45, 90)  # degrees by which the validation photographs are turned


def main(job: Path) -> None:
    """Train as the job says, and keep beside it what came of it."""
    cv2.setNumThreads(1)
    training.use_precision("float32")
    told = files.read_json(job)
    settings, seed = Settings(**told["settings"]), told["seed"]
    train, validation = networks.parts()
    began = time.perf_counter()
    model = fitted(settings, seed, train)
    seconds = time.perf_counter() - began
    answers = answered(model, validation.image, settings)
    right = networks.numbers(validation)
    row = {"SEED": seed, "accuracy": (answers == right).mean()}
    row["balanced"] = balanced_accuracy_score(right, answers)
    for degrees in TURNS:
        turned = [_turned(image, degrees) for image in validation.image]
        row[f"turned {degrees}"] = (answered(model, turned, settings) == right).mean()
    table = pd.DataFrame([{**row, "seconds": round(seconds)}])
    if settings.start == "ImageNet":
        model.save_weights(job.with_name("fine_tuned.weights.h5"))
    np.save(job.with_name("answers.npy"), answers.astype(np.uint8))
    files.write_text(job.with_name("result.csv"), table.to_csv(index=False))


def fitted(settings: Settings, seed: int, train: photographs.Photographs) -> keras.Model:
    """A network trained on photographs, in a random order that the seed decides as it does all else."""
    keras.utils.set_random_seed(seed)
    model = copies.fresh(networks.network(settings))
    steps = settings.epochs * -(-len(train) // BATCH_SIZE)
    optimizer = keras.optimizers.Adam(tuning.one_cycle(settings.learning_rate, steps))
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing)
    model.compile(optimizer, loss, jit_compile=False)
    model.fit(_batches(train, settings, seed), epochs=settings.epochs, verbose=0)
    return model


def _batches(train: photographs.Photographs, settings: Settings, seed: int) -> tf.data.Dataset:
    """Batches of pictures in [0, 1] and one-hot labels, in another order in each epoch."""
    shown = networks.pictures(train.image, settings), data.one_hot(networks.numbers(train))
    augment = networks.augmentation(settings)

    def prepared(number: tf.Tensor, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images = tf.cast(images, tf.float32) / 255
        return images if augment is None else augment(
            images, tf.stack([tf.cast(seed, tf.int64), number])
        ), labels

    numbers = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True)
    batches = tf.data.Dataset.from_tensor_slices(shown).shuffle(len(train), seed=seed).batch(BATCH_SIZE)
    together = tf.data.Dataset.zip(numbers, batches).map(lambda number, batch: prepared(number, *batch))
    return together.prefetch(2)


def answered(model: keras.Model, images: np.ndarray | list[np.ndarray], settings: Settings) -> np.ndarray:
    """Positions in ``TEN``, int, shape (n,)."""
    shown = pretrained.folded(model) if settings.start == "ImageNet" else model
    return training.predict(shown, networks.pictures(images, settings), 100).argmax(axis=1)


def _turned(image: np.ndarray, degrees: float) -> np.ndarray:
    """The photograph turned about its middle, anticlockwise; its edge fills what would be empty."""
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
    return cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
