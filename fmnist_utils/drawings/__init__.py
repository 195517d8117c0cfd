"""Teaching drawings: a neuron, kernels, batch normalization, networks, their blocks, what of them is trained.

Every number and every shape in them is computed from the arrays, or read from the layers and models, that
are given. Layers and models are Keras's, read by their attributes: TensorFlow is not loaded for that. Networks
are drawn by ``plots.network``.
"""

from fmnist_utils.drawings.canvas import SIGNED
from fmnist_utils.drawings.kernels import kernel_at_work, kernel_over_maps
from fmnist_utils.drawings.neurons import neuron
from fmnist_utils.drawings.normalization import normalization_modes
from fmnist_utils.drawings.residual import residual_block
from fmnist_utils.drawings.separable import depthwise
from fmnist_utils.drawings.transfer import trained_parts

__all__ = ["SIGNED", "depthwise", "kernel_at_work", "kernel_over_maps", "neuron", "normalization_modes"]
__all__ += ["residual_block", "trained_parts"]
