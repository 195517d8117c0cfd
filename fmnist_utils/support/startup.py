"""TensorFlow, imported without the lines that it writes to stderr before logging can be set.

Those lines (which CPU instructions, no GPU found) differ between machines and would stand in every
notebook. Errors are exceptions and still arrive.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from fmnist_utils.support import cores


@contextmanager
def _stderr_to_nowhere() -> Iterator[None]:
    """Point file descriptor 2 elsewhere: TensorFlow's C++ code does not go through ``sys.stderr``."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


# Half the cores for one op: two ops side by side use two cores better than one op that is cut in two.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(cores.per_process(2)))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with _stderr_to_nowhere():
    import keras
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # it warns of tracing anew, which each further network needs
    for _gpu in tf.config.list_physical_devices("GPU"):
        # Otherwise the first notebook takes nearly all of the GPU's memory, and the second has none.
        tf.config.experimental.set_memory_growth(_gpu, True)

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        f"Keras is set to the backend {keras.backend.backend()!r}; this series needs 'tensorflow'. "
        'Unset KERAS_BACKEND, or change "backend" in ~/.keras/keras.json.'
    )
