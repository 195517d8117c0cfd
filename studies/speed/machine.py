"""What the machine can do, and what the network asks of it: one line of JSON."""

import json
import statistics
import time

import tensorflow as tf

from fmnist_utils import models


def gigaflops(dtype: tf.DType, size: int = 2048, repeats: int = 15) -> float:
    """Rate of a square matrix product, median of several, in 10^9 multiplications and additions a second."""
    left, right = (tf.cast(tf.random.normal((size, size)), dtype) for _ in range(2))
    product = tf.function(lambda a, b: tf.matmul(a, b), jit_compile=False)
    product(left, right)
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        product(left, right)
        times.append(time.perf_counter() - began)
    return 2 * size**3 / statistics.median(times) / 1e9


def flops_an_image() -> int:
    """Multiplications and additions of the products in one training step, forward and backward."""
    products = []
    for layer in models.batchnorm().layers:
        if hasattr(layer, "kernel"):
            places = layer.output.shape[1] * layer.output.shape[2] if len(layer.output.shape) == 4 else 1
            products.append(2 * places * int(tf.size(layer.kernel.value)))
    return 3 * sum(products) - products[0]  # the images themselves need no gradient


print(
    json.dumps(
        {
            "bfloat16": round(gigaflops(tf.bfloat16)),
            "float32": round(gigaflops(tf.float32)),
            "flops_an_image": flops_an_image(),
        }
    )
)
