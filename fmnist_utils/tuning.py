"""What lesson 6 tunes with: the optimizers that it compares, by name."""

from fmnist_utils import optimizers
from fmnist_utils.startup import keras


def optimizer(name: str, learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
    """The optimizers that lesson 6 compares.

    Args:
        name: "adam", "adamw" (weight decay 0.004, Keras's default), "sgd" (Nesterov momentum 0.9), "onecycle"
            (the same under a one-cycle rate) or "muon".
        learning_rate: for "onecycle" the peak.
        steps: of the whole training, for the schedule.
    """
    sgd = {"momentum": 0.9, "nesterov": True}
    makers = {
        "adam": lambda: optimizers.Adam(learning_rate),
        "adamw": lambda: keras.optimizers.AdamW(learning_rate),
        "sgd": lambda: keras.optimizers.SGD(learning_rate, **sgd),
        "onecycle": lambda: keras.optimizers.SGD(one_cycle(learning_rate, steps), **sgd),
        "muon": lambda: keras.optimizers.Muon(learning_rate),
    }
    return makers[name]()


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
