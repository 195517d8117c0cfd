"""How five seeds of lesson 5's models stand corrupted test images.

``python -m studies.robustness`` writes ``results/robustness.csv`` for lesson 7. The models are those that the
sweep of lesson 5 has brought back (``runs/replicates``). About five minutes on two cores.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from fmnist_utils import corruptions, data, results, training
from fmnist_utils.batch import states
from fmnist_utils.support import files

MODELS = ("dense", "two_conv", "blog", "batchnorm", "augmented")
SIZE = 5_000


def main() -> None:
    training.use_precision("auto")
    models = {}
    sweep = files.PROJECT / "runs" / "replicates"
    for key, state in states.entries(sweep)[0].items():
        if state["parameters"]["PRECISION"] == "float32":
            continue
        for name in MODELS:
            (folder,) = (sweep / "runs" / key).glob(f"models/{name}-*")
            models[name, state["parameters"]["SEED"]] = training.load(folder).model
    test = data.subset(data.read_test("studies.robustness: accuracy under corruptions"), SIZE, seed=0)
    rows = []
    for kind, severity, images in worse(test.images):
        for (name, seed), model in models.items():
            right = training.predict(model, images).argmax(axis=1) == test.labels
            rows.append((name, seed, kind, severity, right.mean()))
        print(kind, severity, flush=True)
    table = pd.DataFrame(rows, columns=["model_name", "SEED", "kind", "severity", "accuracy"])
    head = f"# {SIZE:,} test images, the models of runs/replicates. Written by studies.robustness."
    text = table.sort_values(["model_name", "SEED"], kind="stable").to_csv(index=False)
    files.write_text(results.FOLDER / "robustness.csv", f"{head}\n{text}")


def worse(images: np.ndarray) -> Iterator[tuple[str, int, np.ndarray]]:
    """Kind, severity and images: as they are, mirrored, turned round, and corrupted in each way and severity.

    Args:
        images: uint8, shape (n, 28, 28), as those that it gives.
    """
    yield "none", 0, images
    yield "mirrored", 1, images[:, :, ::-1]
    yield "upside down", 1, images[:, ::-1, ::-1]
    for kind in corruptions.KINDS:
        for severity in corruptions.SEVERITIES:
            yield kind, severity, corruptions.corrupt(images, kind, severity)


if __name__ == "__main__":
    main()
