"""What one process of lesson 9's study trains: ``python -m studies.transfer.training JOB.json``.

``jobs`` starts it. It writes ``result.csv`` beside the job, a row a set-up and size with its accuracy on the
validation images, and for each of them the answers to these images. Fine-tuned models of many images are kept.
"""

import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fmnist_utils import data, models, pretrained, training, tuning
from fmnist_utils.augmentation import RandomFlipShift
from fmnist_utils.fast.muon import Muon
from fmnist_utils.support import copies, files
from fmnist_utils.support.startup import keras
from studies.transfer import features
from studies.transfer.settings import EPOCHS, FROZEN_UNTIL, SIDES, SOURCE, SPLIT_SEED, Settings

KEPT = 1_000  # labelled images from which on a fine-tuned model is kept
PREPARATIONS = ("right", "0 to 255", "mean 0.5", "one channel")
layers = keras.layers

Row = dict[str, Any]


def main(job: Path) -> None:
    """Train as the job says, and keep beside it what came of it."""
    told = files.read_json(job)
    settings = Settings(**told["settings"] | {"sizes": tuple(told["settings"]["sizes"])})
    training.use_precision(settings.precision)
    train, validation = data.train_validation_split(data.load().train, SPLIT_SEED)
    how = {"linear": linear, "wrong": wrong, "five classes": five_classes}.get(settings.setup, tuned)
    rows = []
    for row, answers in how(settings, told["seed"], train, validation, job.parent):
        own = validation.labels if len(answers) == len(validation) else _of(validation, target()).labels
        rows.append({"SEED": told["seed"], **row, "val_accuracy": (answers == own).mean()})
        print(rows[-1], flush=True)
        answered = "".join(map(str, answers))
        files.write_text(job.with_name(f"{row['setup']} {row['size']}.txt"), answered)
    files.write_text(job.with_name("result.csv"), pd.DataFrame(rows).to_csv(index=False))


def tuned(
    settings: Settings, seed: int, train: data.Split, validation: data.Split, folder: Path
) -> Iterator[tuple[Row, np.ndarray]]:
    """A network for each size, from scratch or from ImageNet's weights."""
    scratch = settings.setup == "scratch"
    for size in settings.sizes:
        model = models.two_conv() if scratch else classifier(settings)
        config = configuration(settings, size, seed)
        row, answers = fitted(model, data.subset(train, size, seed), validation, config)
        if size >= KEPT and not scratch:
            model.save(folder / f"{size}.keras", include_optimizer=False)
        yield {"setup": settings.setup, "size": size, **row}, answers


def configuration(settings: Settings, size: int, seed: int) -> training.TrainingConfig:
    """How a network is trained with so many labelled images."""
    scratch = settings.setup == "scratch"
    return training.TrainingConfig(
        epochs=EPOCHS["scratch" if scratch else "tuned"][size],
        batch_size=min(32, size) if size < 55_000 else 64,
        seed=seed,
        learning_rate=settings.learning_rate,
        ghost_batches=1 if settings.setup in ("scratch", "moving") else 2,
        validation_freq=1_000,
    )


def classifier(settings: Settings) -> keras.Model:
    """MobileNetV2 with a dense layer on the means of its last outputs, frozen as far as the set-up says.

    Keras's batch normalization is in inference mode during training where it is not trainable.
    """
    trunk = pretrained.backbone(settings.side)
    until = trunk.layers.index(trunk.get_layer(FROZEN_UNTIL)) if settings.setup == "last block" else -1
    for place, layer in enumerate(trunk.layers):
        is_norm = isinstance(layer, layers.BatchNormalization)
        layer.trainable = settings.setup == "moving" or (place > until and not is_norm)
    seen = pretrained.of_grey(pretrained.pooled(trunk))
    classes = layers.Dense(10, activation="softmax", dtype="float32", name="classes")
    return keras.Model(seen.input, classes(seen.output), name="fine_tuned")


def fitted(
    model: keras.Model, labelled: data.Split, validation: data.Split, config: training.TrainingConfig
) -> tuple[Row, np.ndarray]:
    """Train a model in place: accuracy and seconds, and its answers to the validation images, (n,)."""
    keras.utils.set_random_seed(config.seed)
    model.set_weights(copies.fresh(model).get_weights())
    began = time.perf_counter()
    history = training.fit(model, labelled, data.subset(validation, 10, 0), config)
    seconds = time.perf_counter() - began
    answers = training.predict(model, validation.images, 100).argmax(axis=1)
    return {"accuracy": history["accuracy"][-1], "seconds": round(seconds, 1)}, answers


def linear(
    settings: Settings, seed: int, train: data.Split, validation: data.Split, folder: Path
) -> Iterator[tuple[Row, np.ndarray]]:
    """Linear models on pixels and on frozen features, for each size."""
    for of in (features.pixels, *map(features.frozen, SIDES)):
        yield from regressions(of(train.images), of(validation.images), train, settings.sizes, seed)


def regressions(
    known: Mapping[str, np.ndarray],
    asked: Mapping[str, np.ndarray],
    train: data.Split,
    sizes: tuple[int, ...],
    seed: int,
) -> Iterator[tuple[Row, np.ndarray]]:
    """Linear models on each kind of features, by its name; ``known`` has a row a training image."""
    rows = {image.tobytes(): row for row, image in enumerate(train.images)}
    for size in sizes:
        labelled = data.subset(train, size, seed)
        chosen = [rows[image.tobytes()] for image in labelled.images]
        for name, values in known.items():
            began = time.perf_counter()
            model = features.regression().fit(values[chosen], labelled.labels)
            seconds = round(time.perf_counter() - began, 1)
            accuracy = model.score(values[chosen], labelled.labels)
            row = {"setup": name, "size": size, "accuracy": accuracy, "seconds": seconds}
            yield row, model.predict(asked[name])


def wrong(
    settings: Settings, seed: int, train: data.Split, validation: data.Split, folder: Path
) -> Iterator[tuple[Row, np.ndarray]]:
    """Linear models on features of images that were prepared wrongly: always, or at prediction only."""
    trunk = pretrained.pooled(pretrained.backbone(settings.side))
    (size,) = settings.sizes
    labelled = data.subset(train, size, seed)
    of = {name: prepared(trunk, name) for name in PREPARATIONS}
    asked = {name: pretrained.features(model, validation.images) for name, model in of.items()}
    for name in PREPARATIONS:
        values = pretrained.features(of[name], labelled.images)
        model = features.regression().fit(values, labelled.labels)
        yield {"setup": f"always {name}", "size": size}, model.predict(asked[name])
        if name == "right":
            for other in PREPARATIONS[1:]:
                yield {"setup": f"asked {other}", "size": size}, model.predict(asked[other])


def prepared(trunk: keras.Model, how: str) -> keras.Model:
    """A model of grey images in [0, 1] that prepares them for ``trunk`` in one of ``PREPARATIONS``."""
    if how == "right":
        return pretrained.of_grey(trunk)
    side = trunk.input_shape[1]
    images = keras.Input((28, 28, 1), name="image")
    x = layers.Resizing(side, side)(images, training=False)
    if how == "0 to 255":
        x = layers.Normalization(mean=pretrained.MEAN, variance=np.square(pretrained.DEVIATION))(
            layers.Rescaling(255.0)(layers.Concatenate()([x] * 3))
        )
    elif how == "mean 0.5":
        x = layers.Rescaling(2.0, -1.0)(layers.Concatenate()([x] * 3))
    else:
        black = layers.Rescaling(0.0)(x)
        x = layers.Normalization(mean=pretrained.MEAN, variance=np.square(pretrained.DEVIATION))(
            layers.Concatenate()([x, black, black])
        )
    return keras.Model(images, trunk(x), name=how.replace(" ", "_"))


def five_classes(
    settings: Settings, seed: int, train: data.Split, validation: data.Split, folder: Path
) -> Iterator[tuple[Row, np.ndarray]]:
    """A trunk trained on five classes and asked for the other five, and what it is compared with.

    ``settings.sizes`` are those of all ten classes; five have half as many.
    """
    source, asked = _of(train, SOURCE), _of(train, target())
    questions = _of(validation, target())
    steps = EPOCHS["trunk"] * -(-len(source) // 128)
    config = training.TrainingConfig(
        epochs=EPOCHS["trunk"],
        batch_size=128,
        seed=seed,
        optimizer=Muon(tuning.one_cycle(0.007, steps), momentum=0.9, weight_decay=0.1, adam_weight_decay=0.1),
        augment=RandomFlipShift(2, cutout=8),
        label_smoothing=0.1,
        ghost_batches=2,
        keep_easy=0.3,
        validation_freq=1_000,
    )
    champion = models.champion()
    row, _ = fitted(champion, source, questions, config)
    print("trunk", row, flush=True)
    trunk = keras.Model(champion.input, champion.get_layer("average").output)
    inner = keras.Model(champion.input, layers.Flatten()(champion.get_layer("average").input))
    sizes = tuple(size // 2 for size in settings.sizes)
    kinds = [features.pixels, features.frozen(97)]
    known = {name: values for of in kinds for name, values in of(asked.images).items()}
    wanted = {name: values for of in kinds for name, values in of(questions.images).items()}
    for name, model in (("trunk", trunk), ("trunk inner", inner)):
        known[name] = training.predict(model, asked.images)
        wanted[name] = training.predict(model, questions.images)
    for row, answers in regressions(known, wanted, asked, sizes, seed):
        yield row | {"setup": f"five: {row['setup']}"}, answers
    for size in settings.sizes:
        config = configuration(Settings("scratch", ()), size, seed)
        few = data.subset(asked, size // 2, seed)
        row, answers = fitted(models.two_conv(), few, questions, config)
        yield {"setup": "five: scratch", "size": size // 2, **row}, answers


def target() -> tuple[int, ...]:
    """The classes that the trunk of ``five_classes`` never saw."""
    return tuple(label for label in range(10) if label not in SOURCE)


def _of(split: data.Split, classes: tuple[int, ...]) -> data.Split:
    own = np.isin(split.labels, classes)
    return data.Split(split.images[own], split.labels[own])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
