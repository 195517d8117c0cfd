"""What Keras lacks: batch normalization by TensorFlow's fused op."""

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
