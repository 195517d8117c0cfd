"""What is told on the terminal, if there is one. No TensorFlow here."""

import os
import sys


def say(text: str, end: str = "\n") -> None:
    """Print, as long as somebody reads it: what is being done goes on without."""
    try:
        print(text, end=end, flush=True)
    except OSError:  # `| head`, a terminal that was closed, a full disk
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
