"""A line that says how far a training is, rewritten in place."""

from IPython.display import display

from fmnist_utils.support import terminal

PROGRESS = "fmnist_progress"  # marks the message for whoever executes the notebook


class Line:
    """One line of output that replaces itself.

    In a notebook the saved output holds its last state only; ``python -m fmnist_utils run`` shows every
    state as it passes. Outside a kernel each state is printed.
    """

    def __init__(self, text: str) -> None:
        self._handle = display(_Text(text), display_id=True, metadata={PROGRESS: True})

    def update(self, text: str) -> None:
        """Replace the line."""
        if self._handle is None:  # not in a kernel
            terminal.say(text)
        else:
            self._handle.update(_Text(text), metadata={PROGRESS: True})


class _Text:
    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text
