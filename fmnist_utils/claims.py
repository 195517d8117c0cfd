"""What the two write-ups print and claim: what would show each claim, and the verdict. No TensorFlow here.

Everything is read from the small files of ``make replicates``. Two set-ups are compared by Welch's interval
over five seeds, each the mean of its kept trainings; a training with itself (corrupted images, more epochs) by
pairs.
"""

import numpy as np
import pandas as pd

from fmnist_utils import results
from fmnist_utils.evaluation import Interval, difference, paired_difference, predicted_counts, wilson_interval

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
    "better, fresh": (
        "BN makes the network better, with fresh averages",
        "accuracy on 15,000 images that were not trained on, BN - control",
    ),
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
    "gap to test": ("87.7% in training against 85% is no gap", "a gap that 10,000 test images cannot show"),
    "boots": ("Precision of Ankle boot 98%", "counts that allow it"),
    "sneakers": ("Precision of Sneaker 88%", "the same"),
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
    """For each claim of ``BY_DIFFERENCE`` its two sides, a value a seed; the first is claimed larger."""
    first = {name: of[:, 0] for name, of in results.seed_means("accuracy_by_epoch").items()}
    validation = results.seed_means("val_accuracy_by_epoch")
    steps = {name: np.abs(np.diff(of[:, 4:])).mean(axis=1) for name, of in validation.items()}
    late, unseen, fresh = (results.seed_means(witness) for witness in ("late", "unseen", "fresh_unseen"))
    gap, tested = gaps(), results.seed_means("test_accuracy")
    return {
        "speed": (first["batchnorm"], first["control"]),
        "calm": (steps["control"], steps["batchnorm"]),
        "better": (late["batchnorm"], late["control"]),
        "better, fresh": (fresh["batchnorm"], unseen["control"]),
        "gap": (gap["control", 0.0], gap["batchnorm", 0.0]),
        "gap, dropout": (gap["control", 0.5], gap["batchnorm", 0.5]),
        "dropout": (gap["control", 0.0], gap["control", 0.5]),
        "dropout, BN": (gap["batchnorm", 0.0], gap["batchnorm", 0.5]),
        "augmentation": (late["augmented"], late["batchnorm"]),
        "scaling": (first["two_conv"], _claims("accuracy_by_epoch", WHITE=255)[:, 0]),
        "dense": (tested["two_conv"], tested["dense"]),
    }


def effects(confidence: float = 0.95) -> dict[str, Interval]:
    """The interval of every claim that one settles; above zero is as claimed."""
    late, later = _longer()
    lost = _lost()
    return (
        {key: difference(*sides, confidence) for key, sides in pairs().items()}
        | {"epochs": paired_difference(late + ENOUGH, later, confidence)}
        | {"gap to test": paired_difference(*_blog_gap(), confidence)}
        | {kind: paired_difference(np.full(len(of), ROBUST), of, confidence) for kind, of in lost.items()}
    )


def table() -> pd.DataFrame:
    """A row a claim: the claim, what would show it, what was measured, and the verdict."""
    by_interval = effects()
    found = {key: (_in_points(effect), verdict(effect)) for key, effect in by_interval.items()}
    for kind, lost in _lost().items():
        found[kind] = (f"{lost.mean() * 100:.1f} points lost", found[kind][1])
    late, later = _longer()
    found["epochs"] = (_in_points(paired_difference(later, late)), found["epochs"][1])
    found |= _classes() | _shirts() | _arithmetic()
    found["covariate shift"] = ("nothing here; others added shift, without harm (2018)", "can't be told")
    words = BY_DIFFERENCE | BY_OTHER_MEANS
    rows = [(*words[key], *found[key]) for key in words]
    return pd.DataFrame(rows, columns=["claim", "what would show it", "measured", "verdict"])


def standing_together() -> dict[str, str]:
    """The verdicts that stand when all intervals are widened to hold at once (Bonferroni).

    By claim, without those that can no longer be told.
    """
    widened = effects(1 - 0.05 / len(effects()))
    words = BY_DIFFERENCE | BY_OTHER_MEANS
    verdicts = {words[key][0]: verdict(effect) for key, effect in widened.items()}
    return {claim: found for claim, found in verdicts.items() if found != "can't be told"}


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
    as_claimed = bool(((shirts >= 150) & (shirts <= 250)).all())
    return {"shirts": (measured, "held" if as_claimed else "not reproduced")}  # its network had 85%, not 90%


def _longer() -> tuple[np.ndarray, np.ndarray]:
    """The augmented network's accuracy about its 15th and about its 30th epoch, a value a training."""
    by_epoch = _claims("val_accuracy_by_epoch", EPOCHS=30)
    return by_epoch[:, 10:15].mean(axis=1), by_epoch[:, 25:].mean(axis=1)


def _lost() -> dict[str, np.ndarray]:
    """What the blog post's network loses at severity 2, a value a training."""
    kept = results.table("robustness")
    whole = results.over_seeds(kept, "accuracy", model_name="blog", kind="none")
    kinds = ("shift", "scale", "rotation", "brightness", "contrast")
    worse = {kind: {"model_name": "blog", "kind": kind, "severity": 2} for kind in kinds}
    return {kind: whole - results.over_seeds(kept, "accuracy", **which) for kind, which in worse.items()}


def _blog_gap() -> tuple[np.ndarray, np.ndarray]:
    return results.replicates("accuracy")["blog"], results.replicates("val_accuracy")["blog"]


def _arithmetic() -> dict[str, tuple[str, str]]:
    """What follows from the write-ups' own figures, and from a gap over seeds."""
    reported = wilson_interval(np.arange(10_000) < 8_500)
    gap = paired_difference(*_blog_gap())
    boots, sneakers = 1000 - BOOTS_AS_SNEAKERS, 1000 - SNEAKERS_AS_BOOTS - SNEAKERS_AS_SANDALS
    precision = boots / (boots + SNEAKERS_AS_BOOTS)
    fewest, most = (sneakers / share - sneakers for share in (0.885, 0.875))
    found = {
        "gap to test": (
            f"85% is {reported.low:.1%} to {reported.high:.1%}; here {_in_points(gap)}",
            "not held" if reported.high < 0.877 and gap.low > 0 else "can't be told",
        ),
        "boots": (f"by its counts at most {precision:.1%}", _held(precision > 0.975)),
        "sneakers": (
            f"so if {fewest:.0f} to {most:.0f} others were called sneakers; it is the recall",
            "can't be told",
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
