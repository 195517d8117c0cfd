"""The committed notebooks are in order, as files; nothing is executed here."""

import ast
import json
import re
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from helpers import IGNORED, NOTEBOOKS

from fmnist_utils import parameters, plots
from fmnist_utils.support import files

LIMIT = 1_000_000
IMAGE = re.compile(r"!\[(?P<alt>[^\]]*)\]\(|<img\b(?P<tag>[^>]*)>")
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
ANSWER = re.compile(r"<details><summary>([A-D])\. ([^\n]+)</summary>\n\n(.+?)\n\n</details>", flags=re.S)
MACHINE_PATH = re.compile(r"(?<![\w.:/])/(home|root|tmp|usr|work|Users|opt|mnt)/|[A-Z]:\\\\Users")


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request) -> Path:
    return request.param


@pytest.fixture
def notebook(path) -> nbformat.NotebookNode:
    content = nbformat.read(path, as_version=4)
    nbformat.validate(content)
    return content


def tags(cell):
    return cell.metadata.get("tags", [])


def terms(notebook):
    """The bold words of a lesson, each with the heading under which it stands: what it introduces."""
    heading, found = "", []
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and "question" not in tags(cell):
            for line in cell.source.splitlines():
                heading = line.lstrip("# ") if line.startswith("#") else heading
                found += [(term, heading) for term in re.findall(r"\*\*(.+?)\*\*", line)]
    return found


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def outputs(notebook):
    return [output for cell in code(notebook) for output in cell.outputs]


def test_the_series_is_there():
    readme = (files.PROJECT / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \d\d \| \[.*?\]\(notebooks/(.*?)\.ipynb\)", readme, flags=re.M)
    assert [path.stem for path in NOTEBOOKS] == listed
    assert len(listed) >= 8


def test_headings_have_one_h1_and_skip_no_level(notebook):
    without_code = re.sub(r"```.*?```", "", prose(notebook), flags=re.S)
    levels = [len(mark) for mark in re.findall(r"^(#+) ", without_code, flags=re.M)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))


def test_one_parameters_cell_with_commented_literals_only(notebook):
    tagged = [cell for cell in code(notebook) if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    for line, statement in zip(tagged[0].source.splitlines(), ast.parse(tagged[0].source).body, strict=True):
        assert isinstance(statement, ast.AnnAssign), line
        value = ast.literal_eval(statement.value)
        assert type(value).__name__ == statement.annotation.id, line
        assert "  # " in line, f"no comment: {line}"
        assert statement.target.id in parameters.RULES, f"no rule for {statement.target.id}"


def test_parameters_are_checked_right_after_their_cell(notebook):
    cells = code(notebook)
    position = next(i for i, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", []))
    assert cells[position + 1].source.startswith("parameters.check(globals())")


def test_cells_were_executed_in_order(notebook):
    assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))
    assert sum(bool(cell.outputs) for cell in code(notebook)) > len(code(notebook)) / 2


def test_no_output_is_an_error_or_stderr(notebook):
    assert not [o for o in outputs(notebook) if o.output_type == "error" or o.get("name") == "stderr"]


def test_nothing_of_papermill_or_of_this_machine_is_left(path):
    text = path.read_text(encoding="utf-8")
    assert "papermill" not in json.dumps(json.loads(text)["metadata"])
    assert "injected-parameters" not in text
    assert '"execution": {' not in text
    without_images = re.sub(r'"image/png": "[^"]*"', "", text)
    assert not MACHINE_PATH.search(without_images)


def test_it_is_small(path):
    assert path.stat().st_size < LIMIT


def test_relative_links_resolve(path, notebook):
    for target in LINK.findall(prose(notebook)):
        if not re.match(r"https?://|#", target):
            assert (path.parent / target.partition("#")[0]).exists(), target


def test_images_have_alternative_text(notebook):
    for image in IMAGE.finditer(prose(notebook)):
        assert image["alt"] or re.search(r'alt="[^"]+"', image["tag"] or ""), image[0]
    for output in outputs(notebook):
        if "image/png" in output.get("data", {}):
            assert output.metadata.get("alt"), "use plots.show, which describes the picture"
            assert output.metadata.get("letters", 1) >= plots.SMALLEST_LETTER, output.metadata["alt"]


def test_a_photograph_is_neither_published_nor_kept_nor_compared(notebook):
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "photographs" in tags:
            assert "nbval-ignore-output" in tags, cell.source
            assert not any(f"image/{kind}" in str(cell.outputs) for kind in ("png", "jpeg", "svg")), cell.source
            assert not re.search(r'"\d\d_\w+"', cell.source), "a figure with a name is kept in figures/"


def test_code_can_be_projected(notebook):
    for cell in code(notebook):
        lines = cell.source.splitlines()
        assert len(lines) <= 15 or "parameters" in tags(cell), lines[0]
        assert max(map(len, lines)) <= 85 or "parameters" in tags(cell), max(lines, key=len)


def test_it_begins_with_what_a_reader_can_do_afterwards(notebook):
    table = notebook.cells[1].source
    assert table.startswith("| Afterwards you can | You need | It takes |")


def test_it_closes_with_questions_exercises_and_a_summary(notebook):
    headings = re.findall(r"^## (.*)$", prose(notebook), flags=re.M)
    assert headings[-3:] == ["Quick questions", "Exercises", "What was seen"]
    assert re.search(r"^Next: \[", notebook.cells[-1].source, flags=re.M) or notebook.cells[
        0
    ].source.startswith("# 99")


def test_each_question_explains_each_of_its_four_answers(notebook):
    questions = [cell.source for cell in notebook.cells if "question" in tags(cell)]
    assert len(questions) == 3
    for number, question in enumerate(questions, start=1):
        assert re.match(rf"\*\*{number}\. .*\?.*\*\*$", question.splitlines()[0]), question
        answers = ANSWER.findall(question)
        assert [letter for letter, _, _ in answers] == list("ABCD"), question
        verdicts = [explanation.partition(" ")[0] for _, _, explanation in answers]
        assert sorted(verdicts) == ["No:", "No:", "No:", "Right:"], question
        assert all(len(explanation.split()) >= 8 for _, _, explanation in answers), question


def test_the_right_answer_has_no_favourite_letter():
    cells = [cell for path in NOTEBOOKS for cell in nbformat.read(path, as_version=4).cells]
    answers = [found for cell in cells if "question" in tags(cell) for found in ANSWER.findall(cell.source)]
    right = [letter for letter, _, explanation in answers if explanation.startswith("Right:")]
    assert len(right) == 3 * len(NOTEBOOKS)
    assert min(map(right.count, "ABCD")) >= len(right) / 8


def test_each_exercise_has_a_hint_an_empty_cell_and_a_folded_solution(path, notebook):
    lesson = int(path.stem[:2])
    first = next(i for i, cell in enumerate(notebook.cells) if cell.source.startswith("## Exercises"))
    parts = [i for i, cell in enumerate(notebook.cells) if cell.source.startswith("### Exercise ")]
    assert 2 <= len(parts) <= 3
    assert parts[0] == first + 1
    for number, (begin, end) in enumerate(zip(parts, [*parts[1:], len(notebook.cells)], strict=True), start=1):
        task, room, *rest = notebook.cells[begin:end]
        assert task.source.startswith(f"### Exercise {lesson}.{number}: ")
        assert re.search(r"<details><summary>Hint</summary>\n\n.+\n\n</details>", task.source, flags=re.S)
        assert (tags(room), room.source) == (["exercise"], f"# Exercise {lesson}.{number}: your code")
        solutions = [cell for cell in rest if "solution" in tags(cell)]
        assert solutions
        for cell in solutions:
            folded = cell.metadata.get("jupyter", {}).get("source_hidden") or cell.source.startswith(
                "<details>"
            )
            assert folded, cell.source
        assert [cell for cell in rest if "solution" not in tags(cell)] == rest[len(solutions) :]


def test_each_term_is_in_the_glossary_with_the_place_where_it_is_introduced():
    introduced = []
    for path in NOTEBOOKS:
        found = terms(nbformat.read(path, as_version=4))
        introduced += [(term.casefold(), path.name, heading) for term, heading in found]
    text = (files.PROJECT / "docs" / "glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+) \| .+\. \| \[(\d+) · (.+)\]\(\.\./notebooks/(.+)#(.+)\) \|$", text, flags=re.M)
    assert len(rows) == len(text.splitlines()) - 6 > 80
    assert sorted((term.casefold(), file, heading) for term, _, heading, file, _ in rows) == sorted(introduced)
    assert len({term for term, _, _ in introduced}) == len(introduced), "a term is introduced once"
    assert [row[0] for row in rows] == sorted((row[0] for row in rows), key=str.casefold)
    for _, number, heading, file, anchor in rows:
        assert int(file[:2]) == int(number)
        assert unquote(anchor) == heading.replace(" ", "-")


def test_times_and_training_logs_are_not_compared(notebook):
    for cell in code(notebook):
        if re.search(r"train_or_load\(|use_precision\(|perf_counter", cell.source):
            assert IGNORED in cell.metadata.get("tags", []), cell.source.splitlines()[0]


def test_prose_types_no_accuracy_that_was_measured_here(path, notebook):
    """Percentages with a decimal stand in prose only where others published them, or as goals of the code."""
    published = {"83.5%", "89.29%", "88.81%", "87.7%", "99.9%", "94.9%"}
    typed = set(re.findall(r"\b\d\d\.\d+%", prose(notebook))) - published
    goals = {
        f"{float(number):.1%}" for cell in code(notebook) for number in re.findall(r"\b0\.\d{3}\b", cell.source)
    }
    assert typed <= goals


def test_the_readme_holds_the_table_of_the_published_run():
    readme = (files.PROJECT / "README.md").read_text(encoding="utf-8")
    table = (files.PROJECT / "results" / "published.md").read_text(encoding="utf-8").strip()
    assert len(table.splitlines()) >= 7
    assert table in readme


def test_the_table_agrees_with_the_published_metrics():
    table = (files.PROJECT / "results" / "published.md").read_text(encoding="utf-8")
    for metrics in files.read_json(files.PROJECT / "results" / "published.json"):
        if "test_accuracy" in metrics:
            row = next(line for line in table.splitlines() if line.startswith(f"| {metrics['name']} |"))
            assert f"{metrics['test_accuracy']:.2%}" in row
            assert f"{metrics['parameters']:,}" in row


def test_readme_images_and_links_resolve():
    readme = (files.PROJECT / "README.md").read_text(encoding="utf-8")
    targets = [t for t in LINK.findall(readme) if not re.match(r"https?://|#", t)]
    assert targets
    assert [t for t in targets if not (files.PROJECT / t.partition("#")[0]).exists()] == []
    assert all(image["alt"] for image in IMAGE.finditer(readme))
