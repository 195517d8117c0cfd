"""How often a network is right about photographs, label by label, and how far chance reaches."""

import numpy as np

from fmnist_utils.photographs import CLASSES, Photographs
from studies.photographs.settings import DRAWS

LABELS = tuple(CLASSES)
Score = tuple[int, float, float, float]


def scores(known: Photographs, answers: np.ndarray) -> dict[str, Score]:
    """For each label, and balanced over all: photographs, accuracy, and its 95% interval.

    The interval is by drawing senders anew: of one person's clothes there are several photographs, which are
    right or wrong together. ``known`` has photographs of ``LABELS`` only, and of each; ``answers`` are classes
    of Fashion-MNIST, shape (n,).
    """
    counts = counted(known, answers)
    senders = counts.shape[1]
    drawn = np.random.default_rng(0).integers(0, senders, (DRAWS, senders))
    totals = counts[:, drawn].sum(axis=2)
    with np.errstate(invalid="ignore"):  # a label that no drawn sender has
        draws = totals[0] / totals[1]
    right, photographs = counts.sum(axis=1)
    found = {
        label: (int(photographs[place]), float(right[place] / photographs[place]), *ends(draws[:, place]))
        for place, label in enumerate(LABELS)
    }
    balanced = float(np.mean(right / photographs))
    return found | {"balanced": (len(known), balanced, *ends(np.nanmean(draws, axis=1)))}


def counted(known: Photographs, answers: np.ndarray) -> np.ndarray:
    """The photographs of each sender and label that were answered rightly, and all: (2, senders, labels)."""
    right = [answer in CLASSES[label] for answer, label in zip(answers, known.label, strict=True)]
    senders, sender = np.unique(known.sender, return_inverse=True)
    label = np.array([LABELS.index(label) for label in known.label])
    counts = np.zeros((2, len(senders), len(LABELS)))
    np.add.at(counts[0], (sender, label), right)
    np.add.at(counts[1], (sender, label), 1)
    return counts


def ends(draws: np.ndarray) -> tuple[float, float]:
    """Between which 95% of the draws lie that have a value."""
    low, high = np.nanquantile(draws, (0.025, 0.975))
    return float(low), float(high)
