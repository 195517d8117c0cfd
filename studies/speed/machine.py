"""What the machine can do, and what the benchmark's network asks of it: seconds, and one line of JSON."""

import json

from fmnist_utils import models
from fmnist_utils.support.startup import tf
from studies.speed import clock


def gigaflops(dtype: tf.DType, size: int = 2048) -> float:
    """Rate of large matrix products, in 10^9 multiplications and additions a second.

    Two at a time, half of the cores each, as trainings here use them; the median of ten times.
    """
    matrices = tf.unstack(tf.cast(tf.random.normal((2, size, size)), dtype))

    @tf.function(autograph=False, jit_compile=False)
    def products() -> list[tf.Tensor]:
        powers = matrices
        for _ in range(4):
            powers = [tf.matmul(power, matrix) for power, matrix in zip(powers, matrices, strict=True)]
        return [tf.reduce_sum(power) for power in powers]

    return 2 * 4 * 2 * size**3 / clock.median_seconds(products) / 1e9


def flops_an_image() -> int:
    """Multiplications and additions of the products in one training step, forward once and backward twice."""
    model = models.batchnorm()
    first = models.multiply_adds(model.layers[0])  # the images themselves need no gradient
    return 2 * (3 * models.multiply_adds(model) - first)


def main() -> None:
    found = {"bfloat16": round(gigaflops(tf.bfloat16)), "float32": round(gigaflops(tf.float32))}
    print(json.dumps(found | {"flops_an_image": flops_an_image()}))


if __name__ == "__main__":
    main()
