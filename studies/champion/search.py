"""What lesson 8 keeps: trainings in processes of their own, resumable, in ``runs/champion``.

    python -m studies.champion.search ideas       each change of the recipe that won, once, two at a time
    python -m studies.champion.search together    what longer trainings may favour, for ten minutes
    python -m studies.champion.search confirm     some of them again, with five other seeds
    python -m studies.champion.search schedules   1, 2, 4 and 10 minutes, beside earlier models and ResNet-20

All measure on 10,000 training images that are held out. The first three write
``results/champion_ideas.csv``, the last ``results/champion_schedules.csv``.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from fmnist_utils.support import files
from studies.champion import ideas as champion_ideas
from studies.champion.ideas import Recipe

STORE = files.PROJECT / "runs" / "champion"
FIGURES = files.PROJECT / "results"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")
TWO_THREADS_AN_OP = {"TF_NUM_INTRAOP_THREADS": "2"}
SCORES = [f"{view}_{score}" for view in ("plain", "flip", "views") for score in ("accuracy", "loss")]


def main() -> None:
    described = {"description": __doc__, "formatter_class": argparse.RawDescriptionHelpFormatter}
    parser = argparse.ArgumentParser(**described)
    commands = parser.add_subparsers(required=True)
    screen = commands.add_parser("ideas")
    screen.add_argument("--only", action="append", metavar="IDEA", help="these ideas only")
    screen.set_defaults(run=lambda args: ideas(args.only or champion_ideas.SINGLE, [0], 7))
    combined = commands.add_parser("together")
    combined.set_defaults(run=lambda args: ideas(champion_ideas.LONG, [0], 36))
    again = commands.add_parser("confirm")
    again.set_defaults(run=lambda args: ideas(["as it is", *champion_ideas.CONFIRMED], range(1, 6), 7))
    timed = commands.add_parser("schedules")
    timed.add_argument("--only", action="append", metavar="MODEL", help="these models only")
    timed.add_argument("--minutes", type=int, action="append", help="these schedules only")
    timed.set_defaults(run=lambda args: schedules(args.only, args.minutes))
    args = parser.parse_args()
    args.run(args)


def ideas(names: Sequence[str], seeds: Sequence[int], epochs: int) -> None:
    """Train the ideas side by side, a core each: what counts here is accuracy, and ratios of time."""
    recipes = {name: champion_ideas.recipe(name, epochs) for name in names}
    jobs = [job(f"{epochs} epochs", name, recipes[name], seed) for seed in seeds for name in names]
    with ThreadPoolExecutor(2) as side_by_side:
        list(side_by_side.map(lambda path: start(path, ONE_THREAD), jobs))
    table = results("* epochs", champion_ideas.recipe).rename(columns={"group": "schedule"})
    tried = [champion_ideas.IDEAS[champion_ideas.THEMES[name]][name] for name in table["name"]]
    table = table.assign(
        theme=table["name"].map(champion_ideas.THEMES),
        why=[idea.why for idea in tried],
        part=[idea.part for idea in tried],
    )
    write("champion_ideas.csv", table, "Scores on 10,000 held-out images; seconds with one core.")


def schedules(models: list[str] | None, minutes: list[int] | None) -> None:
    """Train for 1, 2, 4 and 10 minutes by the clock, one at a time with both cores."""
    for model, (_, epochs) in champion_ideas.SCHEDULES.items():
        # Its batches are not cut, so one op after the other has to use both cores: 14% faster.
        threads = TWO_THREADS_AN_OP if model == "ResNet-20" else {}
        for budget in epochs:
            if (not models or model in models) and (not minutes or budget in minutes):
                recipe = champion_ideas.scheduled(model, budget)
                for seed in champion_ideas.seeds(model, budget):
                    start(job(f"{budget} minutes", model, recipe, seed), threads)
    table = results("* minutes", champion_ideas.scheduled).rename(
        columns={"group": "schedule", "name": "model_name"}
    )
    write("champion_schedules.csv", table, "Scores on 10,000 held-out images; seconds with two cores.")


def job(group: str, name: str, recipe: Recipe, seed: int) -> Path:
    """The file that says what to train; what another recipe gave under the same name is forgotten."""
    path = STORE / group / name / str(seed) / "job.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and Recipe(**files.read_json(path)["recipe"]) != recipe:
        path.with_name("result.json").unlink(missing_ok=True)
    files.write_json(path, {"group": group, "name": name, "SEED": seed, "recipe": asdict(recipe)})
    return path


def start(path: Path, environment: dict[str, str]) -> None:
    """Train one job, unless that is done."""
    if path.with_name("result.json").exists():
        return
    with path.with_name("log.txt").open("w") as log:
        command = [sys.executable, "-m", "studies.champion.training", path]
        subprocess.run(command, env=os.environ | environment, stdout=log, stderr=log, check=True)
    result = files.read_json(path.with_name("result.json"))
    scores = "".join(
        f"{result[score]:.4f}, " for score in ("plain_accuracy", "views_accuracy") if score in result
    )
    print(f"{path.parent.relative_to(STORE)}: {scores}{result['seconds']} s", flush=True)


def results(groups: str, planned: Callable[[str, int], Recipe | None]) -> pd.DataFrame:
    """One row for each training that is done, as long as its recipe is the one that is planned."""
    rows = []
    for path in sorted(STORE.glob(f"{groups}/*/*/result.json")):
        settings, result = (files.read_json(path.with_name(file)) for file in ("job.json", "result.json"))
        group = int(settings["group"].split()[0])
        if Recipe(**settings["recipe"]) != planned(settings["name"], group):
            continue
        figures = {key: result[key] for key in ("seconds", "parameters", *SCORES)}
        row = {
            "group": group,
            "name": settings["name"],
            "SEED": settings["SEED"],
            "epochs": settings["recipe"]["epochs"],
            **figures,
        }
        rows.append(row)
    return pd.DataFrame(rows).sort_values(["group", "name", "SEED"])


def write(name: str, table: pd.DataFrame, about: str) -> None:
    head = f"# {about} Written by studies.champion.search.\n"
    files.write_text(FIGURES / name, head + table.to_csv(index=False))


if __name__ == "__main__":
    main()
