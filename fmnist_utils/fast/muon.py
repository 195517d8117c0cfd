"""Muon for convolutions."""

import re

from fmnist_utils.support.startup import keras, tf


@keras.saving.register_keras_serializable("fmnist_utils")
class Muon(keras.optimizers.Muon):
    """``keras.optimizers.Muon`` for the kernels of convolutions instead of matrices.

    Keras's own orthogonalizes the updates of dense layers' matrices, and updates all else, in a convolutional
    network nearly all of the weights, by AdamW. Here the kernel of a convolution counts as a matrix with a
    column for each filter, as in Keller Jordan's Muon (2024), unless it sees a single channel; all else,
    dense layers too, goes to AdamW. What has one axis only, biases and the parameters of batch normalization,
    does not decay. Same constructor, configuration and state. The Newton-Schulz iteration computes in
    bfloat16 under a mixed policy.
    """

    def _should_use_adamw(self, variable) -> bool:
        is_kernel = len(variable.shape) == 4 and variable.shape[2] > 1
        return not is_kernel or any(re.search(name, variable.path) for name in self.exclude_layers)

    def _use_weight_decay(self, variable) -> bool:
        return len(variable.shape) > 1 and super()._use_weight_decay(variable)

    def _muon_update_step(self, gradient, variable, lr, m) -> None:
        columns = variable.shape[-1]
        m.assign(m * self.momentum + gradient)
        ahead = gradient + self.momentum * m if self.nesterov else m
        matrix = tf.reshape(ahead, [-1, columns])
        orthogonal = self.zeropower_via_newtonschulz5(
            tf.cast(matrix, keras.config.dtype_policy().compute_dtype), self.ns_steps
        )
        update = self.lr_adjust(tf.cast(orthogonal, variable.dtype))
        variable.assign_sub(lr * tf.reshape(update, variable.shape))
