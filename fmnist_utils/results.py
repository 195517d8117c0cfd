"""What earlier trainings gave, from the files in ``results/``, and what nbval compares. No TensorFlow here.

No lesson reads that folder by itself. ``results/README.md`` says which command makes each file.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fmnist_utils.support import files

FOLDER = files.PROJECT / "results"
PUBLISHED = ("published.json", "seconds.json", "kept.json")  # by ``make publish``, from a run
REACH = 5  # standard deviations from the middle of a band to its ends: tests/test_bands.py says why
STEADY = 0.005  # of accuracy: a set-up whose trainings differ by more gets a floor instead of a band,
FLOOR = 0.1  # … so far below the lowest of them
MANY = 8  # trainings of a set-up: fewer tell its standard deviation too badly


def table(name: str) -> pd.DataFrame:
    """A table of kept results: ``results/NAME.csv``, without the line that says how it was made.

    Raises:
        UnreadableError: it is missing, as where the package was installed without its repository.
    """
    return pd.read_csv(_kept(f"{name}.csv"), comment="#")


def record(name: str) -> Any:
    """Kept results that are no table: ``results/NAME.json``; raises what ``table`` does."""
    return files.read_json(_kept(f"{name}.json"))


def out_of_fold() -> np.ndarray:
    """Probabilities for the 60,000 training images, each by a network that was not trained on it.

    They are float64, shape (60000, 10); rows sum to 1.
    """
    with np.load(_kept("out_of_fold.npz"), allow_pickle=False) as kept:
        probabilities = kept["probabilities"].astype(float)  # they are kept in float16
    return probabilities / probabilities.sum(axis=1, keepdims=True)


def answers() -> dict[str, np.ndarray]:
    """What the five replicates of each of lesson 5's models in bfloat16 answer, by the model's name.

    They are probabilities, float64, shape (5, 15000, 10): of the 5,000 validation images with ``SPLIT_SEED`` 0,
    then of the 10,000 test images. Those with fresh averages are named so.
    """
    with np.load(_kept("answers.npz"), allow_pickle=False) as kept:
        found = {name: kept[name].astype(float) for name in kept.files}  # they are kept in float16
    return {name: of / of.sum(axis=2, keepdims=True) for name, of in found.items()}


def photograph_answers() -> dict[str, np.ndarray]:
    """What each network of lesson 10's study answers to the validation senders' photographs of ten labels.

    Positions among the ten largest labels, by their number of photographs; uint8, shape (5, n), a row a seed,
    by what the network was shown; the photographs in their order.
    """
    with np.load(_kept("photograph_answers.npz"), allow_pickle=False) as kept:
        return {name: kept[name] for name in kept.files}


def checksums(folder: Path = FOLDER) -> dict[str, str]:
    """SHA-256 of each file that trainings and measurements have left in ``results/``, by name.

    Without what ``make publish`` writes there, which follows from them and from a run.
    """
    kept = [path for path in folder.iterdir() if path.suffix in (".csv", ".npz", ".json")]
    own = {path.name: path for path in kept if path.name not in PUBLISHED}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in sorted(own.items())}


def _kept(name: str) -> Path:
    path = FOLDER / name
    if not path.exists():
        raise files.UnreadableError(f"{path} is missing. Kept results come with the repository: {files.CLONE}")
    return path


def over_seeds(table: pd.DataFrame, column: str, **settings: Any) -> np.ndarray:
    """One set-up's column of a kept table of results, a value a seed, in their order.

    Args:
        table: a row a training, with a column ``SEED``.
        column: its name.
        settings: columns and the values that a row must have in them.

    Returns:
        Shape (seeds,); (seeds, epochs) for a column by epoch; (seeds, 10, 10) for ``confusion_matrix`` of ten
        classes.
    """
    rows = table[(table[list(settings)] == pd.Series(settings)).all(axis=1)].sort_values("SEED")
    if column == "confusion_matrix":
        counts = np.array([text.split() for text in rows[column]], int)
        return counts.reshape(len(rows), *[round(counts.shape[-1] ** 0.5)] * 2)
    if column.endswith("_by_epoch"):
        return np.array([text.split() for text in rows[column]], float)
    return rows[column].to_numpy()


def replicates(column: str) -> dict[str, np.ndarray]:
    """What the five kept trainings of each of lesson 5's models gave in bfloat16 (``make replicates``).

    It is ``over_seeds`` of a column of ``replicates.csv``, such as ``"val_accuracy"``, by the model's name.
    """
    kept = table("replicates")
    names = kept["model_name"].unique()
    return {name: over_seeds(kept, column, model_name=name, PRECISION="bfloat16") for name in names}


def every_training() -> pd.DataFrame:
    """All kept trainings of lesson 5's models: both precisions, this processor and others, several seeds.

    The columns are those of ``replicates.csv``, with where it was trained in ``processor``, and what the bands
    are made of, each an accuracy. A model has as many epochs in each row, so curves can be stacked.

    ``learnt`` is Keras's running accuracy on the training images, ``late`` that on the validation images, each
    the mean of the last five epochs; ``unseen`` is that of the last epoch on all 15,000 images that were not
    trained on, validation and test; ``fresh_late`` and ``fresh_unseen`` are on the validation images, and on
    the 15,000, with fresh averages of batch normalization.
    """
    here, elsewhere = table("replicates").assign(processor="AMD EPYC"), table("replicates_elsewhere")
    kept = pd.concat([here, elsewhere], ignore_index=True)
    for witness, column in {"learnt": "accuracy_by_epoch", "late": "val_accuracy_by_epoch"}.items():
        kept[witness] = [np.mean([*map(float, text.split()[-5:])]) for text in kept[column]]
    kept["unseen"] = unseen(kept["val_accuracy"], kept["test_accuracy"])
    kept["fresh_late"] = kept["fresh_val_accuracy"]
    kept["fresh_unseen"] = unseen(kept["fresh_val_accuracy"], kept["fresh_test_accuracy"])
    return kept


def unseen(validation: Any, tested: Any) -> Any:
    """Accuracy on 5,000 validation and 10,000 test images together."""
    return (validation + 2 * tested) / 3


def seed_means(column: str) -> dict[str, np.ndarray]:
    """A column of ``every_training`` by model, a value a seed: the mean over precisions and processors.

    Trainings with one seed are not independent, on whichever processor: of the blog post's network, with its
    few steps, a seed decides nearly all. Shape (5,), and (5, epochs) for a column by epoch.
    """
    kept = every_training().dropna(subset=column)
    if column.endswith("_by_epoch"):
        kept[column] = [np.array(text.split(), float) for text in kept[column]]
    return {
        name: np.stack([np.mean([*of_seed[column]], axis=0) for _, of_seed in rows.groupby("SEED")])
        for name, rows in kept.groupby("model_name")
    }


def for_bands(witness: str, seed: int) -> dict[str, np.ndarray]:
    """One of the figures of ``every_training`` by model, without the trainings that have this very seed.

    A run is not to be compared with itself: on the processor of ``replicates.csv`` it is one of them.
    """
    kept = every_training()
    kept = kept[kept["SEED"] != seed].dropna(subset=witness)
    return {name: rows[witness].to_numpy() for name, rows in kept.groupby("model_name")}


def print_bands(measured: Mapping[str, float], replicated: Mapping[str, Sequence[float]]) -> None:
    """Print for each figure whether it lies in the band of its replicates.

    The band is their mean, give or take ``REACH`` standard deviations. A set-up whose trainings differ more
    than ``STEADY`` has no use for a band; it gets a floor, ``FLOOR`` below the lowest of them. A figure moves a
    little with the processor, its number of cores and the versions; whether it lies in its band hardly ever
    does (``tests/test_bands.py`` says how seldom), so this can be compared from run to run. Bands hold for a
    notebook's default parameters.

    Args:
        measured: accuracies by name.
        replicated: the same figure of several trainings, for each of these names and of others like them.
    """
    longest = max(map(len, measured))
    for name, value in measured.items():
        low, high = band(name, replicated)
        if np.isnan(low):
            verdict = "no band: nothing with these parameters was replicated"
        else:
            ends = f"above {low:.4f}" if np.isinf(high) else f"within {low:.4f} to {high:.4f}"
            verdict = f"{ends}: {'yes' if low <= value <= high else 'no'}"
        print(f"{name:<{longest}}  {verdict}")


def band(name: str, replicated: Mapping[str, Sequence[float]]) -> tuple[float, float]:
    """The ends of the band of a set-up, as ``print_bands`` has it.

    Of fewer than ``MANY`` trainings the standard deviation is that of all set-ups in ``replicated`` together.
    The upper end is infinite where there is a floor only; both are NaN where there are not two replicates.
    """
    several = {key: np.asarray(values) for key, values in replicated.items() if len(values) > 1}
    if name not in several:
        return np.nan, np.nan
    own = several[name]
    together = np.mean([np.var(values, ddof=1) for values in several.values()])
    deviation = float(np.var(own, ddof=1) if len(own) >= MANY else together) ** 0.5
    if deviation > STEADY:
        return float(own.min()) - FLOOR, np.inf
    return float(own.mean()) - REACH * deviation, float(own.mean()) + REACH * deviation


def print_answers(answers: Mapping[str, bool]) -> None:
    """Print yes or no for each statement that the text makes."""
    longest = max(map(len, answers))
    for statement, holds in answers.items():
        print(f"{statement:<{longest}}  {'yes' if holds else 'no'}")
