"""The end of lesson 9's study: the test labels, once, for the set-ups that the validation images chose.

``python -m studies.transfer.tested`` writes ``results/transfer_test.json``. Which set-ups these are, and the
mean accuracy on the validation images that each must have reached, stands here and was committed before. What
has been measured is not measured anew by accident: only ``--again`` replaces it. Some minutes.
"""

import argparse

import numpy as np

from fmnist_utils import data, pretrained, results, training
from fmnist_utils.support import files, saved
from studies.transfer import features, study
from studies.transfer.settings import SPLIT_SEED, Settings

RECORD = results.FOLDER / "transfer_test.json"
CHOSEN = {1_000: "inner 97", 55_000: "all"}  # by labels: the best mean over the seeds on the validation images
GATES = {1_000: 0.865, 55_000: 0.935}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--again", action="store_true", help="replace what has been measured")
    asked = parser.parse_args()
    if RECORD.exists() and not asked.again:
        raise SystemExit(f"{RECORD} is there: the test labels were read for it. --again reads them once more.")
    kept = results.table("transfer")
    validated = {
        size: kept[(kept["setup"] == setup) & (kept["size"] == size)] for size, setup in CHOSEN.items()
    }
    require_gates({size: rows["val_accuracy"].to_numpy() for size, rows in validated.items()})
    training.use_precision("float32")
    test = data.read_test("studies.transfer.tested: the two set-ups of lesson 9 that were chosen")
    rows = []
    for size, setup in CHOSEN.items():
        seeds = sorted(validated[size]["SEED"])
        rows.append(
            {
                "setup": setup,
                "size": size,
                "gate": GATES[size],
                "seeds": seeds,
                "val_accuracy": validated[size].sort_values("SEED")["val_accuracy"].tolist(),
                "test_accuracy": [accuracy(setup, size, seed, test) for seed in seeds],
            }
        )
        print(rows[-1], flush=True)
    files.write_json(RECORD, {"command": "python -m studies.transfer.tested", "setups": rows})


def require_gates(validated: dict[int, np.ndarray]) -> None:
    """End here if a gate is closed, before any test label is read."""
    for size, accuracies in validated.items():
        if not len(accuracies) or accuracies.mean() < GATES[size]:
            raise SystemExit(
                f"The gate is closed: {CHOSEN[size]} with {size:,} labels has a mean of "
                f"{accuracies.mean():.2%} on the validation images; {GATES[size]:.1%} is asked for. No test "
                "label was read."
            )


def accuracy(setup: str, size: int, seed: int, test: data.Split) -> float:
    """Test accuracy of one training of the study."""
    if setup.startswith(("last ", "inner ")):
        train, _ = data.train_validation_split(data.load().train, SPLIT_SEED)
        labelled = data.subset(train, size, seed)
        of = features.frozen(int(setup.split()[1]))
        line = features.regression().fit(of(labelled.images)[setup], labelled.labels)
        return round(float(line.score(of(test.images)[setup], test.labels)), 5)
    folder = study.job(Settings(setup, (size,), study.RATES[setup]), seed).folder
    model = saved.load(folder / f"{size}.keras")
    answers = training.predict(pretrained.folded(model), test.images, 100).argmax(axis=1)
    return round(float((answers == test.labels).mean()), 5)


if __name__ == "__main__":
    main()
