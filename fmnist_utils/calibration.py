"""Whether probabilities can be believed: calibration, temperature, and answers given only where sure."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize

from fmnist_utils.evaluation import Predictions, accuracy_interval, confusion_matrix


@dataclass(frozen=True)
class Reliability:
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


def reliability(predictions: Predictions, bins: int = 15) -> Reliability:
    """Group predictions into ``bins`` of equal width by the probability of the predicted class."""
    edges = np.linspace(0, 1, bins + 1)
    group = np.digitize(predictions.confidence, edges[1:-1], right=True)
    counts = np.bincount(group, minlength=bins)
    with np.errstate(invalid="ignore"):
        confidence = np.bincount(group, predictions.confidence, bins) / counts
        accuracy = np.bincount(group, predictions.correct, bins) / counts
    return Reliability(confidence, accuracy, counts)


def with_temperature(predictions: Predictions, temperature: float) -> Predictions:
    """Softmax of the logits divided by ``temperature``: above 1 every answer is less sure, none changes."""
    logits = np.log(np.clip(predictions.probabilities, 1e-12, 1.0)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return Predictions(powers / powers.sum(axis=1, keepdims=True), predictions.labels)


def best_temperature(validation: Predictions) -> float:
    """The temperature with the lowest cross-entropy on validation predictions (Guo and others, 2017)."""
    found = optimize.minimize_scalar(
        lambda log: with_temperature(validation, np.exp(log)).loss,
        bounds=(np.log(0.2), np.log(10)),
        method="bounded",
    )
    return float(np.exp(found.x))


def selective_accuracy(predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy on the images of which a model is surest, for each share of images that it may answer.

    Returns:
        Coverage, from 1/n to 1, and the accuracy on that share, float, shape (n,) each.
    """
    order = np.argsort(-predictions.confidence, kind="stable")
    answered = np.arange(1, len(order) + 1)
    return answered / len(order), np.cumsum(predictions.correct[order]) / answered


def threshold_for(validation: Predictions, accuracy: float) -> float:
    """The lowest confidence from which on the answers are right with ``accuracy``, on validation predictions.

    Returns:
        A probability; above 1 where no threshold reaches that accuracy.
    """
    _, reached = selective_accuracy(validation)
    enough = np.flatnonzero(reached >= accuracy)
    return float(np.sort(validation.confidence)[::-1][enough[-1]]) if len(enough) else 1.1


def scores_to_keep(tested: Predictions, validated: Predictions, surely: float = 0.98) -> dict[str, Any]:
    """What is kept of a model's answers to the test images, for tables over seeds.

    Temperature and threshold are chosen on validation images.

    Args:
        tested, validated: the model's predictions for test and validation images.
        surely: the accuracy that answers are to have where only sure ones are given.

    Returns:
        ``test_accuracy``, its Wilson interval, ``test_loss``, the calibration error as it is and with the
        ``temperature``, the share of images answered surely and the accuracy on these, and the confusion
        matrix's 100 counts, row by row, as text.
    """
    temperature = best_temperature(validated)
    answered = tested.confidence >= threshold_for(validated, surely)
    return {
        "test_accuracy": tested.accuracy,
        "test_interval": list(accuracy_interval(tested.correct)[1:]),
        "test_loss": tested.loss,
        "calibration_error": reliability(tested).expected_calibration_error,
        "temperature": temperature,
        "scaled_calibration_error": reliability(
            with_temperature(tested, temperature)
        ).expected_calibration_error,
        "sure_coverage": float(answered.mean()),
        "sure_accuracy": float(tested.correct[answered].mean()) if answered.any() else None,
        "confusion_matrix": " ".join(map(str, confusion_matrix(tested).ravel())),
    }
