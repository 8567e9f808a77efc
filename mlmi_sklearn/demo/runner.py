"""From a request on the command line to tables and a report."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from .._text import as_json, write
from .chapters import families_to_show, load_chapter
from .content import Chapter, Panel
from .errors import RequestError
from .output import open_folder, save_all
from .pictures import DARK, LIGHT, render
from .report import Pictures, make_report
from .results import all_scores, as_csv
from .session import one_thread, stop_on_ctrl_c
from .terminal import chapter_lines

__all__ = ["run_demo"]

_PACKAGES = ("mlmi-sklearn", "torch", "scikit-learn", "skorch", "numpy", "matplotlib")


def run_demo(family: str, out: Path, quick: bool) -> int:
    """Train on embedded real data; print tables and write ``report.html``.

    Parameters
    ----------
    family : {"mil", "da", "meta", "gan", "all"}
        Whose chapter to run; "all" runs those there are.
    out : Path
        Folder for ``report.html``, ``results.csv``, ``results.json`` and ``pictures/``.
        Made if it is not there. Written when all is done, so an interrupted run leaves
        an earlier report alone.
    quick : bool
        Whether to do with fewer repetitions.

    Returns
    -------
    int
        Exit status: 0, 2 for a wrong argument, 130 after Ctrl-C.
    """
    try:
        run = _Run(family, families_to_show(family), "quick" if quick else "full")
        with stop_on_ctrl_c(), open_folder(Path(out)) as folder, one_thread():
            _show_and_save(run, folder)
    except RequestError as error:
        return _complain(str(error), 2)
    except KeyboardInterrupt:
        return _complain("stopped by Ctrl-C; no report was written.", 130)
    return 0


@dataclass(frozen=True)
class _Run:
    """What was asked for."""

    family: str
    families: tuple[str, ...]
    preset: str

    @property
    def command(self) -> str:
        """The line that asks for it."""
        family = [] if self.family == "all" else ["--family", self.family]
        quick = ["--quick"] if self.preset == "quick" else []
        return " ".join(["mlmi-sklearn", "demo", *family, *quick])


def _show_and_save(run: _Run, folder: Path) -> None:
    """Run the chapters, print what came out, write the files."""
    start = time.perf_counter()
    modules = {family: load_chapter(family) for family in run.families}
    settings = {family: m.PRESETS[run.preset] for family, m in modules.items()}
    chapters = {family: m.write(settings[family]) for family, m in modules.items()}
    for chapter in chapters.values():
        write("\n".join(["", *chapter_lines(chapter)]))
    facts = _facts()
    pictures = _render_all(chapters)
    seconds = time.perf_counter() - start
    about = {
        "command": run.command,
        "seconds": round(seconds, 1),
        "facts": facts,
        "settings": {family: asdict(s) for family, s in settings.items()},
        "results": all_scores(chapters),
    }
    page = make_report(
        chapters,
        pictures,
        command=run.command,
        facts={**facts, "Duration": f"{seconds:.0f} s, one thread"},
    )
    save_all(
        folder,
        {
            **_picture_files(chapters, pictures),
            "results.csv": as_csv(chapters),
            "results.json": as_json(about) + "\n",
            "report.html": page,
        },
    )
    write(f"\nReport: {folder / 'report.html'} ({seconds:.0f} s)")


def _panels(chapters: Mapping[str, Chapter]) -> dict[str, Panel]:
    """Return all panels by the name of their file."""
    return {
        f"pictures/{family}-{section.table.key}-{panel.key}.png": panel
        for family, chapter in chapters.items()
        for section in chapter.sections
        for figure in section.figures
        for panel in figure.panels
    }


def _render_all(chapters: Mapping[str, Chapter]) -> Pictures:
    """Draw all panels in both themes."""
    return {
        panel: (render(panel, LIGHT), render(panel, DARK))
        for panel in _panels(chapters).values()
    }


def _picture_files(
    chapters: Mapping[str, Chapter], pictures: Pictures
) -> dict[str, bytes]:
    """Return the light pictures as files."""
    return {name: pictures[panel][0] for name, panel in _panels(chapters).items()}


def _facts() -> dict[str, str]:
    """Say with what all this was computed."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return {
        **{name: version(name) for name in _PACKAGES},
        "Python": platform.python_version(),
        "Machine": machine,
    }


def _complain(message: str, status: int) -> int:
    """Say on standard error why there is no report."""
    print(f"mlmi-sklearn demo: {message}", file=sys.stderr)
    return status
