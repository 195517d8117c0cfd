"""What earlier trainings gave, from the files in ``results/``, and what nbval compares. No TensorFlow here.

No lesson reads that folder by itself. ``results/README.md`` says which command makes each file.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fmnist_utils.support import files

FOLDER = files.PROJECT / "results"
WIDEST_BAND = 0.02  # of accuracy


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
        Shape (seeds,); (seeds, epochs) for a column by epoch; (seeds, 10, 10) for ``confusion_matrix``.
    """
    rows = table[(table[list(settings)] == pd.Series(settings)).all(axis=1)].sort_values("SEED")
    if column == "confusion_matrix":
        return np.array([text.split() for text in rows[column]], int).reshape(-1, 10, 10)
    if column.endswith("_by_epoch"):
        return np.array([text.split() for text in rows[column]], float)
    return rows[column].to_numpy()


def replicates(column: str) -> dict[str, np.ndarray]:
    """What the five kept trainings of each of lesson 5's models gave (``make replicates``).

    It is ``over_seeds`` of a column of ``replicates.csv``, such as ``"val_accuracy"``, by the model's name.
    """
    kept = table("replicates")
    return {name: over_seeds(kept, column, model_name=name) for name in kept["model_name"].unique()}


def print_bands(measured: Mapping[str, float], replicated: Mapping[str, Sequence[float]]) -> None:
    """Print for each figure whether it lies in the band of its replicates.

    The band is their mean, give or take four standard deviations, but two points of accuracy wide at most.
    The standard deviation is that of all steady set-ups in ``replicated`` together, since five values alone
    tell it badly. Where two points are less than three standard deviations either way, no band is given. A
    figure moves a little with the processor, its number of cores and the versions; whether it lies in its
    band hardly ever does, so this can be compared from run to run. Bands hold for a notebook's default
    parameters.

    Args:
        measured: figures by name.
        replicated: the same figure of several trainings, for each of these names and of others like them.
    """
    longest = max(map(len, measured))
    variances = {name: np.var(values, ddof=1) for name, values in replicated.items() if len(values) > 1}
    steady = {name: variance for name, variance in variances.items() if variance <= (WIDEST_BAND / 4) ** 2}
    for name, value in measured.items():
        if name not in variances:
            print(f"{name:<{longest}}  no band: nothing with these parameters was replicated")
            continue
        deviation = np.mean([*steady.values()] if name in steady else variances[name]) ** 0.5
        if 3 * deviation > WIDEST_BAND / 2:
            print(f"{name:<{longest}}  no band: seeds differ by a standard deviation of {deviation:.3f}")
        else:
            mean, reach = np.mean(replicated[name]), min(4 * deviation, WIDEST_BAND / 2)
            verdict = "yes" if abs(value - mean) <= reach else "no"
            print(f"{name:<{longest}}  within {mean - reach:.4f} to {mean + reach:.4f}: {verdict}")


def print_answers(answers: Mapping[str, bool]) -> None:
    """Print yes or no for each statement that the text makes."""
    longest = max(map(len, answers))
    for statement, holds in answers.items():
        print(f"{statement:<{longest}}  {'yes' if holds else 'no'}")
