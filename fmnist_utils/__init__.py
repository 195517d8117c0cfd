"""What the Fashion-MNIST notebooks share: data, plots, training, evaluation and batch runs.

Import the modules one by one (``from fmnist_utils import data, plots``): those that need no
TensorFlow do not load it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # importing it takes seconds
    import keras


def load_champion() -> "keras.Model":
    """The most accurate model of the series, ready to predict: see ``fmnist_utils.champion.load``."""
    from fmnist_utils import champion

    return champion.load()
