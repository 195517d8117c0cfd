"""What the two write-ups print and claim: what would show each claim, and the verdict. No TensorFlow here.

Everything is read from the small files of ``make replicates``; differences are over five paired seeds.
"""

import numpy as np
import pandas as pd

from fmnist_utils import results
from fmnist_utils.evaluation import Interval, paired_difference, predicted_counts, wilson_interval

# The mini-project: test accuracy after each of its 15 epochs, which it calls validation.
TEST_ACCURACY_BY_EPOCH = (
    *(0.8342, 0.8551, 0.8585, 0.8422, 0.8634, 0.8764, 0.8611, 0.8889),
    *(0.8911, 0.8185, 0.8937, 0.8804, 0.8613, 0.8972, 0.8929),
)
# Its two classification reports for one model, a value a class.
REPORTS = {
    "results section": {
        "precision": [0.87, 0.98, 0.83, 0.90, 0.85, 0.95, 0.75, 0.94, 0.94, 0.94],
        "recall": [0.91, 0.99, 0.76, 0.87, 0.79, 0.96, 0.67, 0.97, 0.94, 0.95],
        "f1-score": [0.89, 0.99, 0.79, 0.88, 0.82, 0.95, 0.71, 0.95, 0.94, 0.94],
    },
    "notebook output": {
        "precision": [0.90, 0.97, 0.84, 0.90, 0.84, 0.98, 0.64, 0.96, 0.99, 0.96],
        "recall": [0.72, 0.99, 0.86, 0.88, 0.83, 0.98, 0.78, 0.96, 0.96, 0.97],
        "f1-score": [0.80, 0.98, 0.85, 0.89, 0.83, 0.98, 0.70, 0.96, 0.98, 0.96],
    },
}
# The blog post: of 1,000 images of a class, how many were taken for another.
SNEAKERS_AS_BOOTS, SNEAKERS_AS_SANDALS, BOOTS_AS_SNEAKERS = 96, 27, 7

ROBUST = 0.02  # of accuracy: what a robust network may lose at severity 2
ENOUGH = 0.005  # of accuracy: what more epochs may still bring where there were enough

# Those that a difference between two set-ups shows: the claim, and what has to be above zero.
BY_DIFFERENCE = {
    "speed": ("Batch normalization (BN) speeds convergence", "first epoch's training accuracy, BN - control"),
    "calm": ("BN steadies validation curves", "mean step between epochs from the fifth on, control - BN"),
    "better": ("BN makes the network better", "validation accuracy of the last five epochs, BN - control"),
    "gap": ("BN reduces over-fitting, without dropout", "training minus validation accuracy, control - BN"),
    "gap, dropout": ("BN reduces over-fitting, with dropout", "the same"),
    "dropout": ("Dropout reduces over-fitting", "training minus validation accuracy, without - with"),
    "dropout, BN": ("Dropout reduces over-fitting, with BN", "the same"),
    "augmentation": (
        "Augmentation improves generalization",
        "validation accuracy of the last five of 15 epochs, with - without",
    ),
    "scaling": ("Scaled pixels train more efficiently", "first epoch's training accuracy, [0, 1] - [0, 255]"),
    "dense": ("Dense networks struggle", "test accuracy, CNN - dense network of its size"),
}
BY_OTHER_MEANS = {
    "covariate shift": ("BN works by reducing internal covariate shift", "an experiment on the shift itself"),
    "epochs": ("15 epochs are enough (augmented network)", "less than half a point gained by 15 more"),
    "classes": (
        "Trouser, Sandal, Sneaker are easy, Pullover, Shirt hard",
        "recall above and below the mean of all classes",
    ),
    "no over-fitting": ("87.7% against 85% is no over-fitting", "a gap that 10,000 test images cannot show"),
    "precision": ("Precision of Sneaker 88%, of Ankle boot 98%", "counts that allow it"),
    "shirts": ("150 to 250 shirts taken for each of three tops", "means over the seeds in that range"),
    "shift": ("CNNs are robust to shifts", "at most 2 points lost at severity 2"),
    "scale": ("CNNs are robust to changes of scale", "the same"),
    "rotation": ("CNNs are robust to changes of orientation", "the same"),
    "brightness": ("CNNs are robust to changes of lighting: brightness", "the same"),
    "contrast": ("CNNs are robust to changes of lighting: contrast", "the same"),
    "results section": ("The report in the results section fits", "counts that add up to 10,000 images"),
    "notebook output": ("The report in the notebook output fits", "the same"),
}


def verdict(effect: Interval) -> str:
    """``held`` above zero, ``not held`` below, ``can't be told`` where the interval includes zero."""
    return "held" if effect.low > 0 else "not held" if effect.high < 0 else "can't be told"


def gaps() -> dict[tuple[str, float], np.ndarray]:
    """Training minus validation accuracy of finished networks, five seeds, by network and dropout rate."""
    return {
        (name, dropout): _claims("fitted_accuracy", model_name=name, DROPOUT=dropout, WHITE=1, EPOCHS=15)
        - _claims("val_accuracy", model_name=name, DROPOUT=dropout, WHITE=1, EPOCHS=15)
        for name in ("control", "batchnorm")
        for dropout in (0.0, 0.5)
    }


def pairs() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """For each claim of ``BY_DIFFERENCE`` the two sides, five seeds each; the first is claimed to be larger."""
    first = {name: by_epoch[:, 0] for name, by_epoch in results.replicates("accuracy_by_epoch").items()}
    validation = results.replicates("val_accuracy_by_epoch")
    late = {name: by_epoch[:, -5:].mean(axis=1) for name, by_epoch in validation.items()}
    steps = {name: np.abs(np.diff(by_epoch[:, 4:])).mean(axis=1) for name, by_epoch in validation.items()}
    gap, tested = gaps(), results.replicates("test_accuracy")
    return {
        "speed": (first["batchnorm"], first["control"]),
        "calm": (steps["control"], steps["batchnorm"]),
        "better": (late["batchnorm"], late["control"]),
        "gap": (gap["control", 0.0], gap["batchnorm", 0.0]),
        "gap, dropout": (gap["control", 0.5], gap["batchnorm", 0.5]),
        "dropout": (gap["control", 0.0], gap["control", 0.5]),
        "dropout, BN": (gap["batchnorm", 0.0], gap["batchnorm", 0.5]),
        "augmentation": (late["augmented"], late["batchnorm"]),
        "scaling": (first["two_conv"], _claims("accuracy_by_epoch", WHITE=255)[:, 0]),
        "dense": (tested["two_conv"], tested["dense"]),
    }


def table() -> pd.DataFrame:
    """A row a claim: the claim, what would show it, what was measured, and the verdict."""
    found = {}
    for key, sides in pairs().items():
        effect = paired_difference(*sides)
        found[key] = (_in_points(effect), verdict(effect))
    found |= _epochs() | _classes() | _shirts() | _robustness() | _arithmetic()
    found["covariate shift"] = ("nothing here; others added shift, without harm (2018)", "can't be told")
    words = BY_DIFFERENCE | BY_OTHER_MEANS
    rows = [(*words[key], *found[key]) for key in words]
    return pd.DataFrame(rows, columns=["claim", "what would show it", "measured", "verdict"])


def standing_together() -> dict[str, str]:
    """The verdicts by difference that stand when all intervals are widened to hold at once (Bonferroni).

    By claim, without those that can no longer be told.
    """
    compared = pairs()
    confidence = 1 - 0.05 / len(compared)
    verdicts = {
        BY_DIFFERENCE[key][0]: verdict(paired_difference(*sides, confidence)) for key, sides in compared.items()
    }
    return {claim: found for claim, found in verdicts.items() if found != "can't be told"}


def _epochs() -> dict[str, tuple[str, str]]:
    by_epoch = _claims("val_accuracy_by_epoch", EPOCHS=30)
    late, later = by_epoch[:, 10:15].mean(axis=1), by_epoch[:, 25:].mean(axis=1)
    gained = paired_difference(later, late)
    return {"epochs": (_in_points(gained), verdict(paired_difference(late + ENOUGH, later)))}


def _classes() -> dict[str, tuple[str, str]]:
    def as_claimed(recall: np.ndarray) -> bool:
        return bool((recall[[1, 5, 7]] > recall.mean()).all() and (recall[[2, 6]] < recall.mean()).all())

    recall = [counts.diagonal(axis1=1, axis2=2) for counts in results.replicates("confusion_matrix").values()]
    set_ups = [as_claimed(seeds.mean(axis=0)) for seeds in recall]
    trainings = [as_claimed(seed) for seeds in recall for seed in seeds]
    measured = (
        f"{sum(set_ups)} of {len(set_ups)} set-ups on average, {sum(trainings)} of {len(trainings)} trainings"
    )
    return {"classes": (measured, _held(all(set_ups)))}


def _shirts() -> dict[str, tuple[str, str]]:
    shirts = results.replicates("confusion_matrix")["blog"][:, 6, [0, 2, 4]].mean(axis=0)
    measured = f"{shirts[0]:.0f}, {shirts[1]:.0f} and {shirts[2]:.0f}; in all {shirts.sum():.0f}"
    return {"shirts": (measured, _held(bool(((shirts >= 150) & (shirts <= 250)).all())))}


def _robustness() -> dict[str, tuple[str, str]]:
    kept = results.table("robustness")
    whole = results.over_seeds(kept, "accuracy", model_name="blog", kind="none")
    found = {}
    for kind in ("shift", "scale", "rotation", "brightness", "contrast"):
        lost = whole - results.over_seeds(kept, "accuracy", model_name="blog", kind=kind, severity=2)
        effect = paired_difference(np.full(len(lost), ROBUST), lost)
        found[kind] = (f"{lost.mean() * 100:.1f} points lost", verdict(effect))
    return found


def _arithmetic() -> dict[str, tuple[str, str]]:
    """What follows from the write-ups' own figures, and from a gap over seeds."""
    reported = wilson_interval(np.arange(10_000) < 8_500)
    gap = paired_difference(results.replicates("accuracy")["blog"], results.replicates("val_accuracy")["blog"])
    shown = reported.high < 0.877 and gap.low > 0
    boots = 1000 - BOOTS_AS_SNEAKERS
    precision = boots / (boots + SNEAKERS_AS_BOOTS)
    found = {
        "no over-fitting": (
            f"85% is {reported.low:.1%} to {reported.high:.1%}; here {_in_points(gap)}",
            "not held" if shown else "can't be told",
        ),
        "precision": (
            f"by its counts Ankle boot's is at most {precision:.1%}; 88% is Sneaker's recall",
            _held(precision > 0.975),
        ),
    }
    for section, printed in REPORTS.items():
        fewest, most = predicted_counts(printed["precision"], printed["recall"], support=1000)
        found[section] = (f"{fewest:,.0f} to {most:,.0f} predictions", _held(fewest <= 10_000 <= most))
    return found


def _claims(column: str, **settings: float | str) -> np.ndarray:
    return results.over_seeds(results.table("claims"), column, **settings)


def _in_points(effect: Interval) -> str:
    return f"{effect.estimate * 100:+.1f} points [{effect.low * 100:+.1f}, {effect.high * 100:+.1f}]"


def _held(holds: bool) -> str:
    return "held" if holds else "not held"
