"""What lesson 8 compares, trained on 50,000 training images and scored on the 10,000 that are held out.

    python -m studies.champion.search ideas       each change of the recipe that won, once
    python -m studies.champion.search confirm     some of them again, with five other seeds
    python -m studies.champion.search together    what longer trainings may favour, for ten minutes
    python -m studies.champion.search schedules   1, 2, 4 and 10 minutes, beside earlier models and ResNet-20

On two cores they take two hours, one, one and a half, and three. What is done is not done again, see ``jobs``.
When all of it is done, the first three write ``results/champion_ideas.csv``, and the last
``results/champion_schedules.csv``.
"""

import argparse
from collections.abc import Mapping, Sequence

import pandas as pd

from fmnist_utils import results
from fmnist_utils.support import files
from studies import jobs
from studies.champion import ideas
from studies.champion.settings import Recipe

STORE = "champion"
TWO_THREADS_AN_OP = {"TF_NUM_INTRAOP_THREADS": "2"}
FIGURES = ["seconds", "parameters"]
FIGURES += [f"{view}_{score}" for view in ("plain", "flip", "views") for score in ("accuracy", "loss")]

# command: (epochs of the winner, names, seeds)
COMPARISONS = {
    "ideas": (7, ideas.SINGLE, range(1)),
    "confirm": (7, ["as it is", *ideas.CONFIRMED], range(1, 6)),
    "together": (36, ideas.LONG, range(1)),
}


def main() -> None:
    described = {"description": __doc__, "formatter_class": argparse.RawDescriptionHelpFormatter}
    parser = argparse.ArgumentParser(**described)
    parser.add_argument("what", choices=[*COMPARISONS, "schedules"])
    parser.add_argument("--only", action="append", metavar="NAME", help="train these ideas or models only")
    args = parser.parse_args()
    by_the_clock = args.what == "schedules"
    planned = schedules() if by_the_clock else comparison(args.what)
    if unknown := set(args.only or ()) - {job.name for job in planned}:
        parser.error(f"--only {unknown.pop()!r}: {args.what} trains nothing of that name")
    # Ideas are compared by accuracy, and by ratios of time: a core each will do. Minutes are those of both.
    jobs.run([job for job in planned if not args.only or job.name in args.only], 1 if by_the_clock else 2)
    if by_the_clock:
        keep("champion_schedules", planned, table(planned).rename(columns={"name": "model_name"}))
    else:
        everything = [job for command in COMPARISONS for job in comparison(command)]
        keep("champion_ideas", everything, with_reasons(table(everything)))


def comparison(command: str) -> list[jobs.Job]:
    """The trainings of ideas that a command is for."""
    epochs, names, seeds = COMPARISONS[command]
    return [
        job(f"{epochs} epochs", name, ideas.recipe(name, epochs), seed, jobs.ONE_THREAD)
        for seed in seeds
        for name in names
    ]


def schedules() -> list[jobs.Job]:
    """The trainings by the clock."""
    planned = []
    for model, (_, epochs) in ideas.SCHEDULES.items():
        # Its batches are not cut, so one op after the other has to use both cores: 14% faster.
        threads = TWO_THREADS_AN_OP if model == "ResNet-20" else {}
        for minutes in epochs:
            recipe = ideas.scheduled(model, minutes)
            planned += [
                job(f"{minutes} minutes", model, recipe, seed, threads) for seed in ideas.seeds(model, minutes)
            ]
    return planned


def job(group: str, name: str, recipe: Recipe, seed: int, environment: Mapping[str, str]) -> jobs.Job:
    """One training of this search."""
    return jobs.Job("studies.champion.training", STORE, group, name, seed, recipe, environment)


def table(planned: Sequence[jobs.Job]) -> pd.DataFrame:
    """A row for each of the trainings that is done."""
    rows = []
    for folder in jobs.finished(planned):
        told, result = (files.read_json(folder / f"{name}.json") for name in ("job", "result"))
        row = {
            "schedule": int(told["group"].split()[0]),
            "name": told["name"],
            "SEED": told["seed"],
            "epochs": told["settings"]["epochs"],
            **{figure: result[figure] for figure in FIGURES},
            "key": told["key"],
        }
        rows.append(row)
    order = ["schedule", "name", "SEED"]
    return pd.DataFrame(rows, columns=[*order, "epochs", *FIGURES, "key"]).sort_values(order)


def with_reasons(found: pd.DataFrame) -> pd.DataFrame:
    """A table of ideas with each one's theme, why one would try it, and whether it takes a part away."""
    tried = [ideas.IDEAS[ideas.THEMES[name]][name] for name in found["name"]]
    return found.assign(
        theme=found["name"].map(ideas.THEMES),
        why=[idea.why for idea in tried],
        part=[idea.part for idea in tried],
    )


def keep(name: str, planned: Sequence[jobs.Job], found: pd.DataFrame) -> None:
    """Write a table for the lesson, if all that it needs is done; print it if not."""
    if len(found) < len(planned):
        print(found.to_string(index=False))
        print(f"{len(found)} of {len(planned)} trainings are done: results/{name}.csv stays as it is")
        return
    cores = "one core" if name == "champion_ideas" else "two cores"
    head = f"# Scores on 10,000 held-out images; seconds with {cores}. Written by studies.champion.search.\n"
    files.write_text(results.FOLDER / f"{name}.csv", head + found.to_csv(index=False))


if __name__ == "__main__":
    main()
