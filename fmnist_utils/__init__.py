"""What the Fashion-MNIST notebooks share: data, plots, training, evaluation and batch runs.

Import the modules one by one (``from fmnist_utils import data, plots``): those that need no
TensorFlow do not load it.
"""

from fmnist_utils.support import environment

environment.settle()  # first of all: much is read when it is imported

from fmnist_utils.champion import load as load_champion  # noqa: E402  which loads Keras only when it is called

__all__ = ["load_champion"]
