"""Near-duplicates, found through principal components, are those that a full search finds."""

import numpy as np
from scipy.spatial.distance import cdist

from fmnist_utils import similarity


def flat(images):
    return images.reshape(len(images), -1).astype(float)


def test_pairs_within_a_set_are_exactly_those_of_a_full_search(real, monkeypatch):
    monkeypatch.setattr(similarity, "CHUNK", 300)
    images = real.train.images[:1_000]
    pairs, distances = similarity.near_duplicates(images, max_distance=900)
    full = cdist(flat(images), flat(images))
    expected = {(i, j) for i, j in zip(*np.nonzero(full <= 900), strict=True) if i < j}
    assert len(expected) > 20
    assert {tuple(pair) for pair in pairs.tolist()} == expected
    np.testing.assert_allclose(distances, full[pairs[:, 0], pairs[:, 1]], rtol=1e-5)
    assert (np.diff(distances) >= 0).all()


def test_pairs_between_two_sets_and_none_at_all(real):
    images, others = real.train.images[:400], real.train.images[300:900]
    pairs, distances = similarity.near_duplicates(images, others, max_distance=800)
    assert {(300 + k, k) for k in range(100)} <= {tuple(pair) for pair in pairs.tolist()}
    assert (distances == 0).sum() == 100
    assert similarity.near_duplicates(images[:5], max_distance=1.0)[0].shape == (0, 2)
