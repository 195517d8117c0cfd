"""A process that imports what the notebooks import, once one of them wants it, and forks kernels from itself.

Starting Python and importing TensorFlow takes longer than a short training. Here it is done once: each
kernel is a copy of this process, made in milliseconds, that shares its memory until one of them writes.
Nothing that starts a thread may be imported here, since a fork copies none: pyplot, which looks for its
shell, and TensorFlow's runtime, which starts with the first tensor, come to life in the copies.

Orders come as lines of JSON on stdin: to fork a kernel, which is answered by its process id, or to say how one
ended. The end of stdin ends this process, and the end of this process its kernels.
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
from contextlib import suppress
from pathlib import Path
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
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # a library that prints while it is imported would be taken for an answer
    importlib.import_module("ipykernel.kernelapp")
    for line in sys.stdin:
        order = json.loads(line)
        answer = _reap(order["reap"]) if "reap" in order else _fork(order)
        print(json.dumps(answer), file=answers, flush=True)


def _fork(order: dict[str, Any]) -> dict[str, Any]:
    """The process id of a new kernel, or why there is none."""
    parent = os.getpid()
    try:
        if order["computes"]:
            _preload()
        pid = os.fork()
    except Exception as error:  # a broken TensorFlow, too many processes, too little memory
        return {"error": f"{type(error).__name__}: {error}"}
    if not pid:
        _become_kernel(order, parent)
    return {"pid": pid}


def _reap(pid: int) -> dict[str, Any]:
    """How a kernel ended: its exit status, or the number of the signal that ended it, negative."""
    return {"status": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}


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
    nowhere = os.open(os.devnull, os.O_RDWR)
    last_words = os.open(order["stderr"], os.O_WRONLY | os.O_APPEND)
    for descriptor, target in enumerate((nowhere, nowhere, last_words)):
        os.dup2(target, descriptor)
    os.environ.update(order["env"])
    tempfile.tempdir = None  # it was looked up for this process
    os.chdir(order["cwd"])
    _make_profile()
    numpy.random.seed()  # or all copies would draw the same
    gc.unfreeze()
    from ipykernel import kernelapp

    kernelapp.launch_new_instance(argv=order["argv"])
    os._exit(0)


def _make_profile() -> None:
    """Make the folder of what IPython runs first: it would copy permissions there, which some disks refuse."""
    from IPython.paths import get_ipython_dir

    readme = Path(get_ipython_dir()) / "profile_default" / "startup" / "README"
    with suppress(OSError):
        readme.parent.mkdir(parents=True, exist_ok=True)
        readme.touch()


if __name__ == "__main__":
    main()
