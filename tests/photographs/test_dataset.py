"""The photographs as arrays: taken by position, split without a sender on two sides."""

from itertools import combinations

import numpy as np
import pytest
from photo_sources import LABELS, SENDERS, write

from fmnist_utils import photographs
from fmnist_utils.photographs import Photographs


def collection(senders: int = 60, seed: int = 0) -> Photographs:
    """Photographs of many senders, some with many and some with few, who have each their own favourite."""
    rng = np.random.default_rng(seed)
    sender = np.repeat(np.arange(senders), rng.integers(1, 40, senders))
    favourite = rng.integers(0, 3, senders)[sender]
    kind = np.where(rng.random(len(sender)) < 0.5, favourite, rng.integers(0, 3, len(sender)))
    order = rng.permutation(len(sender))
    image = np.empty(len(sender), object)
    for position in range(len(sender)):
        image[position] = np.full((2, 3, 3), position % 256, np.uint8)
    return Photographs(image, sender[order], np.array(LABELS)[kind][order], rng.random(len(sender)) < 0.1)


def numbered(photographs_: Photographs) -> Photographs:
    """The same with their positions in place of images, to find each again."""
    positions = np.arange(len(photographs_)).astype(object)
    return Photographs(positions, photographs_.sender, photographs_.label, photographs_.kids)


def shares(part: Photographs, names: np.ndarray) -> np.ndarray:
    return np.array([np.mean(part.label == name) for name in names])


def assert_senders_apart(parts) -> None:
    for one, other in combinations(parts, 2):
        assert not set(one.sender) & set(other.sender), "a sender on two sides"


# ---- Arrays -------------------------------------------------------------------------------------------------


def test_what_is_loaded_has_images_senders_labels_and_kids(made, tmp_path, monkeypatch):
    monkeypatch.setenv("FMNIST_PHOTOS_DIR", str(write(made, tmp_path / "named")))
    loaded = photographs.load()
    assert len(loaded) == len(SENDERS)
    assert loaded.sender.tolist() == list(SENDERS)
    assert loaded.label[:4].tolist() == [*LABELS, LABELS[0]]
    assert loaded.kids.sum() == 2 and loaded.kids.dtype == bool
    assert all(image.shape[2] == 3 and max(image.shape) == 200 for image in loaded.image)


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        (np.array([3, 0, 3]), [3, 0, 3]),
        ([1, 2], [1, 2]),
        (np.arange(40) == 7, [7]),
        (slice(2, 4), [2, 3]),
    ],
)
def test_those_at_some_positions_keep_what_belongs_together(positions, expected):
    whole = numbered(collection()).at(np.arange(40))
    taken = whole.at(positions)
    assert taken.image.tolist() == expected
    for name in ("sender", "label", "kids"):
        assert getattr(taken, name).tolist() == getattr(whole, name)[expected].tolist()


def test_arrays_of_other_lengths_are_refused():
    whole = collection()
    with pytest.raises(ValueError, match=r"image, sender, label and kids have \[\d+, 3, \d+, \d+\] entries"):
        Photographs(whole.image, whole.sender[:3], whole.label, whole.kids)


# ---- The split ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_each_photograph_is_in_one_part_and_no_sender_in_two(seed):
    parts = photographs.split(numbered(collection(seed=seed)), seed)
    everywhere = np.concatenate([part.image for part in parts])
    assert sorted(everywhere) == list(range(len(everywhere)))
    assert len(everywhere) == len(collection(seed=seed))
    assert_senders_apart(parts)


def test_a_sender_on_two_sides_would_be_noticed():
    whole = collection()
    with pytest.raises(AssertionError, match="on two sides"):
        assert_senders_apart([whole.at(slice(0, 300)), whole.at(slice(300, None))])


def test_parts_are_about_60_20_and_20_percent_and_keep_the_order_and_the_labels_shares():
    whole = numbered(collection())
    parts = photographs.split(whole, 0)
    assert [len(part) / len(whole) for part in parts] == pytest.approx([0.6, 0.2, 0.2], abs=0.03)
    for part in parts:
        assert part.image.tolist() == sorted(part.image)
        assert shares(part, LABELS) == pytest.approx(shares(whole, LABELS), abs=0.06)


def test_a_seed_gives_one_split_and_another_seed_another():
    whole = numbered(collection())
    first, again, other = (photographs.split(whole, seed)[2].image.tolist() for seed in (0, 0, 1))
    assert first == again != other


def test_too_few_senders_to_keep_apart_are_refused():
    whole = collection()
    few = whole.at(np.isin(whole.sender, [0, 1, 2, 3]))
    with pytest.raises(ValueError, match="there are 4 senders; at least 5"):
        photographs.split(few, 0)


# ---- The real ones ------------------------------------------------------------------------------------------


def test_the_real_photographs_are_counted(real_photographs):
    assert len(real_photographs) == 5_398
    assert len(np.unique(real_photographs.sender)) == 348  # of 351 in images.csv; of three there is no file
    names, counts = np.unique(real_photographs.label, return_counts=True)
    assert len(names) == 20
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)).items() >= {("Not sure", 228), ("Skip", 7)}
    assert real_photographs.kids.sum() == 476


@pytest.mark.parametrize("seed", range(3))
def test_no_sender_of_the_real_photographs_is_in_two_parts(seed, real_photographs):
    parts = photographs.split(real_photographs, seed)
    assert_senders_apart(parts)
    assert sum(map(len, parts)) == len(real_photographs)
    assert [len(part) / len(real_photographs) for part in parts] == pytest.approx([0.6, 0.2, 0.2], abs=0.04)
    names = np.unique(real_photographs.label)
    for part in parts:
        assert shares(part, names) == pytest.approx(shares(real_photographs, names), abs=0.09)
