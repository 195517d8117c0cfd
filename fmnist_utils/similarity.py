"""Nearest neighbours among all pairs of tens of thousands of images, exactly and in seconds."""

import numpy as np

CHUNK = 1_000
COMPONENTS = 64


def near_duplicates(
    images: np.ndarray, others: np.ndarray | None = None, max_distance: float = 800.0
) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of images whose Euclidean distance in pixel space is at most ``max_distance``.

    Distances between the first principal components never exceed those between the images, so pairs
    that are far apart there need no second look. What is left is measured on all pixels.

    Args:
        images: uint8, shape (n, 28, 28).
        others: uint8, shape (m, 28, 28); None compares ``images`` among themselves, each pair once.
        max_distance: in grey levels (0 to 255); two unlike garments are thousands apart.

    Returns:
        The pairs, int, shape (p, 2), closest first, and their distances, float, shape (p,).
    """
    from sklearn.decomposition import PCA

    pixels = images.reshape(len(images), -1).astype(np.float32)
    targets = pixels if others is None else others.reshape(len(others), -1).astype(np.float32)
    pca = PCA(min(COMPONENTS, len(pixels)), svd_solver="covariance_eigh").fit(pixels)
    low, low_targets = pca.transform(pixels), pca.transform(targets)
    pairs = np.concatenate(
        [_close(low, low_targets, start, others is None, max_distance) for start in range(0, len(low), CHUNK)]
    )
    distances = np.concatenate(
        [
            np.linalg.norm(pixels[part[:, 0]] - targets[part[:, 1]], axis=1)
            for part in np.array_split(pairs, len(pairs) // 10_000 + 1)
        ]
    )
    order = np.argsort(distances, kind="stable")
    order = order[distances[order] <= max_distance]
    return pairs[order], distances[order]


def _close(low: np.ndarray, targets: np.ndarray, start: int, among: bool, max_distance: float) -> np.ndarray:
    """Candidate pairs of one chunk of rows; among themselves, only with later rows."""
    rows = low[start : start + CHUNK]
    later = start if among else 0
    columns = targets[later:]
    # |a - b|² ≤ r²  ⇔  a·b ≥ (|a|² + |b|² - r²) / 2; a little slack for float32's rounding
    half_norms = (columns**2).sum(1) / 2
    bound = ((rows**2).sum(1) - (1.01 * max_distance) ** 2) / 2
    i, j = np.nonzero(rows @ columns.T - half_norms >= bound[:, None])
    pairs = np.stack([i + start, j + later], axis=1)
    return pairs[pairs[:, 0] < pairs[:, 1]] if among else pairs
