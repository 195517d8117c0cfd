"""What a model's predictions are worth: metrics, intervals, comparisons, confusions. NumPy and SciPy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import optimize, stats

from fmnist_utils import runs
from fmnist_utils.data import CLASS_NAMES

WIDEST_BAND = 0.02  # of accuracy


class Interval(NamedTuple):
    """An estimate with the bounds of its interval."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True)
class Predictions:
    """A model's probabilities beside the truth.

    Attributes:
        probabilities: float, shape (n, 10), rows sum to 1.
        labels: integers, shape (n,).
    """

    probabilities: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        expected = (len(self.labels), len(CLASS_NAMES))
        if self.probabilities.shape != expected:
            raise ValueError(f"probabilities has shape {self.probabilities.shape}; expected {expected}")

    @property
    def classes(self) -> np.ndarray:
        """The most probable class of each image, shape (n,)."""
        return self.probabilities.argmax(axis=1)

    @property
    def correct(self) -> np.ndarray:
        """Whether each image was classified rightly, bool, shape (n,)."""
        return self.classes == self.labels

    @property
    def accuracy(self) -> float:
        """The share of images classified rightly."""
        return float(self.correct.mean())

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats; probabilities are held off zero by 1e-7, as Keras does."""
        given = self.probabilities[np.arange(len(self.labels)), self.labels]
        return float(-np.log(np.clip(given, 1e-7, 1.0)).mean())

    @property
    def confidence(self) -> np.ndarray:
        """The probability of each image's predicted class, shape (n,)."""
        return self.probabilities.max(axis=1)


def accuracy_interval(correct: np.ndarray, confidence: float = 0.95) -> Interval:
    """An accuracy with its Wilson interval (scipy.stats.binomtest).

    Args:
        correct: bool, shape (n,).
        confidence: how often such an interval holds the true accuracy.
    """
    result = stats.binomtest(int(correct.sum()), len(correct))
    bounds = result.proportion_ci(confidence, method="wilson")
    return Interval(float(correct.mean()), float(bounds.low), float(bounds.high))


def paired_difference(first: Sequence[float], second: Sequence[float], confidence: float = 0.95) -> Interval:
    """Mean of ``first - second`` over pairs (the same seed, say) with Student's interval.

    Raises:
        ValueError: not as many of one as of the other, or fewer than two pairs.
    """
    if len(first) != len(second) or len(first) < 2:
        raise ValueError(
            f"first has {len(first)} values and second {len(second)}; expected as many, two or more"
        )
    return mean_interval(np.asarray(first, float) - np.asarray(second, float), confidence)


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """The mean of two values or more (an accuracy a seed, say) with Student's interval."""
    mean, spread = float(np.mean(values)), stats.sem(values)
    if spread == 0:
        return Interval(mean, mean, mean)
    low, high = stats.t.interval(confidence, len(values) - 1, loc=mean, scale=spread)
    return Interval(mean, float(low), float(high))


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """Exact McNemar test: could two models err equally often, given the images on which they differ?

    Args:
        first, second: bool, shape (n,): on which of the same images each model succeeded.

    Returns:
        The two-sided p-value; 1 if they differ on no image.
    """
    only_first = int((first & ~second).sum())
    differing = only_first + int((~first & second).sum())
    return float(stats.binomtest(only_first, differing).pvalue) if differing else 1.0


def smallest_difference(images: int, differing: float, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest true difference in accuracy that a paired test between two models would probably show.

    By the normal approximation to McNemar's test (Connor, 1987): the difference of the two accuracies is the
    mean of ``images`` values -1, 0 and 1, of which the share ``differing`` is not 0.

    Args:
        images: test images, which both models have classified.
        differing: share of these that one model classified rightly and the other did not.
        power: how often the test is to find the difference.
        alpha: how often it may find one where there is none.

    Raises:
        ValueError: so few images differ that even the largest difference would not be found.
    """
    z_alpha, z_power = stats.norm.ppf([1 - alpha / 2, power])

    def lacking(difference: float) -> float:
        deviation = (differing - difference**2) ** 0.5  # of one value, where there is a difference
        return difference - (z_alpha * differing**0.5 + z_power * deviation) / images**0.5

    if lacking(differing) < 0:
        raise ValueError(f"differing is {differing}: on {images:,} images that is too few to find a difference")
    return float(optimize.brentq(lacking, 0.0, differing))


def optimism(correct: np.ndarray, repeats: int = 1000) -> float:
    """How much too good the best of several models looks on the images that chose it.

    The images are divided into random halves: one chooses the best model, the other, which had no part in
    the choice, judges it. What the chosen model loses from the first half to the second is luck. Luck falls
    with the square root of the images, so with all of them it is taken to be 0.7 times that.

    Args:
        correct: bool, shape (models, images): what each model classified rightly.
        repeats: random divisions, over which the mean is taken.
    """
    rng = np.random.default_rng(0)
    lost = []
    for _ in range(repeats):
        choosing, judging = np.array_split(rng.permutation(correct.shape[1]), 2)
        scores = correct[:, choosing].mean(axis=1)
        best = scores.argmax()
        lost.append(scores[best] - correct[best, judging].mean())
    return float(np.mean(lost)) * 0.5**0.5


def confusion_matrix(predictions: Predictions) -> np.ndarray:
    """Counts, shape (10, 10): rows are true classes, columns predicted ones."""
    from sklearn.metrics import confusion_matrix

    return confusion_matrix(predictions.labels, predictions.classes, labels=range(len(CLASS_NAMES)))


def classification_report(predictions: Predictions) -> str:
    """scikit-learn's report with the class names."""
    from sklearn.metrics import classification_report

    return classification_report(
        predictions.labels,
        predictions.classes,
        labels=range(len(CLASS_NAMES)),
        target_names=CLASS_NAMES,
        digits=3,
        zero_division=0.0,
    )


def class_scores(predictions: Predictions) -> dict[str, np.ndarray]:
    """``precision``, ``recall`` and ``f1-score`` of each class, shape (10,) each."""
    from sklearn.metrics import precision_recall_fscore_support

    classes = range(len(CLASS_NAMES))
    scores = precision_recall_fscore_support(
        predictions.labels, predictions.classes, labels=classes, zero_division=0.0
    )
    return dict(zip(("precision", "recall", "f1-score"), scores, strict=False))


def most_confused(matrix: np.ndarray, count: int) -> list[tuple[str, str, int]]:
    """The largest confusions: true class, predicted class, number of images; largest first."""
    off_diagonal = np.where(np.eye(len(matrix), dtype=bool), -1, matrix)
    order = np.argsort(-off_diagonal, axis=None, kind="stable")[:count]
    rows, columns = np.unravel_index(order, matrix.shape)
    return [(CLASS_NAMES[i], CLASS_NAMES[j], int(matrix[i, j])) for i, j in zip(rows, columns, strict=True)]


def confident_mistakes(predictions: Predictions, count: int) -> np.ndarray:
    """Positions of the mistakes that the model was surest of, surest first."""
    wrong = np.flatnonzero(~predictions.correct)
    return wrong[np.argsort(-predictions.confidence[wrong], kind="stable")][:count]


def predicted_counts(
    precision: Sequence[float], recall: Sequence[float], support: int, rounding: float = 0.005
) -> tuple[float, float]:
    """How many predictions a classification report implies, within its rounding.

    A class with ``support`` images and recall r has r × support hits; these are precision × predictions.
    Over all classes the predictions must sum to the number of images.

    Args:
        precision, recall: one value a class, as printed.
        support: images a class.
        rounding: half a unit of the last printed digit.

    Returns:
        The smallest and the largest sum that the printed figures allow.
    """
    precision, recall = np.asarray(precision), np.asarray(recall)
    fewest = (np.maximum(recall - rounding, 0) / (precision + rounding)).sum() * support
    most = (np.minimum(recall + rounding, 1) / (precision - rounding)).sum() * support
    return float(fewest), float(most)


def over_seeds(table: pd.DataFrame, column: str, **settings: Any) -> np.ndarray:
    """One set-up's column of a kept table of results, a value a seed, in their order.

    Args:
        table: from ``report.write_small``, with a column ``SEED``.
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

    Args:
        column: of ``figures/replicates.csv``, such as ``"val_accuracy"``.

    Returns:
        ``over_seeds`` by the model's name.
    """
    kept = pd.read_csv(runs.PROJECT / "figures" / "replicates.csv", comment="#")
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
