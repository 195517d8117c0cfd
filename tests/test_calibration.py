"""Calibration: reliability, temperature and sure answers, on predictions whose truth is known."""

import json

import numpy as np
import pytest

from fmnist_utils import calibration
from fmnist_utils.evaluation import Predictions


def drawn(sharper: float, n: int = 40_000, seed: int = 0) -> Predictions:
    """Labels drawn from known probabilities, shown as a model would that has sharpened these."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, 10))
    true = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (true.cumsum(1) > rng.random((n, 1))).argmax(1)
    shown = np.exp(sharper * logits)
    return Predictions(shown / shown.sum(1, keepdims=True), labels)


def test_true_probabilities_have_no_calibration_error_and_sharpened_ones_have():
    assert calibration.reliability(drawn(1.0)).expected_calibration_error < 0.01
    found = calibration.reliability(drawn(2.0))
    assert found.expected_calibration_error > 0.1
    assert found.counts.sum() == 40_000
    filled = found.counts > 100
    assert (found.confidence > found.accuracy)[filled][3:].all(), "overconfident"


def test_the_expected_error_is_the_mean_over_images():
    probabilities = np.zeros((4, 10))
    probabilities[:, 0], probabilities[:, 1] = [0.9, 0.9, 0.9, 0.6], [0.1, 0.1, 0.1, 0.4]
    found = calibration.reliability(Predictions(probabilities, np.array([0, 0, 1, 0])), bins=10)
    assert found.counts.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 3, 0]
    assert found.expected_calibration_error == pytest.approx((3 * abs(0.9 - 2 / 3) + abs(0.6 - 1)) / 4)


def test_the_temperature_undoes_what_sharpened():
    found = calibration.best_temperature(drawn(2.0))
    assert found == pytest.approx(2.0, rel=0.03)
    other = drawn(2.0, seed=1)
    scaled = calibration.with_temperature(other, found)
    assert calibration.reliability(scaled).expected_calibration_error < 0.01
    assert np.array_equal(scaled.classes, other.classes)
    assert np.allclose(scaled.probabilities.sum(1), 1)


def test_sure_answers_come_first():
    probabilities = np.full((4, 10), 0.01)
    probabilities[np.arange(4), 0] = [0.6, 0.9, 0.8, 0.7]
    predictions = Predictions(probabilities, np.array([1, 0, 0, 1]))
    coverage, accuracy = calibration.selective_accuracy(predictions)
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert accuracy == pytest.approx([1, 1, 2 / 3, 1 / 2])
    assert calibration.threshold_for(predictions, 0.98) == 0.8
    assert calibration.threshold_for(predictions, 0.6) == 0.7
    wrong = Predictions(probabilities, np.full(4, 5))
    assert calibration.threshold_for(wrong, 0.98) > 1


def test_what_is_kept_of_a_model_is_json_and_chosen_on_validation():
    tested, validated = drawn(2.0), drawn(2.0, seed=1)
    kept = calibration.scores_to_keep(tested, validated)
    assert json.loads(json.dumps(kept)) == kept
    assert kept["test_accuracy"] == tested.accuracy
    assert kept["scaled_calibration_error"] < 0.01 < kept["calibration_error"]
    assert kept["temperature"] == calibration.best_temperature(validated)
    assert kept["sure_coverage"] == pytest.approx(
        (calibration.selective_accuracy(validated)[1] >= 0.98).mean(), abs=0.02
    )
    matrix = np.array(kept["confusion_matrix"].split(), int).reshape(10, 10)
    assert np.trace(matrix) / matrix.sum() == pytest.approx(tested.accuracy)
    never = calibration.scores_to_keep(Predictions(tested.probabilities, (tested.classes + 1) % 10), validated)
    assert never["sure_accuracy"] == 0
    unsure = Predictions(validated.probabilities, (validated.classes + 1) % 10)
    assert calibration.scores_to_keep(tested, unsure)["sure_accuracy"] is None
