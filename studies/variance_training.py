"""One training for ``variance``: ``python -m studies.variance_training JOB.json`` writes ``scores.json``."""

import sys
from pathlib import Path

from fmnist_utils import data, evaluation, models, training
from fmnist_utils.support import files
from fmnist_utils.support.startup import keras


def main(job: Path) -> None:
    """Train as the job says."""
    seeds = files.read_json(job)["settings"]
    training.use_precision("bfloat16")
    train, validation = data.train_validation_split(data.load().train, seeds["split"])
    test = data.read_test("studies.variance: where the scatter of a set-up comes from")
    keras.utils.set_random_seed(seeds["initialization"])
    model = models.two_conv()
    how = {"epochs": seeds["epochs"], "batch_size": seeds["batch_size"]}
    history = training.fit(model, train, validation, training.TrainingConfig(seed=seeds["order"], **how))
    tested = evaluation.Predictions(training.predict(model, test.images), test.labels)
    scores = {"val_accuracy": history["val_accuracy"][-1], "test_accuracy": tested.accuracy}
    files.write_json(job.with_name("scores.json"), scores)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
