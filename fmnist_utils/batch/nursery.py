"""A process that imports what the notebooks import, once one of them wants it, and forks kernels from itself.

Starting Python and importing TensorFlow takes longer than a short training. Here it is done once: each
kernel is a copy of this process, made in milliseconds, that shares its memory until one of them writes.
Nothing that starts a thread may be imported here, since a fork copies none: pyplot, which looks for its
shell, and TensorFlow's runtime, which starts with the first tensor, come to life in the copies.

Orders come as lines of JSON on stdin, each answered by the kernel's process id. The end of stdin ends this
process, and the end of this process its kernels.
"""

import ctypes
import functools
import gc
import importlib
import json
import os
import signal
import sys
import tempfile
from typing import Any

import numpy

SLOW = (
    "fmnist_utils.support.startup",
    "matplotlib",
    "pandas",
    "scipy.stats",
    "sklearn.manifold",
    "sklearn.linear_model",
)
PR_SET_PDEATHSIG = 1  # of Linux's prctl: the signal that a process gets when its parent ends


def main() -> None:
    """Serve until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever gives the orders
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system then clears ended kernels away
    importlib.import_module("ipykernel.kernelapp")
    for line in sys.stdin:
        order, parent = json.loads(line), os.getpid()
        try:
            if order["computes"]:
                _preload()
            pid = os.fork()
        except Exception as error:  # a package is broken; or there are too many processes, too little memory
            print(f"{type(error).__name__}:", *str(error).split(), flush=True)  # in one line
            continue
        if not pid:
            _become_kernel(order, parent)
        print(pid, flush=True)


@functools.cache
def _preload() -> None:
    for name in SLOW:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # or the copies' first collection would write to every page


def _become_kernel(order: dict[str, Any], parent: int) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it had ended before that
        os._exit(1)
    os.setsid()  # so that interrupting or killing the kernel's group reaches its own children only
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nowhere, descriptor)
    os.environ.update(order["env"])
    tempfile.tempdir = None  # it was looked up for this process
    os.chdir(order["cwd"])
    numpy.random.seed()  # or all copies would draw the same
    gc.unfreeze()
    from ipykernel import kernelapp

    kernelapp.launch_new_instance(argv=order["argv"])
    os._exit(0)


if __name__ == "__main__":
    main()
