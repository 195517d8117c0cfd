"""What Keras lacks: Adam by TensorFlow's fused op, and Muon for convolutions."""

import re

from fmnist_utils.support.startup import keras, tf


@keras.saving.register_keras_serializable("fmnist_utils")
class Adam(keras.optimizers.Adam):
    """``keras.optimizers.Adam`` with the update of a float32 variable in one op.

    Same constructor, configuration, state and results. At batch size 64 the many small ops of Keras's
    update take longer than their arithmetic. AMSGrad, sparse gradients and variables of another dtype
    take Keras's own path.
    """

    def update_step(self, gradient, variable, learning_rate):
        fusible = variable.dtype == "float32" and not isinstance(gradient, tf.IndexedSlices)
        if self.amsgrad or not fusible:
            super().update_step(gradient, variable, learning_rate)
            return
        position = self._get_variable_index(variable)
        step = tf.cast(self.iterations.value + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=_resource(variable),
            m=_resource(self._momentums[position]),
            v=_resource(self._velocities[position]),
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(gradient, tf.float32),
        )


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


def _resource(variable):
    """The handle of a Keras or TensorFlow variable."""
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle
