"""TensorFlow and Keras, imported with this series' settings, and without lines on stderr.

Those lines (which CPU instructions, no GPU found) differ between machines and would stand in every
notebook. Errors are exceptions and still arrive. What Keras's variables and ``keras.json`` say is for other
programs: here its backend is TensorFlow, and all else is as Keras has it without them.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from fmnist_utils.support import cores, environment


@contextmanager
def _stderr_to_nowhere() -> Iterator[None]:
    """Point file descriptor 2 elsewhere: TensorFlow's C++ code does not go through ``sys.stderr``."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def _no_keras_json() -> Iterator[None]:
    """Let Keras find none and write none: when it is imported, its home is a file, which is no folder."""
    named = os.environ.get("KERAS_HOME")
    os.environ["KERAS_HOME"] = __file__
    try:
        yield
    finally:
        del os.environ["KERAS_HOME"]
        if named is not None:
            os.environ["KERAS_HOME"] = named


_there_already = "keras" in sys.modules
# Half the cores for one op: two ops side by side use two cores better than one op that is cut in two.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(cores.per_process(2)))
# As many ops as cores; TensorFlow itself would count those of the whole machine, in a container too.
os.environ.setdefault("TF_NUM_INTEROP_THREADS", str(cores.available()))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with _stderr_to_nowhere(), _no_keras_json():
    import keras
    import tensorflow as tf
    from keras.src.backend import config as _config

    tf.get_logger().setLevel("ERROR")  # it warns of tracing anew, which each further network needs
    for _gpu in tf.config.list_physical_devices("GPU"):
        # Otherwise the first notebook takes nearly all of the GPU's memory, and the second has none.
        tf.config.experimental.set_memory_growth(_gpu, True)

if not _there_already:
    _config._KERAS_DIR = str(environment.keras_home())  # where its data sets are kept
if keras.backend.backend() != "tensorflow":
    raise ImportError(
        f"Keras was imported with the backend {keras.backend.backend()!r}; this series needs 'tensorflow'. "
        "Import fmnist_utils before Keras, which then has it."
    )
