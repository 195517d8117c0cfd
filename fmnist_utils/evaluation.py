"""What a model's predictions are worth: metrics, intervals, tests, confusions, calibration. NumPy and SciPy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize, stats

from fmnist_utils.data import CLASS_NAMES

Values = Sequence[float] | np.ndarray


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
    def brier_score(self) -> float:
        """Mean squared distance of the ten probabilities from the truth as one-hot; 0 is best, 2 worst."""
        truth = np.eye(len(CLASS_NAMES))[self.labels]
        return float(((self.probabilities - truth) ** 2).sum(axis=1).mean())

    @property
    def confidence(self) -> np.ndarray:
        """The probability of each image's predicted class, shape (n,)."""
        return self.probabilities.max(axis=1)


def wilson_interval(correct: np.ndarray, confidence: float = 0.95) -> Interval:
    """An accuracy with its Wilson interval (scipy.stats.binomtest).

    ``correct`` is bool, shape (n,); ``confidence`` is how often such an interval holds the true accuracy.
    """
    result = stats.binomtest(int(correct.sum()), len(correct))
    bounds = result.proportion_ci(confidence, method="wilson")
    return Interval(float(correct.mean()), float(bounds.low), float(bounds.high))


def paired_difference(first: Values, second: Values, confidence: float = 0.95) -> Interval:
    """Mean of ``first - second`` over pairs (the same seed, say) with Student's interval.

    Raises:
        ValueError: not as many of one as of the other, or fewer than two pairs.
    """
    if len(first) != len(second) or len(first) < 2:
        raise ValueError(
            f"first has {len(first)} values and second {len(second)}; expected as many, two or more"
        )
    return mean_interval(np.asarray(first, float) - np.asarray(second, float), confidence)


def mean_interval(values: Values, confidence: float = 0.95) -> Interval:
    """The mean of two values or more (an accuracy a seed, say) with Student's interval."""
    mean, spread = float(np.mean(values)), stats.sem(values)
    if spread == 0:
        return Interval(mean, mean, mean)
    low, high = stats.t.interval(confidence, len(values) - 1, loc=mean, scale=spread)
    return Interval(mean, float(low), float(high))


def grouped_interval(values: np.ndarray, groups: np.ndarray, confidence: float = 0.95) -> Interval:
    """The mean of values that come in groups, with a bootstrap interval: whole groups are drawn anew.

    Photographs by one person are more alike than by several: drawn one by one they would make it too narrow.
    Groups are drawn with replacement, 2,000 times, always the same draws for as many groups (Efron and
    Tibshirani 1993, An Introduction to the Bootstrap, chapters 8 and 13).

    Args:
        values: numbers or bool, shape (n,): such as whether each photograph was answered rightly, or how much
            more often by one network than another.
        groups: what each belongs to, shape (n,), such as its sender.
        confidence: how often such an interval holds the mean over all groups that there could be.

    Raises:
        ValueError: not as many of one as of the other, or fewer than two groups.
    """
    if len(values) != len(groups):
        raise ValueError(f"there are {len(values)} values in {len(groups)} groups; expected a group for each")
    names, place = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"there are {len(names)} groups; an interval needs two or more")
    sums = np.bincount(place, weights=np.asarray(values, float))
    drawn = np.random.default_rng(0).integers(0, len(names), (2_000, len(names)))
    means = sums[drawn].sum(axis=1) / np.bincount(place)[drawn].sum(axis=1)
    low, high = np.quantile(means, ((1 - confidence) / 2, (1 + confidence) / 2))
    return Interval(float(np.mean(values)), float(low), float(high))


def difference(first: Values, second: Values, confidence: float = 0.95) -> Interval:
    """The mean of ``first`` minus that of ``second`` with Welch's interval; the two share nothing.

    It holds for values that are about normally distributed; two values a side at least.
    """
    interval = stats.ttest_ind(first, second, equal_var=False).confidence_interval(confidence)
    return Interval(float(np.mean(first) - np.mean(second)), float(interval.low), float(interval.high))


def rank_test(first: Values, second: Values) -> float:
    """Exact Mann-Whitney test: how often chance alone would order two sets of values as one-sidedly, or more.

    It assumes no distribution. With ties it is an approximation (``scipy.stats.mannwhitneyu``).
    """
    return float(stats.mannwhitneyu(first, second, method="exact").pvalue)


def probability_of_superiority(first: Values, second: Values) -> float:
    """P(A beats B): the share of pairs, one of each, in which the first is larger; a tie is half a win."""
    a, b = np.asarray(first)[:, None], np.asarray(second)[None]
    return float(np.mean((a > b) + 0.5 * (a == b)))


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """Exact McNemar test: could two models err equally often, given the images on which they differ?

    ``first`` and ``second``, bool, shape (n,), say on which of the same images each model succeeded. Returns
    the two-sided p-value; 1 if they differ on no image.
    """
    only_first = int((first & ~second).sum())
    differing = only_first + int((~first & second).sum())
    return float(stats.binomtest(only_first, differing).pvalue) if differing else 1.0


def minimum_detectable_difference(
    images: int, differing: float, power: float = 0.8, alpha: float = 0.05
) -> float:
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

    ``correct`` is bool, shape (models, images); the mean is taken over ``repeats`` random divisions.
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

    look = {"target_names": CLASS_NAMES, "digits": 3, "zero_division": 0.0}
    return classification_report(
        predictions.labels, predictions.classes, labels=range(len(CLASS_NAMES)), **look
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
    precision: Values, recall: Values, support: int, rounding: float = 0.005
) -> tuple[float, float]:
    """How many predictions a classification report implies, within its rounding.

    A class with ``support`` images and recall r has r × support hits; these are precision × predictions.
    Over all classes the predictions must sum to the number of images. Returned are the smallest and the
    largest sum that the printed figures, a value a class, allow; ``rounding`` is half a unit of their last
    digit.
    """
    of_calls, of_class = np.asarray(precision), np.asarray(recall)
    fewest = (np.maximum(of_class - rounding, 0) / (of_calls + rounding)).sum() * support
    most = (np.minimum(of_class + rounding, 1) / (of_calls - rounding)).sum() * support
    return float(fewest), float(most)


@dataclass(frozen=True)
class CalibrationCurve:
    """Predictions grouped by their confidence.

    Attributes:
        confidence, accuracy: the mean of each group, float, shape (bins,); NaN where a group is empty.
        counts: predictions in each group, int, shape (bins,).
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    counts: np.ndarray

    @property
    def expected_calibration_error(self) -> float:
        """Mean distance of confidence and accuracy, groups weighed by size (Guo and others, 2017)."""
        filled = self.counts > 0
        distance = np.abs(self.confidence - self.accuracy)[filled]
        return float(np.average(distance, weights=self.counts[filled]))


def calibration_curve(predictions: Predictions, bins: int = 15) -> CalibrationCurve:
    """Group predictions into ``bins`` of equal width by the probability of the predicted class."""
    edges = np.linspace(0, 1, bins + 1)
    group = np.digitize(predictions.confidence, edges[1:-1], right=True)
    counts = np.bincount(group, minlength=bins)
    with np.errstate(invalid="ignore"):
        confidence = np.bincount(group, predictions.confidence, bins) / counts
        accuracy = np.bincount(group, predictions.correct, bins) / counts
    return CalibrationCurve(confidence, accuracy, counts)


def classwise_calibration_errors(predictions: Predictions, bins: int = 15) -> np.ndarray:
    """For each class, the mean distance of its probability from how often it was true (Kull and others, 2019).

    Images are grouped into ``bins`` of equal width by that probability, groups weighed by size. Shape (10,).
    """
    edges = np.linspace(0, 1, bins + 1)[1:-1]
    errors = []
    for number, promised in enumerate(predictions.probabilities.T):
        group = np.digitize(promised, edges, right=True)
        surplus = np.bincount(group, promised - (predictions.labels == number), bins)
        errors.append(np.abs(surplus).sum() / len(promised))
    return np.array(errors)


def with_temperature(predictions: Predictions, temperature: float) -> Predictions:
    """Softmax of the logits divided by ``temperature``: above 1 every answer is less sure, none changes."""
    logits = np.log(np.clip(predictions.probabilities, 1e-12, 1.0)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return Predictions(powers / powers.sum(axis=1, keepdims=True), predictions.labels)


def fit_temperature(validation: Predictions) -> float:
    """The temperature with the lowest cross-entropy on validation predictions (Guo and others, 2017)."""
    found = optimize.minimize_scalar(
        lambda log: with_temperature(validation, np.exp(log)).loss,
        bounds=(np.log(0.2), np.log(10)),
        method="bounded",
    )
    return float(np.exp(found.x))


def accuracy_coverage_curve(predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy on the images of which a model is surest, for each share of images that it may answer.

    Returns:
        Coverage, from 1/n to 1, and the accuracy on that share, float, shape (n,) each.
    """
    return _accuracy_coverage(predictions.confidence, predictions.correct)


def _accuracy_coverage(confidence: np.ndarray, correct: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-confidence, kind="stable")
    answered = np.arange(1, len(order) + 1)
    return answered / len(order), np.cumsum(correct[order]) / answered


def threshold_for(validation: Predictions, accuracy: float, certainty: float | None = None) -> float:
    """``lowest_threshold`` on validation predictions."""
    return lowest_threshold(validation.confidence, validation.correct, accuracy, certainty)


def lowest_threshold(
    confidence: Values, correct: Values, accuracy: float, certainty: float | None = None
) -> float:
    """The lowest confidence from which on answers are right with ``accuracy``, whatever was asked for.

    With ``certainty``, 0.95 say, it is Clopper and Pearson's lower bound of that accuracy which has to reach
    ``accuracy``: the luck of the images is allowed for, as far as each is a draw of its own.

    Args:
        confidence: the probability that was given with each answer, float, shape (n,).
        correct: whether it was right, bool, shape (n,).
        accuracy: that is promised of the answers that are given.
        certainty: how often the promise is to be kept; None takes the accuracy as it is.

    Returns:
        A probability; above 1 where no threshold reaches that accuracy.
    """
    confidence, correct = np.asarray(confidence), np.asarray(correct)  # columns of a table are no arrays
    _, reached = _accuracy_coverage(confidence, correct)
    if certainty is not None:
        answered = np.arange(1, len(reached) + 1)
        right = np.rint(reached * answered)
        reached = stats.beta.ppf(1 - certainty, right, answered - right + 1)
    enough = np.flatnonzero(reached >= accuracy)
    return float(np.sort(confidence)[::-1][enough[-1]]) if len(enough) else 1.1


def conformal_sets(
    validation: Predictions, probabilities: np.ndarray, coverage: float, by_class: bool = False
) -> np.ndarray:
    """For each image the classes that cannot be ruled out, so that the true one is among them often enough.

    Split conformal prediction (Sadinle and others, 2019): a class stays if its probability is not lower than
    the true class's is on all but a share ``1 - coverage`` of the validation images.

    Args:
        validation: predictions that chose nothing, for images like those asked about.
        probabilities: of those, float, shape (n, 10).
        coverage: how often the true class is to be in the set: over all images, or, ``by_class``, over those
            of each class.

    Returns:
        bool, shape (n, 10).
    """
    given = validation.probabilities[np.arange(len(validation.labels)), validation.labels]

    def lowest(of_true: np.ndarray) -> float:
        rank = int(np.floor((1 - coverage) * (len(of_true) + 1)))  # one more: the image that is asked about
        return float(np.sort(of_true)[rank - 1]) if rank else 0.0

    if not by_class:
        return probabilities >= lowest(given)
    return probabilities >= [lowest(given[validation.labels == number]) for number in range(len(CLASS_NAMES))]


def scores_to_keep(tested: Predictions, validated: Predictions, surely: float = 0.98) -> dict[str, Any]:
    """What is kept of a model's answers to the test images, for tables over seeds.

    Temperature and threshold are chosen on validation images. The calibration error is kept as it is and with
    the temperature; ``surely`` is the accuracy that answers are to have where only sure ones are given; the
    confusion matrix's 100 counts are kept row by row, as text.
    """
    temperature = fit_temperature(validated)
    scaled = with_temperature(tested, temperature)
    answered = tested.confidence >= threshold_for(validated, surely)
    return {
        "test_accuracy": tested.accuracy,
        "test_interval": list(wilson_interval(tested.correct)[1:]),
        "test_loss": tested.loss,
        "calibration_error": calibration_curve(tested).expected_calibration_error,
        "temperature": temperature,
        "scaled_calibration_error": calibration_curve(scaled).expected_calibration_error,
        "sure_coverage": float(answered.mean()),
        "sure_accuracy": float(tested.correct[answered].mean()) if answered.any() else None,
        "confusion_matrix": " ".join(map(str, confusion_matrix(tested).ravel())),
    }
