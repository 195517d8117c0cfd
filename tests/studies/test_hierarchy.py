"""Lesson 10's groups: what was kept is what the settings say, and figures follow from the counts."""

import numpy as np
import pytest

from fmnist_utils import data, models, results
from studies.photographs import hierarchy, hierarchy_training
from studies.photographs.hierarchy_training import GROUPS, HEADS, class_names, membership

SEEDS = [0, 1, 2, 3, 4]
KEPT = [(of, head) for of in GROUPS for head in HEADS]


def matrices(of: str, head: str) -> np.ndarray:
    return results.over_seeds(results.table("hierarchy"), "confusion_matrix", of=of, head=head)


# What was kept


def test_each_head_was_measured_with_each_of_its_seeds_once():
    found = {key: sorted(rows["SEED"]) for key, rows in results.table("hierarchy").groupby(["of", "head"])}
    assert found == dict.fromkeys(KEPT, SEEDS)
    assert [settings.of for settings in hierarchy.ASKED] == [*GROUPS][::-1] and [*hierarchy.SEEDS] == SEEDS


@pytest.mark.parametrize(("of", "head"), KEPT)
def test_what_is_asked_is_the_same_for_all(of, head):
    found = matrices(of, head)
    assert found.shape == (5, *[len(class_names(of))] * 2)
    np.testing.assert_array_equal(found.sum(axis=2), np.tile(found[0].sum(axis=1), (5, 1)))
    if of == "Fashion-MNIST":
        assert (found[0].sum(axis=1) == 500).all()
    else:
        np.testing.assert_array_equal(found[0].sum(axis=1), matrices(of, "flat")[0].sum(axis=1))


@pytest.mark.parametrize(("of", "head"), KEPT)
def test_accuracy_and_near_mistakes_follow_from_the_counts(of, head):
    table = results.table("hierarchy")
    member = membership(of)
    near = member @ member.T
    for counts, (_, row) in zip(matrices(of, head), chosen(table, of, head), strict=True):
        asked, right, same_group = counts.sum(), counts.trace(), (counts * near).sum()
        assert row["accuracy"] == pytest.approx(right / asked, abs=6e-6)
        assert row["within"] == pytest.approx((same_group - right) / (asked - right), abs=6e-6)
        assert row["score"] == pytest.approx((right + same_group) / 2 / asked, abs=6e-6)
        assert row["accuracy"] < row["score"] < row["group_accuracy"] + 0.02 < 1


def chosen(table, of: str, head: str):
    return table[(table["of"] == of) & (table["head"] == head)].sort_values("SEED").iterrows()


def test_joining_changes_what_is_said_of_classes_and_not_of_groups():
    table = results.table("hierarchy").set_index(["of", "head", "SEED"])
    two, three = (table.xs(head, level="head").sort_index() for head in HEADS[1:])
    assert (two["group_accuracy"] == three["group_accuracy"]).all()
    assert (three["disagree"] < two["disagree"]).all()


# What it trains with


@pytest.mark.parametrize("of", GROUPS)
def test_each_class_is_of_one_group(of):
    names = class_names(of)
    assert len(set(names)) == len(names) == {"Fashion-MNIST": 10, "photographs": 14}[of]
    assert (membership(of).sum(axis=1) == 1).all() and (membership(of).sum(axis=0) > 0).all()
    assert membership(of).shape[1] == 6


def test_the_classes_stand_in_the_order_of_the_labels():
    assert class_names("Fashion-MNIST") == tuple(data.CLASS_NAMES)
    groups = [*GROUPS["Fashion-MNIST"]]
    found = [groups[column] for column in membership("Fashion-MNIST").argmax(axis=1)]
    assert found[data.CLASS_NAMES.index("Coat")] == "outerwear"
    assert found[data.CLASS_NAMES.index("Shirt")] == found[data.CLASS_NAMES.index("Pullover")] == "tops"


MEMBER = np.array([[1, 0], [1, 0], [0, 1]], np.float32)  # two classes of one group, one of another


def test_a_near_mistake_is_half_forgiven():
    says = {"class": np.array([[0.6, 0.4, 0], [0.6, 0.4, 0], [0.1, 0, 0.9], [0.3, 0.3, 0.4]])}
    found = hierarchy_training.scores(says, np.array([0, 1, 1, 2]), MEMBER)
    assert (found["accuracy"], found["within"], found["score"]) == (0.5, 0.5, 0.625)
    assert found["group_accuracy"] == 0.5, "the last one's group is the one with the largest sum: the first"
    assert found["disagree"] == 0.25
    assert found["confusion_matrix"] == "1 0 0 1 0 1 0 0 1"


def test_an_answer_to_the_group_counts_before_the_sum():
    says = {"class": np.array([[0.6, 0.4, 0.0]]), "group": np.array([[0.2, 0.8]])}
    found = hierarchy_training.scores(says, np.array([1]), MEMBER)
    assert (found["group_accuracy"], found["disagree"], found["within"]) == (0, 1, 1)


def test_joined_probabilities_add_up_to_those_of_the_groups():
    rng = np.random.default_rng(0)
    says = {"class": rng.dirichlet(np.ones(3), 50), "group": rng.dirichlet(np.ones(2), 50)}
    found = hierarchy_training.joined(says, MEMBER)
    np.testing.assert_allclose(found @ MEMBER, says["group"], rtol=1e-5)
    np.testing.assert_allclose(found[:, 0] / found[:, 1], says["class"][:, 0] / says["class"][:, 1], rtol=1e-5)


@pytest.mark.parametrize("of", GROUPS)
def test_the_heads_share_a_trunk(of):
    flat, two = (hierarchy_training.network(of, with_groups) for with_groups in (False, True))
    classes, groups = membership(of).shape
    assert flat.output_names == ["class"] and sorted(two.output_names) == ["class", "group"]
    assert flat.output["class"].shape == (None, classes) and two.output["group"].shape == (None, groups)
    width = two.get_layer("group").kernel.shape[0]
    assert two.get_layer("class").kernel.shape[0] == width
    assert two.count_params() - flat.count_params() == groups * (width + 1)
    if of == "Fashion-MNIST":
        assert flat.count_params() == models.two_conv().count_params()
