"""What Keras lacks: batch normalization by TensorFlow's fused op."""

import statistics
import time

from fmnist_utils.startup import keras, tf

_FUSED_DTYPES = ("float16", "bfloat16", "float32")


@keras.saving.register_keras_serializable("fmnist_utils")
class BatchNormalization(keras.layers.BatchNormalization):
    """``keras.layers.BatchNormalization``, computed by one fused op where that is possible.

    Keras 3 computes the moments and the normalization as separate float32 ops, which costs more on a CPU
    than the convolutions around them. This layer has the same constructor, weights, configuration and
    results. It uses ``FusedBatchNormV3`` for channels-last images of shape (n, height, width, channels)
    without mask, renormalization or synchronization, and Keras's own path for everything else.
    """

    def call(self, inputs, training=None, mask=None):
        if mask is not None or not self._can_fuse(inputs):
            return super().call(inputs, training=training, mask=mask)
        if not (training and self.trainable):
            return self._fused(inputs, self.moving_mean, self.moving_variance, is_training=False)[0]
        empty = tf.zeros([0], tf.float32)
        outputs, mean, variance = self._fused(inputs, empty, empty, is_training=True)
        self._update(self.moving_mean, mean)
        self._update(self.moving_variance, variance * _without_bessel(inputs))
        return outputs

    def _can_fuse(self, inputs) -> bool:
        return (
            len(inputs.shape) == 4
            and self.axis in (-1, 3)
            and not self.renorm
            and not self.synchronized
            and keras.backend.standardize_dtype(inputs.dtype) in _FUSED_DTYPES
        )

    def _fused(self, inputs, mean, variance, is_training: bool):
        channels = inputs.shape[-1]
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.cast(self.gamma, tf.float32) if self.scale else tf.ones([channels]),
            offset=tf.cast(self.beta, tf.float32) if self.center else tf.zeros([channels]),
            mean=tf.cast(mean, tf.float32),
            variance=tf.cast(variance, tf.float32),
            epsilon=self.epsilon,
            is_training=is_training,
        )
        return outputs, mean, variance

    def _update(self, moving, batch) -> None:
        moving.assign(moving * self.momentum + tf.cast(batch, moving.dtype) * (1.0 - self.momentum))


def _without_bessel(inputs):
    """(n - 1) / n: the fused op reports the unbiased batch variance, Keras averages the biased one."""
    values = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)
    return tf.maximum(values - 1, 1) / values


def differences(first: keras.Layer, second: keras.Layer, inputs) -> dict[str, float]:
    """How far two normalization layers with the same weights disagree in one training step.

    Args:
        first, second: layers, built or not.
        inputs: float, any shape that they take.

    Returns:
        For output, gradient with respect to the inputs, moving mean and moving variance: the largest
        difference as a share of the largest value.
    """

    def step(layer: keras.Layer) -> dict[str, tf.Tensor]:
        x = tf.constant(inputs)
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, training=True)
            loss = tf.reduce_sum(outputs * tf.cast(x, outputs.dtype) ** 2)
        gradient = tape.gradient(loss, x)
        moving = {"moving mean": layer.moving_mean.value, "moving variance": layer.moving_variance.value}
        return {"output": outputs, "gradient": gradient, **moving}

    ours, theirs = step(first), step(second)
    return {
        part: float(tf.reduce_max(tf.abs(ours[part] - theirs[part])) / tf.reduce_max(tf.abs(theirs[part])))
        for part in ours
    }


def milliseconds(layer: keras.Layer, inputs, repeats: int = 20) -> float:
    """Median time of one training step through a layer, forward and back, compiled to a graph."""

    @tf.function(jit_compile=False)
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(tf.cast(layer(x, training=True), tf.float32) ** 2)
        return tf.reduce_sum(tf.cast(tape.gradient(loss, x), tf.float32))

    x = tf.cast(inputs, layer.compute_dtype)
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        step(x).numpy()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def with_stock_layers(model: keras.Model) -> keras.Model:
    """A copy of ``model`` with Keras's own layers only, for people who do not have this package.

    Args:
        model: a built model; its layers may include those of this module.

    Returns:
        An uncompiled model with the same configuration, layer names and weights.
    """

    def stock(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, BatchNormalization):
            return keras.layers.BatchNormalization.from_config(layer.get_config())
        return layer.__class__.from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=stock)
    copy.set_weights(model.get_weights())
    return copy
