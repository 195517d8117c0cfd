"""What lesson 6 tunes with: the optimizers that it compares, by name."""

from fmnist_utils import optimizers
from fmnist_utils.startup import keras


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
    kinds = {"adam": optimizers.Adam, "adamw": keras.optimizers.AdamW, "muon": keras.optimizers.Muon}
    return kinds[kind](rate)


def one_cycle(
    peak: float, steps: int, warm_up: float = 0.25
) -> keras.optimizers.schedules.LearningRateSchedule:
    """A rate that rises to ``peak`` and then falls to zero along a cosine (after Smith and Topin, 2017).

    Args:
        peak: the largest rate.
        steps: of the whole training.
        warm_up: the share of the steps in which it rises, from a 25th of ``peak``.
    """
    rising = max(1, int(warm_up * steps))
    return keras.optimizers.schedules.CosineDecay(
        peak / 25, max(1, steps - rising), warmup_target=peak, warmup_steps=rising
    )
