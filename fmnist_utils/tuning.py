"""What lesson 6 tunes with: the optimizers that it compares, by name, and searches that were kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmnist_utils import runs
from fmnist_utils.support.startup import keras

if TYPE_CHECKING:
    import optuna
    import pandas as pd


def optimizer(name: str, learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
    """The optimizers that lesson 6 compares.

    Args:
        name: "adam", "adamw" (weight decay 0.004, Keras's default), "sgd" (Nesterov momentum 0.9), "muon";
            "adam_onecycle" and "sgd_onecycle" under a one-cycle rate.
        learning_rate: under a one-cycle rate its peak.
        steps: of the whole training, for the schedule.
    """
    kind, _, schedule = name.partition("_")
    rate = one_cycle(learning_rate, steps) if schedule else learning_rate
    if kind == "sgd":
        return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True)
    kinds = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW, "muon": keras.optimizers.Muon}
    return kinds[kind](rate)


def one_cycle(
    peak: float, steps: int, warm_up: float = 0.25
) -> keras.optimizers.schedules.LearningRateSchedule:
    """A rate that rises to ``peak`` and then falls to zero along a cosine (after Smith and Topin, 2017).

    It rises from a 25th of ``peak`` in the share ``warm_up`` of the ``steps`` of the whole training.
    """
    rising = max(1, int(warm_up * steps))
    return keras.optimizers.schedules.CosineDecay(
        peak / 25, max(1, steps - rising), warmup_target=peak, warmup_steps=rising
    )


def storage(study: str) -> optuna.storages.BaseStorage:
    """Where a search is kept: the database that ``study`` names, or for "" a journal in this run's folder.

    A journal is added to line by line and needs no locks, which not every file system has.
    """
    import optuna  # not before: it takes a second to import, and most runs of a sweep search nothing
    from optuna.storages import journal

    if study:
        return optuna.storages.get_storage(study)
    path = runs.runs_dir() / "study.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = journal.JournalFileOpenLock(str(path))
    lock.acquire()
    try:
        with path.open("a+b") as log:
            log.seek(0)
            log.truncate(log.read().rfind(b"\n") + 1)  # without a line that a crash has cut off
    finally:
        lock.release()
    return optuna.storages.JournalStorage(journal.JournalFileBackend(str(path), lock))


def read_study(trials: pd.DataFrame, space: dict[str, optuna.distributions.BaseDistribution]) -> optuna.Study:
    """A search that was kept as a table, as lesson 6 writes it, as a study again.

    ``trials`` has a row a trial: ``value``, ``state``, and ``params_NAME`` for each name of ``space``, which
    says from what the parameters were drawn.
    """
    import optuna

    study = optuna.create_study(direction="maximize")
    for row in trials.to_dict("records"):
        trial = optuna.trial.create_trial(
            value=row["value"],
            params={name: row[f"params_{name}"] for name in space},
            distributions=space,
            state=optuna.trial.TrialState[row["state"]],
        )
        study.add_trial(trial)
    return study
