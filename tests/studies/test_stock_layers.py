"""A published model needs nothing of this package."""

import keras
import numpy as np

from fmnist_utils.fast import layers
from studies.stock_layers import with_stock_layers

MAPS = np.random.default_rng(0).normal(3.0, 2.0, (8, 6, 5, 4)).astype("float32")


def test_with_stock_layers_needs_nothing_of_this_package(tmp_path):
    model = keras.Sequential(
        [keras.Input((6, 5, 4)), keras.layers.Conv2D(3, 3, name="conv"), layers.BatchNormalization(name="bn")]
    )
    model(MAPS, training=True)
    stock = with_stock_layers(model)
    assert type(stock.get_layer("bn")) is keras.layers.BatchNormalization
    np.testing.assert_allclose(model(MAPS), stock(MAPS), rtol=1e-5, atol=1e-5)
    stock.save(tmp_path / "stock.keras")
    assert "fmnist_utils" not in stock.to_json()
