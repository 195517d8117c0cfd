"""Lessons made ready for a class: trained where ``make lab`` looks for it.

A lesson is ready when it was seen to run from top to bottom without training a network that is kept: each
was read back. An execution that had to train is followed by another, which has to read.
"""

import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from fmnist_utils import runs
from fmnist_utils.batch import grid, series, watching
from fmnist_utils.batch.watching import Seen
from fmnist_utils.support import formatting, sources, terminal

_FLOAT32 = 2  # times as long as bfloat16, where the processor has that: results/bench.md
_NOTABLE = 1.0  # seconds

Planned = Mapping[Path, dict[str, Any]]  # lessons with their parameters


def resolve(names: Sequence[str]) -> list[Path]:
    """Lessons by number (``2`` or ``02``), name or path, each once and in their order; none names all.

    Raises:
        RefusedError: no such lesson; lists those there are.
    """
    lessons = series.lessons()
    asked = {
        path.resolve() for path in series.resolve([name.zfill(2) if name.isdigit() else name for name in names])
    }
    if strange := asked - {path.resolve() for path in lessons}:
        raise series.RefusedError(
            f"{strange.pop().name} is no lesson of the series. Known: "
            f"{', '.join(path.stem for path in lessons)}."
        )
    return [path for path in lessons if path.resolve() in asked]


def prepare(lessons: Sequence[Path], given: Mapping[str, Any], precision: str | None = None) -> None:
    """Train what lessons need into the store that JupyterLab reads, and see each of them train nothing then.

    The store is ``runs.runs_dir()``. ``precision`` is "auto", "bfloat16", "float32" or "both", for the
    lessons that have it; None is "auto". A lesson that fails stops no other.

    Raises:
        DataError: the data is missing.
        BatchError: names the lessons that are not ready, and why; RefusedError: a parameter makes no sense.
    """
    sources.fetch()
    sound, failed = series.readable(lessons)
    for planned in passes(sound, given, precision, usual=["auto"]):
        terminal.say(announced(planned))
        seen, faults = execute_all(planned, {}, again=True)
        failed |= faults
        terminal.say(f"\n{report(seen)}" if seen else "")
    require_all(failed, lessons, "What the others need is kept.")


def passes(
    lessons: Sequence[Path], given: Mapping[str, Any], precision: str | None, usual: Sequence[str]
) -> list[Planned]:
    """For each precision the lessons with their parameters; those that have none come in the first only.

    ``precision`` is as in ``prepare``; None stands for those that are ``usual``.

    Raises:
        RefusedError: ``given`` names the precision; BatchError: it names what no lesson has.
    """
    if "PRECISION" in given:
        raise series.RefusedError("The precision is named by --precision, not by -p.")
    both = ["bfloat16", "float32"] if precision == "both" else None
    found: list[Planned] = []
    for one in both or ([precision] if precision else usual):
        chosen = {} if one == "auto" else {"PRECISION": one}
        planned = {
            path: values | (chosen if "PRECISION" in grid.Notebook(path).defaults else {})
            for path, values in series.plan(lessons, given).items()
        }
        found.append({path: values for path, values in planned.items() if not found or "PRECISION" in values})
    return [planned for planned in found if planned]


def precision_of(planned: Planned) -> str:
    """The precision that a pass asks for; "auto" where it leaves that to the lessons."""
    return next((values["PRECISION"] for values in planned.values() if "PRECISION" in values), "auto")


def announced(planned: Planned) -> str:
    """How long it will take to make lessons ready, as far as that is known."""
    published, known = series.published_seconds(), watching.remembered(runs.runs_dir())
    kept, to_train, new = {}, {}, []
    for path, values in planned.items():
        number = path.stem[:2]
        if entry := known.get(watching.key(path, values)):
            kept[number] = entry["seconds"]
        elif path.stem in published:
            slower = _FLOAT32 if values.get("PRECISION") == "float32" else 1
            to_train[number] = slower * published[path.stem]
        else:
            new.append(number)
    precision = precision_of(planned)
    said = [f"Lessons to make ready{'' if precision == 'auto' else f' in {precision}'}:"]
    if to_train:
        said.append(
            f"{_told(to_train)} on the machine of the published run (two cores), if nothing is kept yet; less, "
            "if some is."
        )
    if kept:
        said.append(f"{_told(kept, 'trained before, ')}.")
    if new:
        said.append(f"{', '.join(new)}: new; how long that takes is not known.")
    return "\n  ".join(said)


def _told(seconds: Mapping[str, float], why: str = "") -> str:
    return f"{', '.join(seconds)}: {why}about {formatting.duration(sum(seconds.values()))}"


def report(seen: Mapping[Path, Seen]) -> str:
    """Which lessons are ready, and what each took."""
    took = _listed({path: one.seconds for path, one in seen.items()})
    others = _listed({path: one.training for path, one in seen.items() if one.training >= _NOTABLE})
    if not others:
        return f"ready: {took}\nEach runs from top to bottom without training."
    return (
        f"ready: {took}\nEach runs from top to bottom and reads its networks back. What a lesson trains each "
        f"time and does not keep: {others}."
    )


def _listed(seconds: Mapping[Path, float]) -> str:
    return ", ".join(f"{path.stem[:2]} ({formatting.duration(one)})" for path, one in seconds.items())


def execute_all(
    planned: Planned, environment: Mapping[str, str], again: bool
) -> tuple[dict[Path, Seen], dict[Path, str]]:
    """Execute lessons one after the other, as JupyterLab would; what was seen of each, and what failed.

    With ``again``, one that had to train is executed once more, and then it must not.
    """
    seen, failed = {}, {}
    with (
        tempfile.TemporaryDirectory(prefix="class-", ignore_cleanup_errors=True) as scratch,
        ThreadPoolExecutor(1) as pool,
    ):
        for path, values in planned.items():
            future = pool.submit(_until_read_back, path, values, environment, Path(scratch), again)
            try:
                seen[path] = future.result()
            except Exception as error:
                failed[path] = series.told_of(path, error)
            except BaseException:
                series.stop_all([future])
                raise
    return seen, failed


def _until_read_back(
    lesson: Path, values: Mapping[str, Any], environment: Mapping[str, str], scratch: Path, again: bool
) -> Seen:
    seen = watching.execute(lesson, values, environment, scratch)
    if seen.trained and again:
        terminal.say(f"{lesson.stem}: {len(seen.trained)} trained; once more, to see that they are read back")
        seen = watching.execute(lesson, values, environment, scratch)
        if seen.trained:
            raise series.BatchError(
                f"{lesson.name} trains each time what should be read back: {', '.join(seen.trained)}. Open it "
                "in JupyterLab: a line below the cell that trains says why."
            )
    if not seen.trained:
        watching.remember(runs.runs_dir(), lesson, values, seen)
    return seen


def require_all(failed: Mapping[Path, str], lessons: Sequence[Path], consequence: str) -> None:
    """Raise a BatchError that names the lessons that failed, if any did, and says what follows from it."""
    if failed:
        listed = "".join(f"\n  {error}" for error in failed.values())
        raise series.BatchError(
            f"{len(failed)} of {len(lessons)} lessons are not ready:{listed}\n{consequence}"
        )
