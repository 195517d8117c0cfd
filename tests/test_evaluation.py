"""Metrics, intervals and comparisons, against values worked out by other means."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, log_loss

from fmnist_utils import evaluation
from fmnist_utils.data import CLASS_NAMES


@pytest.fixture
def predictions():
    rng = np.random.default_rng(0)
    return evaluation.Predictions(rng.dirichlet(np.ones(10), 500), rng.integers(0, 10, 500))


def test_accuracy_and_loss_agree_with_scikit_learn(predictions):
    assert predictions.accuracy == accuracy_score(predictions.labels, predictions.classes)
    assert predictions.loss == pytest.approx(
        log_loss(predictions.labels, np.clip(predictions.probabilities, 1e-7, 1), labels=range(10)), rel=1e-4
    )


def test_probabilities_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"probabilities has shape \(3, 9\); expected \(3, 10\)"):
        evaluation.Predictions(np.zeros((3, 9)), np.zeros(3, int))


def test_wilson_interval_is_the_textbooks():
    interval = evaluation.wilson_interval(np.arange(100) < 90)
    assert interval.estimate == 0.9
    assert (interval.low, interval.high) == pytest.approx((0.8256, 0.9448), abs=1e-4)
    assert str(interval) == "0.9000 [0.8256, 0.9448]"


def test_paired_difference_is_students():
    difference = evaluation.paired_difference([3.0, 4.0, 5.0], [1.0, 3.0, 2.0])
    assert difference.estimate == 2.0
    assert difference.high - 2.0 == pytest.approx(4.3027 / np.sqrt(3), rel=1e-4)
    assert evaluation.paired_difference([1.0, 2.0], [0.5, 1.5]) == (0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="two or more"):
        evaluation.paired_difference([1.0], [1.0])


def test_the_interval_of_a_mean_is_students():
    interval = evaluation.mean_interval([0.9, 0.91, 0.92, 0.93])
    assert interval.estimate == pytest.approx(0.915)
    assert interval.estimate - interval.low == pytest.approx(
        3.1824 * np.std([0, 1, 2, 3], ddof=1) / 200, rel=1e-4
    )


def test_mcnemar_counts_only_images_on_which_two_models_differ():
    first = np.array([True] * 9 + [False] + [True] * 50)
    second = np.array([False] * 9 + [True] + [True] * 50)
    assert evaluation.mcnemar(first, second) == pytest.approx(2 * (1 + 10) / 2**10)
    assert evaluation.mcnemar(first, first) == 1.0


def test_confusions_are_ranked_and_the_diagonal_is_left_out(predictions):
    matrix = evaluation.confusion_matrix(predictions)
    assert matrix.sum() == 500
    assert np.trace(matrix) == predictions.correct.sum()
    ranked = evaluation.most_confused(matrix, 90)
    assert all(true != taken_for for true, taken_for, _ in ranked)
    counts = [count for *_, count in ranked]
    assert counts == sorted(counts, reverse=True)
    true, taken_for, count = ranked[0]
    assert matrix[CLASS_NAMES.index(true), CLASS_NAMES.index(taken_for)] == count


def test_confident_mistakes_are_mistakes_surest_first(predictions):
    worst = evaluation.confident_mistakes(predictions, 20)
    assert not predictions.correct[worst].any()
    assert (np.diff(predictions.confidence[worst]) <= 0).all()
    assert predictions.confidence[worst[0]] == predictions.confidence[~predictions.correct].max()


def test_the_report_names_the_classes(predictions):
    report = evaluation.classification_report(predictions)
    assert all(name in report for name in CLASS_NAMES)
    assert f"{predictions.accuracy:.3f}" in report


def test_class_scores_are_read_off_the_matrix(predictions):
    matrix = evaluation.confusion_matrix(predictions)
    scores = evaluation.class_scores(predictions)
    np.testing.assert_allclose(scores["precision"], np.diag(matrix) / matrix.sum(axis=0))
    np.testing.assert_allclose(scores["recall"], np.diag(matrix) / matrix.sum(axis=1))
    assert set(scores) == {"precision", "recall", "f1-score"}


def test_predicted_counts_bound_the_truth(predictions):
    matrix = np.full((10, 10), 10) + np.diag([100] * 10)
    precision = np.diag(matrix) / matrix.sum(axis=0)
    recall = np.diag(matrix) / matrix.sum(axis=1)
    fewest, most = evaluation.predicted_counts(precision.round(2), recall.round(2), support=200)
    assert fewest < matrix.sum() < most
    assert most - fewest < 0.05 * matrix.sum()


def test_the_smallest_difference_is_found_as_often_as_promised():
    images, differing = 2_000, 0.1
    difference = evaluation.minimum_detectable_difference(images, differing, power=0.8)
    rng = np.random.default_rng(0)
    better = rng.binomial(1, (differing + difference) / 2 / differing, (400, images)).astype(bool)
    differs = rng.random((400, images)) < differing
    found = [evaluation.mcnemar(~d | wins, ~d | ~wins) < 0.05 for d, wins in zip(differs, better, strict=True)]
    assert 0.7 < np.mean(found) < 0.88
    with pytest.raises(ValueError, match="too few to find a difference"):
        evaluation.minimum_detectable_difference(10_000, 0.0005)


def test_optimism_is_the_luck_of_the_best_on_the_images_that_chose_it():
    rng = np.random.default_rng(0)
    deviation = (0.9 * 0.1 / 2_000) ** 0.5  # of an accuracy
    equally_good = [evaluation.optimism(rng.random((20, 2_000)) < 0.9, 50) for _ in range(30)]
    assert np.mean(equally_good) == pytest.approx(1.87 * deviation, rel=0.1), "the mean of the best of 20 draws"
    one_is_best = rng.random((20, 2_000)) < 0.9
    one_is_best[3] = True
    assert evaluation.optimism(one_is_best, 50) == 0


def drawn(sharper: float, n: int = 40_000, seed: int = 0) -> evaluation.Predictions:
    """Labels drawn from known probabilities, shown as a model would that has sharpened these."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, 10))
    true = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (true.cumsum(1) > rng.random((n, 1))).argmax(1)
    shown = np.exp(sharper * logits)
    return evaluation.Predictions(shown / shown.sum(1, keepdims=True), labels)


def test_true_probabilities_have_no_calibration_error_and_sharpened_ones_have():
    assert evaluation.calibration_curve(drawn(1.0)).expected_calibration_error < 0.01
    found = evaluation.calibration_curve(drawn(2.0))
    assert found.expected_calibration_error > 0.1
    assert found.counts.sum() == 40_000
    filled = found.counts > 100
    assert (found.confidence > found.accuracy)[filled][3:].all(), "overconfident"


def test_the_expected_error_is_the_mean_over_images():
    probabilities = np.zeros((4, 10))
    probabilities[:, 0], probabilities[:, 1] = [0.9, 0.9, 0.9, 0.6], [0.1, 0.1, 0.1, 0.4]
    found = evaluation.calibration_curve(evaluation.Predictions(probabilities, np.array([0, 0, 1, 0])), bins=10)
    assert found.counts.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 3, 0]
    assert found.expected_calibration_error == pytest.approx((3 * abs(0.9 - 2 / 3) + abs(0.6 - 1)) / 4)


def test_the_temperature_undoes_what_sharpened():
    found = evaluation.fit_temperature(drawn(2.0))
    assert found == pytest.approx(2.0, rel=0.03)
    other = drawn(2.0, seed=1)
    scaled = evaluation.with_temperature(other, found)
    assert evaluation.calibration_curve(scaled).expected_calibration_error < 0.01
    assert np.array_equal(scaled.classes, other.classes)
    assert np.allclose(scaled.probabilities.sum(1), 1)


def test_sure_answers_come_first():
    probabilities = np.full((4, 10), 0.01)
    probabilities[np.arange(4), 0] = [0.6, 0.9, 0.8, 0.7]
    predictions = evaluation.Predictions(probabilities, np.array([1, 0, 0, 1]))
    coverage, accuracy = evaluation.accuracy_coverage_curve(predictions)
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert accuracy == pytest.approx([1, 1, 2 / 3, 1 / 2])
    assert evaluation.threshold_for(predictions, 0.98) == 0.8
    assert evaluation.threshold_for(predictions, 0.6) == 0.7
    wrong = evaluation.Predictions(probabilities, np.full(4, 5))
    assert evaluation.threshold_for(wrong, 0.98) > 1


def test_what_is_kept_of_a_model_is_json_and_chosen_on_validation():
    tested, validated = drawn(2.0), drawn(2.0, seed=1)
    kept = evaluation.scores_to_keep(tested, validated)
    assert json.loads(json.dumps(kept)) == kept
    assert kept["test_accuracy"] == tested.accuracy
    assert kept["scaled_calibration_error"] < 0.01 < kept["calibration_error"]
    assert kept["temperature"] == evaluation.fit_temperature(validated)
    assert kept["sure_coverage"] == pytest.approx(
        (evaluation.accuracy_coverage_curve(validated)[1] >= 0.98).mean(), abs=0.02
    )
    matrix = np.array(kept["confusion_matrix"].split(), int).reshape(10, 10)
    assert np.trace(matrix) / matrix.sum() == pytest.approx(tested.accuracy)
    never = evaluation.scores_to_keep(
        evaluation.Predictions(tested.probabilities, (tested.classes + 1) % 10), validated
    )
    assert never["sure_accuracy"] == 0
    unsure = evaluation.Predictions(validated.probabilities, (validated.classes + 1) % 10)
    assert evaluation.scores_to_keep(tested, unsure)["sure_accuracy"] is None


def test_the_difference_of_two_sets_is_welchs():
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(400):
        first, second = rng.normal(1.0, 1.0, 5), rng.normal(0.0, 4.0, 8)
        estimate, low, high = evaluation.difference(first, second)
        assert low < estimate < high
        covered.append(low < 1.0 < high)
    assert 0.92 < np.mean(covered) < 0.98
    assert evaluation.difference(first, second, 0.99).high > high


def test_ranks_and_wins_look_at_order_alone():
    low, high = [0.1, 0.2, 0.3, 0.4, 0.5], [0.6, 0.7, 0.8, 0.9, 99.0]
    assert evaluation.rank_test(low, high) == pytest.approx(2 / 252), "two of the 252 orders are as one-sided"
    assert evaluation.probability_of_superiority(high, low) == 1.0
    assert evaluation.probability_of_superiority([1, 2], [1, 2]) == 0.5


def confident(n, rng):
    """Predictions that keep their promises: labels drawn from the probabilities."""
    probabilities = rng.dirichlet(np.full(10, 0.04), n)
    labels = (probabilities.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    return evaluation.Predictions(probabilities, labels)


def test_a_threshold_with_certainty_keeps_its_promise_more_often_and_answers_less():
    rng = np.random.default_rng(0)
    kept, answered = {None: [], 0.95: []}, {None: [], 0.95: []}
    for _ in range(200):
        choosing, judging = confident(2000, rng), confident(4000, rng)
        for certainty in kept:
            sure = judging.confidence >= evaluation.threshold_for(choosing, 0.9, certainty)
            kept[certainty].append(judging.correct[sure].mean() >= 0.9)
            answered[certainty].append(sure.mean())
    assert np.mean(kept[None]) < 0.7 < 0.85 < np.mean(kept[0.95])
    assert np.mean(answered[0.95]) < np.mean(answered[None])


def test_a_threshold_needs_no_ten_classes():
    confidence, correct = np.array([0.6, 0.9, 0.8, 0.7]), np.array([False, True, True, True])
    assert evaluation.lowest_threshold(confidence, correct, 1.0) == 0.7
    assert evaluation.lowest_threshold(confidence, correct, 0.7) == 0.6
    assert evaluation.lowest_threshold(confidence, correct, 0.3, certainty=0.95) == 0.7
    assert evaluation.lowest_threshold(confidence, correct, 0.4, certainty=0.95) > 1, "0.05 ** (1/3) is 0.37"
    assert evaluation.lowest_threshold(confidence[:0], correct[:0], 0.5) > 1, "nothing was asked"
    columns = pd.DataFrame({"confidence": confidence, "correct": correct}, index=[7, 3, 9, 0])
    assert evaluation.lowest_threshold(columns["confidence"], columns["correct"], 1.0) == 0.7


@pytest.mark.parametrize("by_class", [False, True])
def test_conformal_sets_hold_the_true_class_as_often_as_promised(by_class):
    rng = np.random.default_rng(0)
    held = []
    for _ in range(60):
        choosing, judging = confident(1000, rng), confident(1000, rng)
        sets = evaluation.conformal_sets(choosing, judging.probabilities, 0.9, by_class)
        assert sets.shape == (1000, 10)
        held.append(sets[np.arange(1000), judging.labels].mean())
    assert 0.895 < np.mean(held) < 0.92, "never less, hardly more"


def test_the_brier_score_is_the_squared_distance_from_one_hot():
    sure = evaluation.Predictions(np.eye(10)[[3, 4]], np.array([3, 5]))
    assert sure.brier_score == pytest.approx(1.0), "0 for the right one, 2 for the wrong one"
    even = evaluation.Predictions(np.full((2, 10), 0.1), np.array([3, 5]))
    assert even.brier_score == pytest.approx(0.9**2 + 9 * 0.1**2)


def test_classwise_errors_find_the_class_whose_probability_is_wrong():
    rng = np.random.default_rng(0)
    honest = confident(20_000, rng)
    assert evaluation.classwise_calibration_errors(honest).max() < 0.01
    tilted = honest.probabilities * np.where(np.arange(10) == 6, 3.0, 1.0)
    tilted = evaluation.Predictions(tilted / tilted.sum(axis=1, keepdims=True), honest.labels)
    errors = evaluation.classwise_calibration_errors(tilted)
    assert errors.argmax() == 6 and errors[6] > 0.03


# Intervals over groups


def test_an_interval_over_groups_is_the_usual_one_where_each_group_has_one_value():
    values = np.random.default_rng(3).normal(size=400)
    found = evaluation.grouped_interval(values, np.arange(400))
    usual = evaluation.mean_interval(values)
    np.testing.assert_allclose(found, usual, atol=0.1 * (usual.high - usual.low))


def test_values_that_are_alike_within_groups_widen_the_interval():
    by_group = np.random.default_rng(4).normal(size=40)
    values, groups = np.repeat(by_group, 25), np.repeat(np.arange(40), 25)
    found = evaluation.grouped_interval(values, groups)
    np.testing.assert_allclose(found, evaluation.grouped_interval(by_group, np.arange(40)))
    alone = evaluation.grouped_interval(values, np.arange(1_000))
    assert found.high - found.low > 4 * (alone.high - alone.low)


def test_an_interval_over_groups_holds_the_truth_as_often_as_it_says():
    rng, held = np.random.default_rng(5), 0
    for _ in range(200):
        groups = np.repeat(np.arange(60), rng.integers(1, 20, 60))
        values = rng.normal(size=60)[groups] + rng.normal(size=len(groups))
        found = evaluation.grouped_interval(values, groups)
        held += found.low <= 0 <= found.high
    assert 175 <= held <= 199


def test_the_order_of_values_and_the_names_of_groups_do_not_matter():
    rng = np.random.default_rng(6)
    values, groups = rng.random(50) < 0.7, rng.integers(0, 9, 50)
    order = rng.permutation(50)
    found = evaluation.grouped_interval(values[order], np.array([f"sender {of}" for of in groups])[order])
    np.testing.assert_allclose(found, evaluation.grouped_interval(values, groups))


@pytest.mark.parametrize(
    ("values", "groups", "message"),
    [(np.ones(3), np.arange(2), "3 values in 2 groups"), (np.ones(3), np.zeros(3), "there are 1 groups")],
)
def test_what_has_no_interval_over_groups_is_refused(values, groups, message):
    with pytest.raises(ValueError, match=message):
        evaluation.grouped_interval(values, groups)
