"""``python -m fmnist_utils fetch | run | class | classify | sweep | report | slides | publish``."""

import argparse
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # until there is something to be cleared away, Ctrl-C just ends this
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from fmnist_utils import parameters  # noqa: E402
from fmnist_utils.support import cores, files, limits, sources, terminal  # noqa: E402

# Ctrl-C, a cluster's way to say the same, and a terminal that is closed, which Windows does not tell.
_STOPPING = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
MEMORY_A_RUN = 2 * 2**30  # bytes; TensorFlow and the data of one notebook


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status: 0, 1 for a run that failed, 2 for one that was refused."""
    stopped = "nothing had begun"
    try:
        from fmnist_utils.batch.series import BatchError, RefusedError

        for number in _STOPPING:
            # Ignored, SIGHUP is nohup's wish; SIGINT is so only because a script began this in the background.
            if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, _stop)
        logging.basicConfig(format="%(message)s", level=logging.WARNING)
        logging.getLogger("traitlets").setLevel(
            logging.CRITICAL
        )  # Jupyter's: its errors are told by this command
        sources.log.setLevel(logging.INFO)
        options = _parser().parse_args(arguments)
        stopped = options.stopped
        options.command(options)
    except KeyboardInterrupt:
        print(f"\nfmnist_utils: stopped; {stopped}", file=sys.stderr)
        return 130
    except (parameters.ParameterError, RefusedError) as error:
        print(f"fmnist_utils: {error}", file=sys.stderr)
        return 2
    except (sources.DataError, files.UnreadableError, BatchError, OSError) as error:
        print(f"fmnist_utils: {error}", file=sys.stderr)
        return 1
    return 0


def _stop(*_) -> None:
    for number in _STOPPING:  # a second Ctrl-C must not stop the clearing away
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fmnist_utils", description="Batch runs of the notebooks.")
    parser.set_defaults(stopped="nothing is half-written")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    fetch = commands.add_parser("fetch", help="find or download the data, verify it, fill the cache")
    fetch.set_defaults(command=_fetch)

    run = commands.add_parser("run", help="execute notebooks into a run folder")
    run.add_argument("notebooks", nargs="*", help="paths, names or numbers; none: the whole series")
    assigned: Any = {"nargs": 2, "action": "append", "default": [], "metavar": ("NAME", "VALUE")}
    assigned |= {"help": "a setting of the lessons' parameters cell, such as -p EPOCHS 5"}
    run.add_argument("-p", **assigned)
    run.add_argument("--to", type=Path, help="the run folder, new or empty (default: one under runs/)")
    few = min(2, _at_a_time())
    run.add_argument("--jobs", type=int, default=few, help="notebooks at a time (default: %(default)s)")
    run.add_argument("--publish", action="store_true", help="then make the run the published one")
    run.set_defaults(command=_run, stopped="the run folder is marked as failed")

    classroom = commands.add_parser("class", help="make lessons ready: nothing trains in front of a class")
    classroom.add_argument("lessons", nargs="*", metavar="LESSON", help="numbers or names; none: all of them")
    classroom.add_argument("-p", **assigned)
    kinds = ("auto", "bfloat16", "float32", "both")
    meaning = "what is computed in (default: auto, this machine's own; with --to that and float32)"
    classroom.add_argument("--precision", choices=kinds, help=meaning)
    meaning = "write a folder for students there: lessons without solutions, data, trained networks"
    classroom.add_argument("--to", type=Path, metavar="DIR", help=meaning)
    kept = "what was trained is kept, and the same command goes on from there"
    classroom.set_defaults(command=_class, stopped=kept)

    classify = commands.add_parser("classify", help="ask the champion what is on photographs")
    meaning = "files, and folders: their pictures, by name, without those in folders inside"
    classify.add_argument("photographs", nargs="+", type=Path, metavar="PHOTO", help=meaning)
    meaning = "write a picture of the steps for each (default: for one photograph alone, in the run folder)"
    classify.add_argument("--to", type=Path, metavar="FOLDER", help=meaning)
    classify.set_defaults(command=_classify)

    sweep = commands.add_parser("sweep", help="execute one notebook many times, here or on a Dask cluster")
    sweep.add_argument("notebook", help="path, name or number")
    pair, meaning = ("NAME", "VALUES"), "a parameter's values: 0..4, 32,64,128 or one; every combination is run"
    sweep.add_argument("-p", "--parameter", nargs=2, action="append", default=[], metavar=pair, help=meaning)
    sweep.add_argument("--grid", type=Path, metavar="FILE", help="runs from YAML or CSV, combined with -p")
    sweep.add_argument("--to", type=Path, help="the sweep's folder (default: one under runs/ for the notebook)")
    sweep.add_argument("--jobs", type=int, help="runs at a time on this machine (default: what it can hold)")
    sweep.add_argument("--scheduler", metavar="ADDRESS", help="a Dask scheduler, such as tcp://10.0.0.5:8786")
    sweep.add_argument("--dry-run", action="store_true", help="list the runs and estimate their time, no more")
    sweep.set_defaults(command=_sweep, stopped="what is done is kept, and the same command goes on from there")

    report = commands.add_parser(
        "report", help="table, ranking and pictures of a sweep; state and table of a run"
    )
    report.add_argument("folder", type=Path)
    report.set_defaults(command=_report)

    slides = commands.add_parser("slides", help="write a deck of slides for each lesson")
    slides.add_argument("notebooks", nargs="*", help="paths, names or numbers; none: the whole series")
    slides.add_argument("--to", type=Path, default=files.PROJECT / "slides", help="where (default: slides)")
    slides.set_defaults(command=_slides)

    publish = commands.add_parser("publish", help="make a complete run the published one")
    publish.add_argument("folder", type=Path)
    publish.set_defaults(command=_publish)
    return parser


def _fetch(options: argparse.Namespace) -> None:
    terminal.say(f"Fashion-MNIST, verified: {sources.fetch()}")


def _run(options: argparse.Namespace) -> None:
    from fmnist_utils.batch import series

    notebooks, given = series.resolve(options.notebooks), series.parse(options.p)
    folder = series.run(notebooks, given, options.to or series.new_folder(), options.jobs)
    results = folder / "results.md"
    terminal.say(f"\n{results.read_text(encoding='utf-8')}" if results.exists() else "")
    left_out = files.read_json(folder / "run.json", dict)["left_out"]
    note = f", but for what was left out: {', '.join(left_out)}" if left_out else ""
    terminal.say(f"Complete{note}: {folder}")
    if options.publish:
        _publish(argparse.Namespace(folder=folder))


def _class(options: argparse.Namespace) -> None:
    from fmnist_utils.batch import classroom, series, students

    lessons, given = classroom.resolve(options.lessons), series.parse(options.p)
    if options.to:
        students.give(lessons, given, options.precision, options.to)
    else:
        classroom.prepare(lessons, given, options.precision)


def _classify(options: argparse.Namespace) -> None:
    from fmnist_utils.batch import classify

    classify.run(options.photographs, options.to)


def _sweep(options: argparse.Namespace) -> None:
    from fmnist_utils.batch import grid, report, series, sweep

    notebook = grid.Notebook(series.resolve([options.notebook])[0])
    listed = grid.read(options.grid) if options.grid else [{}]
    planned = grid.plan(notebook, listed, grid.choices(options.parameter))
    folder = files.place(options.to or sweep.default_folder(notebook))
    asked = sweep.open_folder(notebook, planned, folder)
    if not asked.left and not options.dry_run:
        sweep.run(asked)
        terminal.say(f"All {len(planned)} runs are complete already: {folder}")
        return
    jobs = _jobs(options)
    if options.dry_run:
        terminal.say(sweep.described(asked, jobs))
        return
    if not options.scheduler:
        sources.fetch()  # once, before several workers would
    sweep.run(asked, options.scheduler, jobs)
    terminal.say(f"\n{report.write(folder)}")
    if asked.failed:
        raise series.BatchError(
            f"{len(asked.failed)} of {len(planned)} runs failed. Their errors and notebooks, as far as they "
            f"came, are in {folder / 'runs'}. The same command tries them again."
        )
    terminal.say(f"\nComplete: {folder}")


def _jobs(options: argparse.Namespace) -> int:
    """Runs at a time: as asked, or what this machine can hold; a scheduler's workers are not known yet."""
    from fmnist_utils.batch.series import RefusedError

    if options.jobs is not None and options.jobs < 1:
        raise RefusedError(f"jobs is {options.jobs}; at least one run at a time is needed.")
    if options.jobs or options.scheduler:
        return options.jobs or 1
    return _at_a_time()


def _at_a_time() -> int:
    """How many notebooks this machine, or this container, can hold at a time."""
    return max(1, min(cores.available(), limits.memory() // MEMORY_A_RUN))


def _report(options: argparse.Namespace) -> None:
    from fmnist_utils.batch import report, series

    is_run = (options.folder / "run.json").exists()
    terminal.say(series.described(options.folder) if is_run else report.write(options.folder))


def _slides(options: argparse.Namespace) -> None:
    from fmnist_utils.batch import series, slides

    decks = slides.write(series.resolve(options.notebooks), files.place(options.to))
    terminal.say("\n".join(f"{deck}" for deck in decks))


def _publish(options: argparse.Namespace) -> None:
    from fmnist_utils.batch.publish import publish

    publish(options.folder)
    terminal.say(f"Published: {options.folder}")


if __name__ == "__main__":
    # Other names of folders could not be written into a notebook; PYTHONUTF8 is set by now.
    if sys.getfilesystemencoding() == "ascii" and not os.environ.get("FMNIST_BEGUN_ANEW"):
        os.environ["FMNIST_BEGUN_ANEW"] = "1"  # an option of Python's may be stronger than the variable
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    sys.exit(main())
