"""What five seeds of lesson 5's models answer to each validation and test image.

``python -m studies.answers`` writes ``results/answers.npz``, from which the figures of lessons 5 and 7 can be
computed again without training anything. The models are those that the sweep of lesson 5 has brought back
(``runs/replicates``), in bfloat16; those with batch normalization answer with fresh averages as well. About two
minutes on two cores.
"""

import numpy as np

from fmnist_utils import data, models, results, training
from fmnist_utils.batch import states
from fmnist_utils.support import files
from fmnist_utils.support.startup import keras

FRESH = ("batchnorm", "augmented")
BATCHES = 200  # as lesson 5 shows them


def main() -> None:
    known = data.load()
    train, validation = data.train_validation_split(known.train, seed=0)
    test = data.read_test("studies.answers: every answer of the replicates, kept for readers")
    images = np.concatenate([validation.images, test.images])
    answered: dict[str, list[np.ndarray]] = {}
    sweep = files.PROJECT / "runs" / "replicates"
    runs = [(state["parameters"], key) for key, state in states.entries(sweep)[0].items()]
    for parameters, key in sorted(runs, key=lambda run: run[0]["SEED"]):
        if parameters["PRECISION"] == "float32":
            continue
        for folder in sorted((sweep / "runs" / key / "models").iterdir()):
            found = training.load(folder)
            keep(answered, found.name, found.model, images)
            if found.name in FRESH:
                batches = training.batches(train, batch_size=64, seed=parameters["SEED"]).take(BATCHES)
                fresh = models.with_fresh_averages(found.model, batches)
                keep(answered, f"{found.name}, fresh averages", fresh, images)
        print(f"seed {parameters['SEED']}", flush=True)
    stacked = {name: np.stack(seeds) for name, seeds in answered.items()}
    np.savez_compressed(results.FOLDER / "answers.npz", allow_pickle=False, **stacked)


def keep(answered: dict[str, list[np.ndarray]], name: str, model: keras.Model, images: np.ndarray) -> None:
    """Add a seed's probabilities, float16 of shape (15000, 10), to those of the same name."""
    answered.setdefault(name, []).append(training.predict(model, images).astype(np.float16))


if __name__ == "__main__":
    main()
