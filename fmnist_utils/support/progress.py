"""A line that says how far a training is, rewritten in place."""

from IPython.display import display

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
            print(text)
        else:
            self._handle.update(_Text(text), metadata={PROGRESS: True})


class _Text:
    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def duration(seconds: float) -> str:
    """Seconds as a reader would say them: ``8.2 s``, ``47 s``, ``3 min 20 s``, ``2 h 05 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
