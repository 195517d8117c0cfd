"""Notebook files as editors, git and crashes leave them, and a sentence for whatever is wrong with one."""

import json
import re
import warnings
from pathlib import Path

import nbformat

from fmnist_utils.support import files

_MERGE = re.compile("^(<{7}|={7}|>{7})( |$)", re.MULTILINE)  # what git leaves where two sides differ


def read(path: Path) -> nbformat.NotebookNode:
    """A notebook in format 4, whichever format and encoding mark it was written with.

    Raises:
        UnreadableError: says what it holds instead, and where; or that it is not written in Python.
    """
    notebook = _parsed(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of ids, which are put right
            nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        raise files.UnreadableError(f"{path} is no sound notebook: {error.message[:200]}") from None
    language = notebook.metadata.get("kernelspec", {}).get("language") or "python"
    if str(language).lower() != "python":
        raise files.UnreadableError(f"{path} is written in {language}; expected a notebook in Python")
    return notebook


def _parsed(path: Path) -> nbformat.NotebookNode:
    if not path.is_file():
        raise files.UnreadableError(f"{path} is no file, or a link to none")
    try:
        text = path.read_text(encoding="utf-8-sig")
        if not text.strip():
            raise files.UnreadableError(f"{path} is empty")
        content = json.loads(text)
        json.dumps(content, ensure_ascii=False).encode()  # half a character in JSON's own writing is none
    except UnicodeError as error:
        raise files.UnreadableError(f"{path} is no text in UTF-8 ({error})") from None
    except (ValueError, RecursionError) as error:
        raise files.UnreadableError(f"{path} {_fault(text, error)}") from None
    if not isinstance(content, dict) or type(content.get("nbformat")) is not int:
        raise files.UnreadableError(f"{path} is no notebook: it does not say in which format it is")
    if content["nbformat"] > nbformat.current_nbformat:
        raise files.UnreadableError(f"{path} is in format {content['nbformat']}, newer than this Jupyter's")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return nbformat.reads(text, as_version=nbformat.current_nbformat)
    except Exception as error:  # what the converters of old formats raise differs from format to format
        raise files.UnreadableError(f"{path} is no sound notebook: {error!r:.200}") from None


def _fault(text: str, error: Exception) -> str:
    if mark := _MERGE.search(text):
        line = text.count("\n", 0, mark.start()) + 1
        return (
            f"holds the marks of a merge that was not finished, from line {line} on. Take one side of it: "
            "git checkout --ours or --theirs, and the file's name"
        )
    return f"is no notebook: {error}"
