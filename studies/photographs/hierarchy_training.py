"""One seed for ``hierarchy``: ``python -m studies.photographs.hierarchy_training JOB.json``.

It writes beside the job ``result.csv``, a row a head, and ``probabilities.npz``, what each head says of the
validation part.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix
from sklearn.preprocessing import StandardScaler

from fmnist_utils import data, models, photographs, pretrained, training
from fmnist_utils.support import files
from fmnist_utils.support.startup import keras, tf
from studies.photographs import networks

SPLIT_SEED = 0
SIDE = 161  # pixels of a photograph, for the frozen network
GROUPS = {
    "Fashion-MNIST": {
        "tops": ("T-shirt/top", "Pullover", "Shirt"),
        "bottoms": ("Trouser",),
        "dresses": ("Dress",),
        "outerwear": ("Coat",),
        "footwear": ("Sandal", "Sneaker", "Ankle boot"),
        "bags": ("Bag",),
    },
    "photographs": {  # the labels with at least a hundred photographs
        "tops": ("T-Shirt", "Longsleeve", "Shirt", "Polo", "Undershirt", "Hoodie"),
        "bottoms": ("Pants", "Shorts", "Skirt"),
        "dresses": ("Dress",),
        "outerwear": ("Outwear", "Blazer"),
        "footwear": ("Shoes",),
        "headwear": ("Hat",),
    },
}
HEADS = ("flat", "two levels", "two levels, joined")  # the third joins the two answers of the second

layers = keras.layers
Says = Mapping[str, np.ndarray]  # probabilities, (n, classes) under "class", perhaps (n, groups) under "group"


@dataclass(frozen=True)
class Settings:
    """What is sorted, and for how long it is learnt.

    Attributes:
        of: a key of ``GROUPS``.
        epochs, batch_size: as Keras has them.
        precision: as ``training.use_precision`` has it.
    """

    of: str
    epochs: int
    batch_size: int
    precision: str


def main(job: Path) -> None:
    """Train as the job says, and keep beside it what came of it."""
    told = files.read_json(job)
    settings, seed = Settings(**told["settings"]), told["seed"]
    training.use_precision(settings.precision)
    shown, asked, labels = parts(settings, seed)
    rows, kept, member = [], {}, membership(settings.of)
    for head, says in answered(settings, seed, shown, asked):
        rows.append({"SEED": seed, "of": settings.of, "head": head, **scores(says, labels, member)})
        kept |= {f"{head}: {what}": of.astype(np.float16) for what, of in says.items()}
        print(rows[-1], flush=True)
    np.savez_compressed(job.with_name("probabilities.npz"), **kept)
    files.write_text(job.with_name("result.csv"), pd.DataFrame(rows).to_csv(index=False))


def class_names(of: str) -> tuple[str, ...]:
    """The classes, in the order of a network's answers."""
    if of == "Fashion-MNIST":
        return tuple(data.CLASS_NAMES)
    return tuple(name for group in GROUPS[of].values() for name in group)


def membership(of: str) -> np.ndarray:
    """1 where a class is of a group, float32, shape (classes, groups)."""
    return np.array([[name in own for own in GROUPS[of].values()] for name in class_names(of)], np.float32)


def parts(settings: Settings, seed: int) -> tuple[tf.data.Dataset, np.ndarray, np.ndarray]:
    """Batches to learn from, with one-hot labels; what is asked; and its labels, (n,)."""
    if settings.of == "Fashion-MNIST":
        train, validation = data.train_validation_split(data.load().train, SPLIT_SEED)
        return training.batches(train, settings.batch_size, seed), validation.images, validation.labels
    train, validation = (_features(part) for part in photographs.split(photographs.load(), SPLIT_SEED)[:2])
    scale = StandardScaler().fit(train[0])
    one_hot = np.eye(len(class_names(settings.of)), dtype=np.float32)[train[1]]
    shown = tf.data.Dataset.from_tensor_slices((scale.transform(train[0]), one_hot))
    shown = shown.shuffle(len(one_hot), seed=seed).batch(settings.batch_size)
    return shown, scale.transform(validation[0]), validation[1]


def _features(part: photographs.Photographs) -> tuple[np.ndarray, np.ndarray]:
    """Frozen features, (n, 1280), and labels, (n,), of the photographs whose label has enough of them."""
    names = class_names("photographs")
    part = part.at(np.isin(part.label, names))
    eyes = pretrained.of_colour(pretrained.pooled(pretrained.backbone(SIDE)))
    seen = pretrained.features(eyes, networks.pictures(part.image, networks.Settings(side=SIDE)))
    return seen, np.array([names.index(label) for label in part.label])


def answered(
    settings: Settings, seed: int, shown: tf.data.Dataset, asked: np.ndarray
) -> Iterator[tuple[str, Says]]:
    """What the network of each head says, trained in the same order from weights of the same seed."""
    member = membership(settings.of)
    for head in HEADS[:2]:
        keras.utils.set_random_seed(seed)
        model = network(settings.of, with_groups=head != "flat")
        wanted = {name: "categorical_crossentropy" for name in model.output_names}  # which are added up
        model.compile("adam", loss=wanted, steps_per_execution=8, jit_compile=False)

        def with_groups(images: tf.Tensor, labels: tf.Tensor, names: Any = tuple(wanted)) -> tuple:
            both = {"class": labels, "group": labels @ tf.constant(member)}
            return images, {name: both[name] for name in names}

        model.fit(shown.map(with_groups), epochs=settings.epochs, shuffle=False, verbose=0)
        ready = data.rescale(asked) if asked.dtype == np.uint8 else asked
        says = model.predict(ready, batch_size=training.EVALUATION_BATCH, verbose=0)
        yield head, says
    yield HEADS[2], {"class": joined(says, member), "group": says["group"]}


def network(of: str, with_groups: bool) -> keras.Model:
    """Lesson 2's network, or a small one on frozen features: a head for classes, and perhaps one for groups."""
    if of == "Fashion-MNIST":
        trunk = models.two_conv()
        inputs, seen = trunk.inputs[0], trunk.layers[-2].output
    else:
        inputs = keras.Input((1280,))
        seen = layers.Dropout(0.5)(layers.Dense(128, activation="relu")(inputs))
    sizes = dict(zip(("class", "group")[: 1 + with_groups], membership(of).shape, strict=False))
    heads = {
        name: layers.Dense(size, activation="softmax", dtype="float32", name=name)(seen)
        for name, size in sizes.items()
    }
    return keras.Model(inputs, heads)


def joined(says: Says, member: np.ndarray) -> np.ndarray:
    """Class probabilities that agree with those of the groups: the group's, shared out among its classes."""
    of_group = says["class"] @ member
    return says["class"] * ((says["group"] / np.maximum(of_group, 1e-7)) @ member.T)


def scores(says: Says, labels: np.ndarray, member: np.ndarray) -> dict[str, Any]:
    """What the answers are worth; without an answer to the group, it is the one with the largest sum.

    ``within`` is the share of the mistakes that stay in the group, ``score`` is 1 for a right answer and 0.5
    for another one of its group, ``disagree`` how often the class is not of the group that was answered.
    """
    group_of, answers = member.argmax(axis=1), says["class"].argmax(axis=1)
    groups = says.get("group", says["class"] @ member).argmax(axis=1)
    right, near = answers == labels, group_of[answers] == group_of[labels]
    counts = confusion_matrix(labels, answers, labels=range(len(member)))
    return {
        "accuracy": round(right.mean(), 5),
        "group_accuracy": round((groups == group_of[labels]).mean(), 5),
        "within": round(near[~right].mean(), 5),
        "score": round((right.mean() + near.mean()) / 2, 5),
        "disagree": round((groups != group_of[answers]).mean(), 5),
        "confusion_matrix": " ".join(map(str, counts.ravel())),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
