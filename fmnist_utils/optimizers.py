"""Adam by TensorFlow's fused op: one op a variable where Keras runs a dozen."""

from fmnist_utils.startup import keras, tf


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


def _resource(variable):
    """The handle of a Keras or TensorFlow variable."""
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle
