"""The end of lesson 10's study: the photographs of the test senders, once.

``python -m studies.photographs.tested`` writes ``results/photograph_test.json``. Three things were chosen on
validation senders; what each must have reached there, its gate, stands here and was committed before. What has
been measured is not measured anew by accident: only ``--again`` replaces it. Some minutes, after ``study``.
"""

import argparse
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fmnist_utils import champion, evaluation, photographs, pretrained, results, training
from fmnist_utils.photographs import Photographs
from fmnist_utils.support import files
from studies.photographs import networks, study
from studies.photographs import training as study_training
from studies.photographs.settings import SPLIT_SEED

RECORD = results.FOLDER / "photograph_test.json"
GATES = {"prepared": 0.53, "fine-tuned": 0.87, "refusal": 0.90}  # balanced accuracy, accuracy, AUROC
UNKNOWN = ("Hat", "Shorts", "Skirt", "Not sure")  # labels without a class in Fashion-MNIST
KEPT = 0.9  # of the photographs with a class, by the rule that refuses
STRENGTH = 0.003  # C of the linear model behind it

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--again", action="store_true", help="replace what has been measured")
    asked = parser.parse_args()
    if RECORD.exists() and not asked.again:
        raise SystemExit(f"{RECORD} is there: the test senders were looked at. --again looks once more.")
    training.use_precision("float32")
    train, validation, test = photographs.split(photographs.load(), SPLIT_SEED)
    validated = measured(train, validation, validation)
    require_gates(validated)
    found = {"command": "python -m studies.photographs.tested", "gates": GATES}
    files.write_json(RECORD, found | {"validation": validated, "test": measured(train, validation, test)})


def require_gates(validated: dict[str, Row]) -> None:
    """End here if a gate is closed, before a photograph of a test sender is looked at."""
    for name, gate in GATES.items():
        if validated[name]["value"] < gate:
            raise SystemExit(
                f"The gate is closed: {name} has {validated[name]['value']:.1%} on validation senders; "
                f"{gate:.1%} is asked for. No test sender's photograph was looked at."
            )


def measured(train: Photographs, validation: Photographs, shown: Photographs) -> dict[str, Row]:
    """All three on some photographs; ``train`` teaches the rule, ``validation`` sets its threshold."""
    return {
        "prepared": prepared(shown),
        "fine-tuned": fine_tuned(shown),
        "refusal": refusal(train, validation, shown),
    }


def prepared(shown: Photographs) -> Row:
    """The champion on prepared photographs of the labels that have a class: right, by label and balanced."""
    known = shown.at(np.isin(shown.label, list(photographs.CLASSES)))
    pictures = np.stack([photographs.prepare(image) for image in known.image])
    answers = training.predict(champion.load(), pictures, 100).argmax(axis=1)
    right = [answer in photographs.CLASSES[label] for answer, label in zip(answers, known.label, strict=True)]
    return _accuracies(np.array(right), known)


def fine_tuned(shown: Photographs) -> Row:
    """MobileNetV2, fine-tuned with five seeds, on the ten largest classes: the mean over the seeds."""
    ten = networks.of_ten(shown)
    settings, right = study.SETUPS["fine-tuned"], []
    for seed in study.SEEDS:
        model = networks.network(settings)
        model.load_weights(study.job("fine-tuned", seed).folder / "fine_tuned.weights.h5")
        right.append(study_training.answered(model, ten.image, settings) == networks.numbers(ten))
    by_seed = [round(float(of_seed.mean()), 5) for of_seed in right]
    return _accuracies(np.mean(right, axis=0), ten) | {"value": float(np.mean(right)), "accuracies": by_seed}


def _accuracies(right: np.ndarray, shown: Photographs) -> Row:
    by_label = {label: float(right[shown.label == label].mean()) for label in np.unique(shown.label)}
    accuracy = evaluation.grouped_interval(right, shown.sender)
    return {
        "value": float(np.mean(list(by_label.values()))),
        "photographs": len(shown),
        "senders": len(np.unique(shown.sender)),
        "accuracy": list(accuracy),
        "balanced": float(np.mean(list(by_label.values()))),
        "by_label": by_label,
    }


def refusal(train: Photographs, validation: Photographs, shown: Photographs) -> Row:
    """How well a linear model on ImageNet's features tells what has a class from what has none.

    The threshold keeps ``KEPT`` of the validation senders' photographs that have a class.
    """
    eyes = pretrained.of_colour(pretrained.pooled(pretrained.backbone(161)))
    settings = networks.Settings(side=161)
    parts = [_known_or_not(part) for part in (train, validation, shown)]
    features = [pretrained.features(eyes, networks.pictures(part.image, settings)) for part in parts]
    line = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=500))
    line.fit(features[0], parts[0].label)
    scores = [line.predict_proba(of)[:, ~np.isin(line.classes_, UNKNOWN)].sum(axis=1) for of in features[1:]]
    has_class = [~np.isin(part.label, UNKNOWN) for part in parts[1:]]
    threshold = np.quantile(scores[0][has_class[0]], 1 - KEPT)
    kept = scores[1] >= threshold
    return {
        "value": float(roc_auc_score(has_class[1], scores[1])),
        "photographs": len(parts[2]),
        "threshold": float(threshold),
        "kept_with_class": float(kept[has_class[1]].mean()),
        "refused_without": {label: float((~kept[parts[2].label == label]).mean()) for label in UNKNOWN},
    }


def _known_or_not(part: Photographs) -> Photographs:
    return part.at(np.isin(part.label, [*photographs.CLASSES, *UNKNOWN]))


if __name__ == "__main__":
    main()
