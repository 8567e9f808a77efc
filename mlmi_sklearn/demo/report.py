"""The report: one HTML page that holds its style and its pictures."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files
from string import Template

from .content import Chapter, Figure, Finding, Metric, Panel, Scores, Section, Table

__all__ = ["Pictures", "make_report"]

# Light and dark PNG of each panel.
Pictures = Mapping[Panel, tuple[bytes, bytes]]

_LINK = re.compile(r"https://[^\s,;)]+[^\s,;.)]")


def make_report(
    chapters: Mapping[str, Chapter],
    pictures: Pictures,
    *,
    command: str,
    facts: Mapping[str, str],
) -> str:
    """Write the page.

    Parameters
    ----------
    chapters : mapping of str to Chapter
        By family.
    pictures : mapping of Panel to (bytes, bytes)
        Each panel as PNG for light and for dark pages.
    command : str
        What makes this report again.
    facts : mapping of str to str
        Versions, machine and duration; needs "mlmi-sklearn".

    Returns
    -------
    str
        HTML that loads nothing from anywhere.
    """
    return _template("report.html").substitute(
        style=_template("report.css").template,
        version=escape(facts["mlmi-sklearn"]),
        contents=_contents(chapters),
        chapters="\n".join(
            _chapter(family, chapter, pictures) for family, chapter in chapters.items()
        ),
        command=escape(command),
        facts="\n".join(
            f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
            for name, value in facts.items()
        ),
    )


def _template(name: str) -> Template:
    """Read a file that lies beside this module."""
    return Template((files(__package__) / name).read_text("utf-8"))


def _contents(chapters: Mapping[str, Chapter]) -> str:
    """Return links to the chapters, if there are several."""
    if len(chapters) < 2:
        return ""
    links = "".join(
        f'<li><a href="#{family}">{escape(chapter.title)}</a></li>'
        for family, chapter in chapters.items()
    )
    return f'<nav aria-label="Chapters"><ul class="contents">{links}</ul></nav>'


def _chapter(family: str, chapter: Chapter, pictures: Pictures) -> str:
    """Return a chapter."""
    sections = "\n".join(_section(section, pictures) for section in chapter.sections)
    return f"""\
<section id="{family}" aria-labelledby="{family}-title">
<h2 id="{family}-title">{escape(chapter.title)}</h2>
<p>{escape(chapter.question)}</p>
{sections}
<article class="card">
<h3>In your own code</h3>
<pre><code>{escape(chapter.code)}</code></pre>
<h4>Sources</h4>
{_list(chapter.sources, "notes")}
</article>
</section>"""


def _section(section: Section, pictures: Pictures) -> str:
    """Return an experiment."""
    findings = "\n".join(_finding(finding) for finding in section.findings)
    figures = "\n".join(_figure(figure, pictures) for figure in section.figures)
    return f"""\
<article class="card">
<h3>{escape(section.title)}</h3>
<p>{escape(section.question)}</p>
{_table(section.table)}
<div class="findings">
<h4>What this shows</h4>
{findings}
</div>
{figures}
<h4>How it was done</h4>
{_list(section.protocol, "notes")}
</article>"""


def _finding(finding: Finding) -> str:
    """Return a headline and its sentences."""
    return f"<p><strong>{escape(finding.headline)}</strong></p>{_list(finding.details)}"


def _table(table: Table) -> str:
    """Return a table that scrolls by itself where the page is narrow."""
    head = "".join(f'<th scope="col">{escape(m.title)}</th>' for m in table.metrics)
    rows = "\n".join(_row(row, table.metrics) for row in table.rows)
    legend = "dot: method the chapter is about, square: simple baseline"
    return f"""\
<div class="scroll" tabindex="0" role="region" aria-label="{escape(table.caption)}">
<table>
<caption>{escape(table.caption)}; {legend}</caption>
<thead><tr><th scope="col">method</th>{head}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>"""


def _row(scores: Scores, metrics: Iterable[Metric]) -> str:
    """Return the row of one method."""
    kind = "ours" if scores.ours else "baseline"
    cells = "".join(_cell(scores, metric) for metric in metrics)
    return (
        f'<tr class="{kind}"><th scope="row">{escape(scores.method)}</th>{cells}</tr>'
    )


def _cell(scores: Scores, metric: Metric) -> str:
    """Return a number and, smaller, its deviation."""
    mean = f"{scores.mean(metric.key):.{metric.decimals}f}"
    if not metric.spread:
        return f"<td>{mean}</td>"
    sd = f"{scores.sd(metric.key):.{metric.decimals}f}"
    return f'<td>{mean} <span class="sd">± {sd}</span></td>'


def _figure(figure: Figure, pictures: Pictures) -> str:
    """Return the panels of a figure and its caption."""
    panels = "\n".join(_picture(panel, *pictures[panel]) for panel in figure.panels)
    return f"""\
<figure>
<div class="panels">
{panels}
</div>
<figcaption>{escape(figure.caption)}</figcaption>
</figure>"""


def _picture(panel: Panel, light: bytes, dark: bytes) -> str:
    """Return one picture, in the colours of the page."""
    return (
        '<picture><source media="(prefers-color-scheme: dark)" '
        f'srcset="{_data(dark)}">'
        f'<img src="{_data(light)}" alt="{escape(panel.alt)}"></picture>'
    )


def _data(png: bytes) -> str:
    """Return a picture as an address that needs no file."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _list(sentences: Iterable[str], kind: str = "") -> str:
    """Return sentences as a list."""
    items = "\n".join(f"<li>{_linked(sentence)}</li>" for sentence in sentences)
    return f'<ul class="{kind}">\n{items}\n</ul>' if kind else f"<ul>\n{items}\n</ul>"


def _linked(sentence: str) -> str:
    """Escape a sentence and make its web addresses links."""
    # Numbers and their per cent signs stay on one line.
    text = escape(sentence).replace(" %", "\N{NO-BREAK SPACE}%")
    return _LINK.sub(r'<a href="\g<0>">\g<0></a>', text)
