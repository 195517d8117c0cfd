"""Metrics, intervals and comparisons, against values worked out by other means."""

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
    interval = evaluation.accuracy_interval(np.arange(100) < 90)
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


def test_a_band_is_four_standard_deviations_about_the_replicates_mean(capsys):
    seeds = [0.899, 0.9, 0.901]
    evaluation.print_bands({"in": 0.9039, "out": 0.9041}, {"in": seeds, "out": seeds, "other": seeds})
    assert capsys.readouterr().out == ("in   within 0.8960 to 0.9040: yes\nout  within 0.8960 to 0.9040: no\n")


def test_a_bands_standard_deviation_is_that_of_all_steady_set_ups(capsys):
    evaluation.print_bands({"a": 0.9}, {"a": [0.9, 0.9], "b": [0.799, 0.8, 0.801], "wild": [0.5, 0.6]})
    assert capsys.readouterr().out == "a  within 0.8972 to 0.9028: yes\n"


def test_a_band_is_at_most_two_points_wide_and_not_given_where_that_is_too_narrow(capsys):
    evaluation.print_bands({"a": 0.9101, "b": 0.9}, {"a": [0.897, 0.9, 0.903], "b": [0.894, 0.9, 0.906]})
    assert capsys.readouterr().out == (
        "a  within 0.8900 to 0.9100: no\nb  no band: seeds differ by a standard deviation of 0.006\n"
    )


def test_a_band_of_less_than_three_standard_deviations_either_way_is_not_given(capsys):
    evaluation.print_bands({"a": 0.9}, {"a": [0.8965, 0.9, 0.9035]})
    assert capsys.readouterr().out == "a  no band: seeds differ by a standard deviation of 0.004\n"


def test_what_was_not_replicated_has_no_band(capsys):
    evaluation.print_bands({"a": 0.9}, {"a": [0.9]})
    assert capsys.readouterr().out == "a  no band: nothing with these parameters was replicated\n"


def test_the_smallest_difference_is_found_as_often_as_promised():
    images, differing = 2_000, 0.1
    difference = evaluation.smallest_difference(images, differing, power=0.8)
    rng = np.random.default_rng(0)
    better = rng.binomial(1, (differing + difference) / 2 / differing, (400, images)).astype(bool)
    differs = rng.random((400, images)) < differing
    found = [evaluation.mcnemar(~d | wins, ~d | ~wins) < 0.05 for d, wins in zip(differs, better, strict=True)]
    assert 0.7 < np.mean(found) < 0.88
    with pytest.raises(ValueError, match="too few to find a difference"):
        evaluation.smallest_difference(10_000, 0.0005)


def test_optimism_is_the_luck_of_the_best_on_the_images_that_chose_it():
    rng = np.random.default_rng(0)
    deviation = (0.9 * 0.1 / 2_000) ** 0.5  # of an accuracy
    equally_good = [evaluation.optimism(rng.random((20, 2_000)) < 0.9, 50) for _ in range(30)]
    assert np.mean(equally_good) == pytest.approx(1.87 * deviation, rel=0.1), "the mean of the best of 20 draws"
    one_is_best = rng.random((20, 2_000)) < 0.9
    one_is_best[3] = True
    assert evaluation.optimism(one_is_best, 50) == 0


def test_answers_are_yes_or_no(capsys):
    evaluation.print_answers({"one": True, "three": False})
    assert capsys.readouterr().out == "one    yes\nthree  no\n"


def test_a_column_over_seeds_is_in_their_order_and_numbers_in_texts_are_numbers():
    table = pd.DataFrame(
        {
            "model_name": ["a", "a", "b"],
            "SEED": [1, 0, 0],
            "val_accuracy": [0.2, 0.1, 0.3],
            "val_loss_by_epoch": ["3 4", "1 2", "5 6"],
            "confusion_matrix": [" ".join(map(str, range(i, i + 100))) for i in (7, 0, 9)],
        }
    )
    assert evaluation.over_seeds(table, "val_accuracy", model_name="a").tolist() == [0.1, 0.2]
    assert evaluation.over_seeds(table, "val_loss_by_epoch", model_name="a").tolist() == [[1, 2], [3, 4]]
    matrices = evaluation.over_seeds(table, "confusion_matrix", model_name="a")
    assert matrices.shape == (2, 10, 10) and matrices[1, 0, 0] == 7 and matrices[0, 9, 9] == 99


def test_the_kept_replicates_are_five_seeds_of_seven_models():
    kept = evaluation.replicates("confusion_matrix")
    assert len(kept) == 7
    for name, matrices in kept.items():
        assert matrices.shape == (5, 10, 10) and (matrices.sum(axis=2) == 1000).all(), name
        accuracy = matrices.diagonal(axis1=1, axis2=2).sum(axis=1) / 10_000
        assert accuracy == pytest.approx(evaluation.replicates("test_accuracy")[name], abs=1e-5)
