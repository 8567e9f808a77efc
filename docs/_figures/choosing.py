"""The diagram and the list of docs/choosing.md, from one tree.

Run: ``python docs/_figures/choosing.py``. It writes docs/images/choosing.svg, which the
page includes as it is, so that its text can be selected and its links clicked, and the
nested list between the markers of the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

__all__ = ["TREE", "Leaf", "Node", "diagram", "leaves", "listing", "main"]

DOCS = Path(__file__).parents[1]
PAGE, PICTURE = DOCS / "choosing.md", DOCS / "images" / "choosing.svg"
MARKS = "<!-- list:begin -->", "<!-- list:end -->"


@dataclass(frozen=True)
class Leaf:
    """What to take in one case.

    Parameters
    ----------
    when : str
        The case, in a few words.
    take : tuple of str
        Public names.
    how : str
        Arguments or a remark that go with them.
    flags : dict or None
        What ``transfer_setting`` is told, where it knows the case.
    """

    when: str
    take: tuple[str, ...]
    how: str = ""
    flags: dict[str, bool] | None = None


@dataclass(frozen=True)
class Node:
    """A choice.

    Parameters
    ----------
    title : str
        What the branch is called.
    asks : str
        What is so in this branch.
    parts : tuple
        What lies behind it.
    guide : str
        Page of the user guide.
    """

    title: str
    asks: str
    parts: tuple[Node | Leaf, ...] = field(default=())
    guide: str = ""


CLASSIC = ("BagStatistics", "MILESTransformer", "NormalizedSetKernel", "BagVLAD")
CLASSIC += ("BagFisherVector", "CitationKNN", "MISVC", "SingleInstanceClassifier")

WEAK = Node(
    "Labels are weak",
    "There are labels where you predict, but not of the kind you would like.",
    (
        Node(
            "inexact",
            "one label for a bag of instances",
            (
                Leaf("slides have to be cut into tiles first", ("TileGrid",)),
                Leaf(
                    "one instance makes a bag positive, or another rule",
                    ("MILClassifier",),
                    'pooling="max"',
                ),
                Leaf(
                    "the label is a number, or a grade",
                    ("MILRegressor", "MILOrdinalClassifier"),
                ),
                Leaf("a few hundred bags: try these first", CLASSIC),
            ),
        ),
        Node(
            "inaccurate",
            "some labels are wrong",
            (
                Leaf(
                    "of bags",
                    ("MILClassifier",),
                    "noise_rate=0.1",
                ),
                Leaf(
                    "of rows or images",
                    ("NetClassifier",),
                    'loss="generalised-cross-entropy"',
                ),
            ),
        ),
        Node(
            "incomplete",
            "only some of the data have labels",
            (
                Leaf("some bags have none", ("MILClassifier",), "-1, NaN or None in y"),
                Leaf(
                    "a few instances have one as well",
                    ("MILClassifier", "SingleInstanceClassifier"),
                    "y_instances, instance_labels",
                ),
                Leaf(
                    "most rows have none",
                    ("SelfTaughtTransformer",),
                    "features from all rows",
                ),
            ),
        ),
    ),
    "mil",
)

TRANSFER = Node(
    "Labels are elsewhere",
    "Much of what you can learn from is of another place, or another task: transfer.",
    (
        Node(
            "transductive",
            "the same task; labels in the source only",
            (
                Leaf(
                    "domain adaptation (another scanner, stain or site)",
                    ("DANNClassifier", "DANNRegressor", "MSDATransformer"),
                    flags={},
                ),
                Leaf(
                    "sample selection bias (other rows of one domain)",
                    ("ImportanceWeightedClassifier",),
                    flags={"same_domain": True},
                ),
            ),
            "domain_adaptation",
        ),
        Node(
            "inductive",
            "the target has labels",
            (
                Leaf(
                    "semi-supervised domain adaptation (a few, same task)",
                    ("MMEClassifier", "DANNClassifier"),
                    'target_labels="use"',
                    {"labelled_target": True},
                ),
                Leaf(
                    "few-shot learning (a few, new task; many known tasks)",
                    (
                        "ProtoNetClassifier",
                        "MAMLClassifier",
                        "MAMLRegressor",
                        "FineTuneClassifier",
                        "FineTuneRegressor",
                    ),
                    flags={"few_shot": True},
                ),
                Leaf(
                    "multi-task learning (both have, for different tasks)",
                    ("MultiTaskEstimator", "FineTuneClassifier", "FineTuneRegressor"),
                    flags={"labelled_target": True, "same_task": False},
                ),
                Leaf(
                    "self-taught learning (the source has none)",
                    ("SelfTaughtTransformer",),
                    flags={"labelled_source": False, "labelled_target": True},
                ),
            ),
            "meta_learning",
        ),
        Node(
            "unsupervised",
            "no labels at all",
            (
                Leaf(
                    "clusters, few dimensions",
                    (),
                    "scikit-learn",
                    {"labelled_source": False},
                ),
            ),
        ),
    ),
)

SAMPLES = Node(
    "Samples are wanting",
    "You want data that nobody has measured.",
    (
        Node(
            "drawn",
            "new samples for a condition",
            (
                Leaf("rows, images or volumes, by class or map", ("CGANSampler",)),
                Leaf("an image from one of another kind", ("ImageTranslator",)),
            ),
        ),
        Node(
            "used",
            "in the training of something else",
            (
                Leaf(
                    "a classifier or regressor for rare cases",
                    ("AugmentedClassifier", "AugmentedRegressor"),
                    "class weights first",
                ),
                Leaf(
                    "a net whose outputs are to look plausible",
                    ("AdversarialRegularizer",),
                ),
            ),
        ),
    ),
    "generation",
)

PLAIN = Node(
    "Nothing is missing",
    "Rows, images or volumes with labels, from where the predictions are for.",
    (
        Node(
            "supervised",
            "the plain case",
            (
                Leaf("any net, as a baseline, too", ("NetClassifier", "NetRegressor")),
                Leaf("and how sure it is", ("DeepEnsembleClassifier",)),
            ),
        ),
    ),
)

TREE = (WEAK, TRANSFER, SAMPLES, PLAIN)


def leaves(parts: tuple[Node | Leaf, ...] = TREE) -> Iterator[tuple[Node, Leaf]]:
    """Yield each leaf with the choice that it hangs on."""
    for part in parts:
        for below in part.parts if isinstance(part, Node) else ():
            if isinstance(below, Leaf):
                yield part, below
            else:
                yield from leaves((below,))


# -- the list ------------------------------------------------------------------------


def listing() -> str:
    """Return the tree as a nested list of Markdown."""
    return "\n".join(line for node in TREE for line in _items(node, 0))


def _items(node: Node, depth: int) -> Iterator[str]:
    asks = f": {node.asks}" if depth else f". {node.asks}"
    more = f" ([guide](user_guide/{node.guide}.md))" if node.guide else ""
    yield f"{'  ' * depth}- **{node.title}**{asks}{more}"
    for part in node.parts:
        if isinstance(part, Node):
            yield from _items(part, depth + 1)
        else:
            yield f"{'  ' * (depth + 1)}- {part.when}: {_taken(part)}"


def _taken(leaf: Leaf) -> str:
    names = [f"{{class}}`~mlmi_sklearn.{name}`" for name in leaf.take]
    how = f"`{leaf.how}`" if "=" in leaf.how else leaf.how
    if not names:
        return how
    return ", ".join(names) + (f" ({how})" if how else "")


# -- the diagram ---------------------------------------------------------------------

WIDTH, LINE, GAP = 960, 17, 8
COLUMNS = (0, 188, 356, 634)  # where branches, choices, cases and names begin
ENDS = (168, 336, 622, WIDTH)
CHARACTER = 7.2  # of a letter at 13 pixels, rather more than it takes
STYLE = """
.choosing-frame { overflow-x: auto; margin: 1rem 0; }
.choosing { display: block; width: 100%; min-width: 800px;
  color: var(--pst-color-text-base, currentColor); }
.choosing text { font: 13px var(--pst-font-family-base, sans-serif);
  fill: currentColor; }
.choosing .title { font-weight: 600; }
.choosing .soft { opacity: 0.75; }
.choosing a text, .choosing text a { fill: var(--pst-color-link, #0a6ebd); }
.choosing a:hover, .choosing a:focus { text-decoration: underline; }
.choosing rect { fill: none; stroke: currentColor; stroke-opacity: 0.45; }
.choosing path { fill: none; stroke: currentColor; stroke-opacity: 0.35; }
"""


def wrapped(words: list[str], width: float) -> list[list[str]]:
    """Break words into lines that are no wider than `width` pixels."""
    lines: list[list[str]] = [[]]
    for word in words:
        if lines[-1] and CHARACTER * len(" ".join([*lines[-1], word])) > width:
            lines.append([])
        lines[-1].append(word)
    return lines


@dataclass
class _Drawing:
    """Elements of the picture, and how far down it reaches."""

    parts: list[str] = field(default_factory=list)
    bottom: float = 2.0

    def text(self, x: float, y: float, lines: list[str], kind: str = "") -> None:
        tag = f' class="{kind}"' if kind else ""
        for number, line in enumerate(lines):
            at = f'x="{x:g}" y="{y + 13 + number * LINE:g}"'
            self.parts.append(f"<text{tag} {at}>{escape(line)}</text>")

    def link(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        (x, y), (u, v) = start, end
        middle = (x + u) / 2
        self.parts.append(
            f'<path d="M{x:g} {y:g} C{middle:g} {y:g} {middle:g} {v:g} {u:g} {v:g}"/>'
        )

    def leaf(self, leaf: Leaf) -> float:
        """Draw a case and what to take; return the height of its middle."""
        top, x, u = self.bottom, COLUMNS[2], COLUMNS[3]
        when = _strings(wrapped(leaf.when.split(), ENDS[2] - x))
        names = wrapped([f"{name}," for name in leaf.take], ENDS[3] - u)
        how = _strings(wrapped(leaf.how.split(), ENDS[3] - u)) if leaf.how else []
        names = [line for line in names if line]
        self.text(x, top, when)
        for number, line in enumerate(names):
            last = number == len(names) - 1
            self._names(u, top + 13 + number * LINE, line, last)
        self.text(u, top + len(names) * LINE, how, "soft")
        rows = max(len(when), len(names) + len(how))
        self.bottom += rows * LINE + GAP
        return top + 8

    def _names(self, x: float, y: float, line: list[str], last: bool) -> None:
        spans = []
        for number, name in enumerate(word.rstrip(",") for word in line):
            end = "" if last and number == len(line) - 1 else ", "
            address = f"api/generated/mlmi_sklearn.{name}.html"
            # A link is an element of its own, and stands where the last one ended.
            spans.append(f'<a href="{address}"><tspan>{name}</tspan></a>{end}')
        self.parts.append(f'<text x="{x:g}" y="{y:g}">{"".join(spans)}</text>')

    def choice(self, node: Node, column: int) -> float:
        """Draw a choice, all that hangs on it first; return its middle."""
        top = self.bottom
        ends = [
            self.leaf(part) if isinstance(part, Leaf) else self.choice(part, column + 1)
            for part in node.parts
        ]
        width = ENDS[column] - COLUMNS[column]
        lines = _strings(wrapped(node.asks.split(), width - 16))
        height = (1 + len(lines)) * LINE + 8
        middle = max((ends[0] + ends[-1]) / 2, top + height / 2)
        self.bottom = max(self.bottom, middle + height / 2 + GAP)
        self._box(node, lines, column, middle - height / 2, height)
        for end in ends:
            self.link((ENDS[column], middle), (COLUMNS[column + 1] - 6, end))
        self.bottom += GAP if column == 0 else 2
        return middle

    def _box(
        self, node: Node, lines: list[str], column: int, top: float, height: float
    ) -> None:
        x, width = COLUMNS[column], ENDS[column] - COLUMNS[column]
        size = f'width="{width - 1:g}" height="{height:g}" rx="5"'
        self.parts.append(f'<rect x="{x + 0.5:g}" y="{top:g}" {size}/>')
        if node.guide:
            title = f"<tspan>{escape(node.title)}</tspan>"
            self.parts.append(
                f'<a href="user_guide/{node.guide}.html"><text class="title" '
                f'x="{x + 8:g}" y="{top + 17:g}">{title}</text></a>'
            )
        else:
            self.text(x + 8, top + 4, [node.title], "title")
        self.text(x + 8, top + 4 + LINE, lines, "soft")


def _strings(lines: list[list[str]]) -> list[str]:
    return [" ".join(line) for line in lines]


def diagram() -> str:
    """Return the tree as SVG."""
    drawing = _Drawing()
    for node in TREE:
        drawing.choice(node, 0)
    label = "Which estimator: the list below says the same in words"
    return "\n".join(
        [
            f'<svg class="choosing" xmlns="http://www.w3.org/2000/svg" role="group" '
            f'aria-label="{label}" viewBox="0 0 {WIDTH} {drawing.bottom:g}">',
            f"<style>{STYLE}</style>",
            *drawing.parts,
            "</svg>\n",
        ]
    )


def main() -> None:
    """Write the picture, and the list into the page."""
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(diagram())
    begin, end = MARKS
    text = f"{begin}\n{listing()}\n{end}"
    page = re.sub(f"{begin}.*?{end}", lambda _: text, PAGE.read_text(), flags=re.DOTALL)
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
