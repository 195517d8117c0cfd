"""Linear models on pixels and on frozen features of MobileNetV2."""

from collections.abc import Callable

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from fmnist_utils import data, pretrained
from fmnist_utils.support.startup import keras
from studies.transfer.settings import INNER, STRENGTH

LAST = 1280  # features of the last layer

Features = Callable[[np.ndarray], dict[str, np.ndarray]]


def frozen(side: int) -> Features:
    """What turns uint8 images, (n, 28, 28), into features of the last layer and of the inner one, (n, d)."""
    trunk = pretrained.backbone(side)
    parts = [pretrained.pooled(trunk), pretrained.pooled(trunk, INNER, cells=2)]
    joined = keras.layers.Concatenate()([part.output for part in parts])
    model = pretrained.of_grey(keras.Model(trunk.input, joined, name="both"))

    def of(images: np.ndarray) -> dict[str, np.ndarray]:
        both = pretrained.features(model, images)
        return {f"last {side}": both[:, :LAST], f"inner {side}": both[:, LAST:]}

    return of


def pixels(images: np.ndarray) -> dict[str, np.ndarray]:
    """The grey levels themselves, (n, 784) in [0, 1]."""
    return {"pixels": data.rescale(images).reshape(len(images), -1)}


def regression(strength: float = STRENGTH) -> Pipeline:
    """Softmax regression on features brought to mean 0 and deviation 1; ``strength`` is scikit-learn's C."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=300, tol=1e-3))
