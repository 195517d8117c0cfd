"""Training that shows easy images less often.

Most images of Fashion-MNIST are soon easy: their loss lies below the average, and their gradients say little.
After InfoBatch (Qin et al. 2024, arXiv 2303.04947) a pass drops each of them with some probability and gives
those that it keeps more weight, so that the expected gradient stays that of all images.
"""

from collections.abc import Callable

import numpy as np

from fmnist_utils.support.startup import keras, tf

_ALL_FIRST = 1  # epochs that show all images: before them no loss is known
_ALL_LAST = 0.125  # the share of the epochs, whole ones, that shows all images at the end, as InfoBatch does


class InfoBatch(keras.callbacks.Callback):
    """Which images each epoch shows; as a callback of ``fit`` it chooses anew when an epoch begins.

    An epoch has as many images as there are: passes over the chosen ones, one after the other. The first
    epoch and the last eighth of them (none of fewer than eight) show all images once.

    Args:
        size: the number of training images.
        keep_easy: the share of the easy images that a pass shows.
        epochs: of the whole training.
        seed: of the choice and of the images' order.

    Attributes:
        losses: float32, shape (size,): each image's loss when it was last seen.
        positions: int32, shape (size,): the images of this epoch, in order.
        weights: float32, shape (size,): what their losses count, 1 on average.
    """

    def __init__(self, size: int, keep_easy: float, epochs: int, seed: int) -> None:
        super().__init__()
        if not 0 < keep_easy <= 1:
            raise ValueError(f"keep_easy is {keep_easy}; expected a share above 0 and at most 1")
        self._size, self._keep_easy, self._epochs = size, keep_easy, epochs
        self._random = np.random.default_rng(seed)
        with tf.device("CPU:0"):  # where input pipelines read
            self.losses = tf.Variable(tf.zeros(size), trainable=False)
            self.positions = tf.Variable(tf.range(size), trainable=False)
            self.weights = tf.Variable(tf.ones(size), trainable=False)

    def on_epoch_begin(self, epoch, logs=None):
        easy = np.zeros(self._size, bool)
        if _ALL_FIRST <= epoch < self._epochs * (1 - _ALL_LAST):
            losses = self.losses.numpy()
            easy = losses < losses.mean()
        positions = self._passes(easy)
        self.positions.assign(positions)
        weights = np.where(easy, 1 / self._keep_easy, 1)
        self.weights.assign((weights / weights[positions].mean())[positions])

    def _passes(self, easy: np.ndarray) -> np.ndarray:
        passes, shown = [], 0
        while shown < self._size:
            kept = np.flatnonzero(~easy | (self._random.random(self._size) < self._keep_easy))
            passes.append(self._random.permutation(kept))
            shown += len(kept)
        return np.concatenate(passes)[: self._size].astype(np.int32)


class InfoBatchModel(keras.Model):
    """A functional model that trains on batches of (images, labels, positions, weights).

    Weighted metrics estimate what they would be over all images. It shares its layers with ``model``. ``loss``
    makes of labels and probabilities, (n, 10) both, a loss for each image, (n,), which ``chosen`` is told.
    """

    def __init__(self, model: keras.Model, chosen: InfoBatch, loss: Callable) -> None:
        super().__init__(model.inputs, model.outputs[0], name=f"{model.name}_by_infobatch")
        self._chosen, self._loss_of_each = chosen, loss

    def train_step(self, data):
        images, labels, positions, weights = data
        with tf.GradientTape() as tape:
            outputs = self(images, training=True)
            losses = self._loss_of_each(labels, outputs)
            loss = tf.reduce_mean(weights * losses)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)
        self._chosen.losses.scatter_nd_update(positions[:, tf.newaxis], losses)
        self._loss_tracker.update_state(loss, sample_weight=tf.shape(images)[0])
        return self.compute_metrics(images, labels, outputs, sample_weight=weights)
