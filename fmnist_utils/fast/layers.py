"""What Keras lacks: batch normalization as one fused op, and a quicker gradient for small convolutions."""

from fmnist_utils.support.startup import keras, tf

_FUSED_DTYPES = ("float16", "bfloat16", "float32")
_FEW_POSITIONS = 25


@keras.saving.register_keras_serializable("fmnist_utils")
class BatchNormalization(keras.layers.BatchNormalization):
    """``keras.layers.BatchNormalization``, computed by one fused op where that is possible.

    Keras 3 computes the moments and the normalization as separate float32 ops, which costs more on a CPU
    than the convolutions around them. This layer has the same constructor, weights, configuration and
    results. It uses ``FusedBatchNormV3`` for channels-last images of shape (n, height, width, channels)
    without mask, renormalization or synchronization, and Keras's own path for everything else.
    """

    def call(self, inputs, training=None, mask=None):
        if mask is not None or not self.can_fuse(inputs):
            return super().call(inputs, training=training, mask=mask)
        return self.in_parts([inputs], training)[0]

    def in_parts(self, parts: list, training=None) -> list:
        """Normalize the channels in parts, which give an op to each of several cores.

        Args:
            parts: consecutive channels of one batch, (n, height, width, some of the channels) each, for
                which ``can_fuse`` is true.
            training: as for a call of the layer.

        Returns:
            The outputs, one for each part.
        """

        def cut(values) -> list:
            return tf.split(tf.cast(values, tf.float32), [part.shape[-1] for part in parts])

        channels = sum(part.shape[-1] for part in parts)
        scales = cut(self.gamma if self.scale else tf.ones([channels]))
        offsets = cut(self.beta if self.center else tf.zeros([channels]))
        if not (training and self.trainable):
            moments = zip(cut(self.moving_mean), cut(self.moving_variance), strict=True)
            results = [
                self._fused(part, scale, offset, mean, variance, is_training=False)
                for part, scale, offset, (mean, variance) in zip(parts, scales, offsets, moments, strict=True)
            ]
            return [outputs for outputs, *_ in results]
        none = tf.zeros([0], tf.float32)
        results = [
            self._fused(*each, none, none, is_training=True)
            for each in zip(parts, scales, offsets, strict=True)
        ]
        outputs, means, variances = zip(*results, strict=True)
        self._update(self.moving_mean, tf.concat(means, 0))
        self._update(self.moving_variance, tf.concat(variances, 0) * _without_bessel(parts[0]))
        return list(outputs)

    def can_fuse(self, inputs) -> bool:
        """Whether the fused op takes inputs of this shape and type under this layer's settings."""
        return (
            len(inputs.shape) == 4
            and self.axis in (-1, 3)
            and not self.renorm
            and not self.synchronized
            and keras.backend.standardize_dtype(inputs.dtype) in _FUSED_DTYPES
        )

    def _fused(self, inputs, scale, offset, mean, variance, is_training: bool):
        return tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=scale,
            offset=offset,
            mean=mean,
            variance=variance,
            epsilon=self.epsilon,
            is_training=is_training,
        )[:3]

    def _update(self, moving, batch) -> None:
        moving.assign(moving * self.momentum + tf.cast(batch, moving.dtype) * (1.0 - self.momentum))


def _without_bessel(inputs):
    """(n - 1) / n: the fused op reports the unbiased batch variance, Keras averages the biased one."""
    values = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)
    return tf.maximum(values - 1, 1) / values


def convolution(layer: keras.layers.Conv2D, inputs, kernel, bias):
    """What ``layer`` computes, with the quicker of two ways to its kernel's gradient.

    oneDNN's bfloat16 gradient for a kernel that was applied at few positions, as in the lessons' third
    convolution (3 x 3 of them), takes more than twice as long as one matrix product of the patches under the
    kernel with the outputs' gradients.

    The layer is built, with padding "valid", strides and dilation 1, no groups and a bias; ``inputs`` are
    float, (n, height, width, channels); ``kernel`` and ``bias`` are its own, or those of some of its filters.
    """
    kernel, bias = tf.convert_to_tensor(kernel), tf.convert_to_tensor(bias)
    _, height, width, _ = layer.compute_output_shape(inputs.shape)
    few = None not in (height, width) and height * width <= _FEW_POSITIONS
    convolve = _convolve_by_patches if few and inputs.dtype == tf.bfloat16 else _convolve
    return layer.activation(tf.nn.bias_add(convolve(inputs, kernel), bias))


def _convolve(inputs, kernel):
    return tf.nn.conv2d(inputs, kernel, strides=1, padding="VALID")


@tf.custom_gradient
def _convolve_by_patches(inputs, kernel):
    def gradient(upstream):
        rows, columns, _, filters = kernel.shape
        height, width = upstream.shape[1:3]
        offsets = [(row, column) for row in range(rows) for column in range(columns)]
        patches = tf.concat([inputs[:, r : r + height, c : c + width] for r, c in offsets], axis=-1)
        patches = tf.reshape(patches, [-1, patches.shape[-1]])
        by_kernel = tf.matmul(patches, tf.reshape(upstream, [-1, filters]), transpose_a=True)
        by_inputs = tf.nn.conv2d_transpose(upstream, kernel, tf.shape(inputs), strides=1, padding="VALID")
        return by_inputs, tf.reshape(by_kernel, kernel.shape)

    return _convolve(inputs, kernel), gradient
