"""Photographs of clothes, as people take them, and the way from one to a picture like Fashion-MNIST's.

No TensorFlow here, until ``classifying`` is asked.
"""

from fmnist_utils.photographs.dataset import CLASSES, Photographs, load, split
from fmnist_utils.photographs.making import MadePhotograph, made
from fmnist_utils.photographs.preparing import find, prepare, steps
from fmnist_utils.photographs.reading import PhotographError, read

__all__ = ["CLASSES", "MadePhotograph", "PhotographError", "Photographs", "find", "load", "made", "prepare"]
__all__ += ["read", "split", "steps"]
