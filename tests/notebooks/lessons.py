"""The lessons that nbval repeats, those that take longest first: ``python -m tests.notebooks.lessons``.

One whose weights or photographs cannot be had is left out, with a line that names it on standard error.
"""

import sys

from fmnist_utils.batch import series, supplies


def main() -> None:
    lessons = series.longest_first(series.lessons())
    missing = supplies.missing(lessons)
    for path, why in missing.items():
        print(f"{path.name} is not repeated: {why.partition(' Tried')[0]}", file=sys.stderr)
    print(*(f"notebooks/{path.name}" for path in lessons if path not in missing))


if __name__ == "__main__":
    main()
