"""The studies behind lesson 10: what they kept is what their settings say, and they measure what they name."""

import inspect
from itertools import pairwise, product

import numpy as np
import pytest

from fmnist_utils import champion, data, evaluation, photographs, results, training
from fmnist_utils.photographs import CLASSES, Photographs, made
from fmnist_utils.photographs.textures import BACKGROUNDS
from studies.photographs import made as study
from studies.photographs import scoring, steps
from studies.photographs.settings import SPLIT_SEED
from studies.photographs.variants import VARIANTS

PARTS = ("train", "validation")
NETWORKS = ("champion", "two_conv")


@pytest.fixture(scope="module")
def garments(real) -> np.ndarray:
    """Of each class one."""
    return np.stack([real.train.images[real.train.labels == label][0] for label in range(10)])


# ---- What the steps are worth: the kept table ---------------------------------------------------------------


@pytest.fixture(scope="module")
def of_steps():
    return results.table(steps.TABLE)


def test_each_network_was_asked_about_each_label_of_each_part_by_each_variant(of_steps):
    planned = product(PARTS, VARIANTS, NETWORKS, [*CLASSES, "balanced"])
    found = of_steps[["part", "variant", "network", "label"]].itertuples(index=False, name=None)
    assert list(found) == list(planned), "in the order of the variants"
    assert list(of_steps) == steps.COLUMNS


def test_accuracies_are_shares_of_the_photographs_and_balanced_is_their_mean(of_steps):
    for key, rows in of_steps.groupby(["part", "network", "variant"]):
        labels, (balanced,) = rows[:-1], rows[-1:].itertuples()
        right = labels["accuracy"] * labels["photographs"]
        np.testing.assert_allclose(right, right.round(), atol=0.01, err_msg=str(key))  # five digits are kept
        assert balanced.photographs == labels["photographs"].sum(), key
        assert balanced.accuracy == pytest.approx(labels["accuracy"].mean(), abs=1e-5), key


def test_an_interval_holds_its_accuracy_and_is_no_point_where_some_are_right_and_some_are_not(of_steps):
    low, accuracy, high = (of_steps[column] for column in ("low", "accuracy", "high"))
    assert ((low >= 0) & (low <= accuracy) & (accuracy <= high) & (high <= 1)).all()
    assert ((high - low > 0.005) | (accuracy < 0.03)).all()


def test_the_photographs_are_those_of_the_training_and_validation_senders(of_steps, real_photographs):
    for part, shown in zip(PARTS, photographs.split(real_photographs, SPLIT_SEED), strict=False):
        counted = {label: int((shown.label == label).sum()) for label in CLASSES}
        for key, rows in of_steps[of_steps["part"] == part].groupby(["network", "variant"]):
            assert dict(zip(rows["label"], rows["photographs"], strict=True)) == counted | {
                "balanced": sum(counted.values())
            }, key


# ---- Variants -----------------------------------------------------------------------------------------------


def test_one_variant_is_what_the_package_does():
    assert VARIANTS["prepare"] is photographs.prepare


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "prepare"])
def test_every_other_variant_makes_another_picture_the_same_each_time(name, garments):
    for seed, garment in enumerate(garments[:3]):
        image = made(garment, seed, background="planks", size=0.6).image
        picture = VARIANTS[name](image)
        assert picture.shape == (28, 28) and picture.dtype == np.uint8
        np.testing.assert_array_equal(VARIANTS[name](image), picture)
        assert (picture != photographs.prepare(image)).any()


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("shape", [(40, 30), (200, 150), (9, 200)])
def test_a_photograph_of_one_colour_stops_no_variant(name, shape):
    assert VARIANTS[name](np.full((*shape, 3), 90, np.uint8)).shape == (28, 28)


def test_what_is_not_cropped_stays_where_and_as_large_as_it_is(garments):
    """A quarter of the side is the garment's: cropped, nearly all of it."""
    image = made(garments[1], 0, size=0.25).image  # trousers
    heights = [
        np.ptp(np.flatnonzero((VARIANTS[name](image) > 50).any(axis=1))) + 1
        for name in ("not cropped", "prepare")
    ]
    assert heights[0] == pytest.approx(0.25 * 27, abs=1.5) and heights[1] >= 26


# ---- Scores -------------------------------------------------------------------------------------------------


def shown(senders: int, each: int) -> Photographs:
    """So many photographs of each label by each sender; what they show does not matter."""
    rows = [(sender, label) for sender in range(senders) for label in CLASSES for _ in range(each)]
    sender, label = (np.array(column) for column in zip(*rows, strict=True))
    return Photographs(np.zeros(len(rows), object), 7 * sender, label, np.zeros(len(rows), bool))


def rightly(known: Photographs) -> np.ndarray:
    return np.array([CLASSES[label][-1] for label in known.label])


def test_photographs_of_one_sender_are_right_or_wrong_together():
    """Fifty of a hundred are right, but they are one person's: the interval knows nothing between 0 and 1."""
    known = shown(senders=2, each=50)
    answers = np.where(known.sender == 0, rightly(known), 8)
    for label, score in scoring.scores(known, answers).items():
        assert score == (900 if label == "balanced" else 100, 0.5, 0, 1), label


def test_many_senders_tell_more_than_few():
    widths = []
    for senders in (10, 40, 160):
        known = shown(senders, each=1)
        answers = np.where(known.sender % 2, rightly(known), 8)
        _, accuracy, low, high = scoring.scores(known, answers)["balanced"]
        assert accuracy == 0.5
        widths.append(high - low)
    for more, fewer in pairwise(widths):
        assert more / fewer == pytest.approx(2, rel=0.2), "as the root of their number"


def test_each_label_counts_alike_and_shoes_may_be_any_of_three():
    known = shown(senders=4, each=1)
    known = known.at((known.label != "Pants") | (known.sender == 0))  # of trousers there is one
    for shoe in CLASSES["Shoes"]:
        answers = np.where(known.label == "Shoes", shoe, np.where(known.label == "Pants", 1, 8))
        found = scoring.scores(known, answers)
        assert found["Shoes"][1] == found["Pants"][1] == 1 and found["Dress"][1] == 0
        assert found["balanced"][:2] == (33, pytest.approx(2 / 9))


# ---- What the factors of a photograph cost: the kept table --------------------------------------------------


@pytest.fixture(scope="module")
def of_factors():
    return results.table(study.TABLE)


def test_each_value_of_each_factor_was_measured_in_each_way(of_factors):
    planned = [("none", "none", "original")]
    for factor, values in study.FACTORS.items():
        ways = ["prepared", "true mask"] + ["straight"] * (factor in ("angle", "turn"))
        planned += [(factor, str(value), how) for value in values for how in ways]
    assert list(of_factors[["factor", "value", "how"]].itertuples(index=False, name=None)) == planned
    assert list(of_factors) == study.COLUMNS and (of_factors["garments"] == study.GARMENTS).all()


def test_an_interval_is_wilsons(of_factors):
    for row in of_factors.itertuples():
        right = round(row.accuracy * row.garments)
        assert row.accuracy == pytest.approx(right / row.garments, abs=1e-5)
        expected = evaluation.wilson_interval(np.arange(row.garments) < right)
        assert (row.accuracy, row.low, row.high) == pytest.approx(expected, abs=1e-5), row


def test_masks_that_are_found_are_good_and_only_the_true_ones_are_right(of_factors):
    found = of_factors[of_factors["how"].isin(["prepared", "straight"])]
    assert found["iou"].between(0.8, 0.99).all()
    assert (of_factors[of_factors["how"] == "true mask"]["iou"] == 1).all()
    assert of_factors[of_factors["how"] == "original"]["iou"].isna().all()


def test_all_factors_have_the_photographs_in_common_of_which_nothing_is_changed(of_factors):
    defaults = {name: one.default for name, one in inspect.signature(made).parameters.items()}
    assert set(study.FACTORS) == set(defaults) - {"image", "seed"}
    unchanged = [
        of_factors[(of_factors["factor"] == factor) & (of_factors["value"] == str(defaults[factor]))]
        for factor in study.FACTORS
    ]
    for how in ("prepared", "true mask"):
        rows = [rows[rows["how"] == how][["accuracy", "iou"]].to_numpy().tolist() for rows in unchanged]
        assert len(rows[0]) == 1 and rows == rows[:1] * len(study.FACTORS), how
    for rows in unchanged[-2:]:  # what lies upright is seen straight already
        assert rows["accuracy"].iloc[2] == rows["accuracy"].iloc[0]


def test_the_garments_are_validation_images_and_the_network_is_the_champion(of_factors, real):
    _, aside = data.train_validation_split(real.train, SPLIT_SEED)
    answers = training.predict(champion.load(), aside.images[: study.GARMENTS], 100).argmax(axis=1)
    right = (answers == aside.labels[: study.GARMENTS]).mean()
    assert of_factors["accuracy"][0] == pytest.approx(right, abs=2.1 / study.GARMENTS), (
        "another precision may turn an answer"
    )


# ---- Ways ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("part", [slice(None), slice(70, 190)])
def test_the_mask_that_prepare_finds_gives_what_prepare_gives(background, part, garments):
    for seed, garment in enumerate(garments):
        image = made(garment, seed, background=background, size=0.4).image[part, part]
        picture = study.with_mask(image, photographs.find(image))
        np.testing.assert_array_equal(picture, photographs.prepare(image))


def test_the_true_mask_cuts_out_what_prepare_does_not_find():
    """White on white nothing is found; the mask knows where it is all the same."""
    image, mask = np.full((128, 128, 3), 250, np.uint8), np.zeros((128, 128), bool)
    mask[40:80, 50:70] = True
    picture = study.with_mask(image, mask)
    expected = np.zeros((28, 28), bool)
    expected[:27, 7:21] = True  # 40 x 20 pixels, of the longer edge 27 are left
    assert ((picture > 0) == expected).all()
    assert (photographs.prepare(image) > 0).sum() > 1.5 * expected.sum()


def test_a_pixel_that_is_half_garment_counts_as_garment_when_a_mask_is_made_small():
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    whole, half, less = np.zeros((3, 256, 256), bool)
    whole[80:160, 100:140] = half[81:159, 100:140] = less[82:158, 100:140] = True  # of pairs of rows
    np.testing.assert_array_equal(study.with_mask(image, half), study.with_mask(image, whole))
    assert (study.with_mask(image, less) != study.with_mask(image, whole)).any()


@pytest.mark.parametrize("change", [{"turn": 45}, {"turn": 20}, {"angle": 60}, {"angle": 30}])
def test_seen_straight_a_garment_lies_as_if_nothing_had_been_changed(change, garments):
    for seed, garment in enumerate(garments):
        upright, aslant = made(garment, seed), made(garment, seed, **change)
        image, mask = study.straight(aslant, upright.corners)
        assert study.overlap(mask, upright.mask) > 0.9 > study.overlap(aslant.mask, upright.mask)
        inside = mask & upright.mask
        off = np.abs(image[inside].astype(int) - upright.image[inside])
        assert off.mean() < np.abs(aslant.image[inside].astype(int) - upright.image[inside]).mean()


def test_everything_gives_pictures_by_factor_value_and_way(garments, monkeypatch):
    monkeypatch.setattr(study, "FACTORS", {"colour": (1.0,), "turn": (0.0, 30.0)})
    found = list(study.everything(garments[:2]))
    expected = [("none", "none", "original")]
    expected += [("colour", 1.0, how) for how in ("prepared", "true mask")]
    expected += [("turn", turn, how) for turn in (0.0, 30.0) for how in ("prepared", "true mask", "straight")]
    assert [row[:3] for row in found] == expected
    pictures = {row[1:3]: row[3] for row in found}
    for seed, garment in enumerate(garments[:2]):
        np.testing.assert_array_equal(pictures["none", "original"][seed], garment)
        turned = photographs.prepare(made(garment, seed, turn=30).image)
        np.testing.assert_array_equal(pictures[30.0, "prepared"][seed], turned)
    np.testing.assert_array_equal(pictures[0.0, "straight"], pictures[0.0, "prepared"])
    for *_, how, _, iou in found:
        assert {"original": np.isnan(iou), "true mask": iou == 1}.get(how, 0.8 < iou < 1), how


def test_the_overlap_is_intersection_over_union():
    first, second = np.zeros((2, 4, 4), bool)
    first[:2], second[1:3] = True, True
    assert study.overlap(first, second) == pytest.approx(1 / 3)
    assert study.overlap(first, first) == 1 and study.overlap(first, ~first) == 0
