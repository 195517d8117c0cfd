"""Photographs and the champion's answers to them, as a table and as pictures of the steps."""

from collections.abc import Iterator, Sequence
from itertools import count, repeat
from pathlib import Path

from fmnist_utils import runs
from fmnist_utils.batch.series import BatchError, RefusedError
from fmnist_utils.photographs import classifying
from fmnist_utils.photographs.classifying import Answer
from fmnist_utils.support import files, terminal

CAUTION = "The champion knows ten classes of garments and answers with one of them, whatever it is shown."
_ENDING = ".steps.png"
_LETTERS = 50  # of a photograph's name in its picture's: file systems allow 255 bytes, and a letter has up to 4


def run(asked: Sequence[Path], to: Path | None) -> None:
    """Print the champion's answer to each photograph, a line each, and write pictures of the steps.

    Args:
        asked: files and folders, as ``classifying.listed`` takes them.
        to: the folder for the pictures, one for each photograph. None: if there is one photograph alone, its
            picture goes to ``photographs`` in the run folder; for more, none is drawn.

    Raises:
        RefusedError: before anything is read: the pictures would lie among the photographs, or in no folder.
        BatchError: some photographs could not be read; the others have their answers.
        UnreadableError: the champion is missing or damaged.
    """
    photographs = classifying.listed(asked)
    alone = len(photographs) == 1
    if to is None and alone:
        to = runs.runs_dir() / "photographs"
    targets = _targets(photographs, _apart(files.place(to), photographs)) if to else repeat(None)
    width = max(len(_printable(path)) for path in photographs)
    terminal.say(f"{CAUTION}\n\n{'photograph':<{width}}  {'likeliest':<16}  {'second':<16}  third")
    faults = 0
    for answer, target in zip(classifying.classify(photographs), targets, strict=False):
        terminal.say(f"{_printable(answer.path):<{width}}  {_said(answer)}")
        if answer.fault:
            faults += 1
        elif target:
            _draw(answer, target)
    if target and faults < len(photographs):
        terminal.say(f"\nSteps: {_printable(target if alone else target.parent)}")
    if faults:
        raise BatchError(f"{faults} of {len(photographs)} photographs could not be read; their lines say why.")


def _apart(folder: Path, photographs: Sequence[Path]) -> Path:
    """The folder for pictures, if no photograph lies in it: none is overwritten, no picture taken for one."""
    if folder in {files.place(path).parent for path in photographs}:
        raise RefusedError(f"Photographs lie in {folder}. Name another folder for their steps with --to.")
    if folder.exists() and not folder.is_dir():
        raise RefusedError(f"{folder} is no folder. Name another one for the steps with --to.")
    return folder


def _targets(photographs: Sequence[Path], folder: Path) -> Iterator[Path]:
    """Where each photograph's picture goes: by its name, numbered where that is taken, in whichever case."""
    taken = set()
    for path in photographs:
        names = (f"{path.name[:_LETTERS]}{f'-{number}' if number > 1 else ''}{_ENDING}" for number in count(1))
        name = next(name for name in names if name.casefold() not in taken)
        taken.add(name.casefold())
        yield folder / name


def _said(answer: Answer) -> str:
    if answer.fault:
        return _printable(f"not read: it {answer.fault}")
    return "  ".join(f"{name:<11} {share:>4.0%}" for name, share in answer.likeliest)


def _printable(words: Path | str) -> str:
    """In one line, for any terminal: a file's name may hold line ends, controls, and bytes that are no text."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in str(words)
    )


def _draw(answer: Answer, target: Path) -> None:
    from fmnist_utils import plots  # here, because its import takes a second

    title = ", ".join(f"{name} {share:.0%}" for name, share in answer.likeliest)
    plots.save(plots.sequence(answer.steps, title), target)
