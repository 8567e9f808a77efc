"""The landing page, the diagram, the glossary and the guides agree with the package."""

import ast
import builtins
import importlib
import importlib.util
import json
import re
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest

import mlmi_sklearn
from mlmi_sklearn import all_estimators, transfer_setting
from mlmi_sklearn.model_selection import setting

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GUIDES = [DOCS / f"guides/{n}.md" for n in ("performance", "distributed")]
GUIDES.append(DOCS / "guides/reproducibility.md")
PAGES = [DOCS / f"{n}.md" for n in ("index", "choosing", "lecture_to_code", "glossary")]
PAGES += GUIDES
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
ROLE = re.compile(r"\{(class|func|meth|attr)\}`~?([\w.]+)`")
SVG = "{http://www.w3.org/2000/svg}"


def script(name):
    """Return a script of docs/_figures as a module."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"_figures/{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def choosing():
    yield script("choosing")
    del sys.modules["choosing"]


@pytest.fixture(scope="module")
def problems():
    yield script("problems")
    del sys.modules["problems"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_name_that_a_page_refers_to_exists(page):
    for _, name in ROLE.findall(page.read_text()):
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name


# -- the landing page ------------------------------------------------------------------


def free_names(code):
    """Return the names that code reads and nothing in it has set."""
    tree = ast.parse(code)
    names = {n for n in ast.walk(tree) if isinstance(n, ast.Name)}
    known = {n.id for n in names if isinstance(n.ctx, ast.Store)} | set(dir(builtins))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            known |= {alias.asname or alias.name for alias in node.names}
    return {n.id for n in names} - known


def test_the_landing_page_solves_each_problem_in_eight_lines_that_stand_alone():
    blocks = BLOCK.findall((DOCS / "index.md").read_text())
    assert len(blocks) == 4
    for block in blocks:
        lines = block.rstrip().splitlines()
        assert len(lines) <= 8, block
        assert max(map(len, lines)) <= 88
        assert not free_names(block)
    assert free_names("import numpy as np\nnp.ones(k)") == {"k"}


def test_the_first_pictures_come_in_pairs_with_one_text():
    text = (DOCS / "index.md").read_text()
    images = re.findall(
        r"\{image\} images/(\w+)-(light|dark)\.svg\n:alt: (.+)\n:class: only-(\w+)",
        text,
    )
    assert len(images) == text.count("{image}") == 8
    for light, dark in zip(images[::2], images[1::2], strict=True):
        assert (light[0], light[2]) == (dark[0], dark[2])
        assert (light[1], light[3], dark[1], dark[3]) == ("light",) * 2 + ("dark",) * 2


def colours(path):
    return set(re.findall(r"(?:fill|stroke): (#\w{6})", path.read_text()))


def test_pictures_are_transparent_in_the_colours_of_their_page(problems, tmp_path):
    for name in problems.PICTURES:
        for shade, own in problems.SHADES.items():
            path = DOCS / "images" / f"{name}-{shade}.svg"
            other = set().union(*problems.SHADES.values()) - set(own)
            found = colours(path)
            assert own.ink in found
            assert not found & other
            assert "#ffffff" not in found
    drawn = problems.draw("meta", "dark", tmp_path)
    assert colours(drawn) == colours(DOCS / "images" / "meta-dark.svg")


# -- which estimator -------------------------------------------------------------------


def test_diagram_and_list_are_those_of_the_tree(choosing):
    remedy = "run python docs/_figures/choosing.py"
    assert choosing.PICTURE.read_text() == choosing.diagram(), remedy
    assert choosing.listing() in choosing.PAGE.read_text(), remedy


def test_the_tree_has_every_estimator_and_nothing_else(choosing):
    taken = {name for _, leaf in choosing.leaves() for name in leaf.take}
    assert taken <= set(mlmi_sklearn.__all__)
    # The public base of two that are there.
    assert {name for name, _ in all_estimators()} - taken == {"MAMLEstimator"}


def test_the_tree_agrees_with_transfer_setting(choosing):
    asked = [(n, leaf) for n, leaf in choosing.leaves() if leaf.flags is not None]
    for node, leaf in asked:
        found = transfer_setting(**leaf.flags)
        assert found.setting == node.title
        assert leaf.when.startswith(found.name) or found.name == node.title
        assert set(found.estimators) <= set(leaf.take)
    names = {transfer_setting(**leaf.flags).name for _, leaf in asked}
    cases = {name for _, name, *_ in setting._CASES.values()}
    assert cases - names == {"no transfer", "no labels for a new task"}


def test_the_diagram_is_text_with_links_inside_its_frame(choosing):
    tree = ElementTree.fromstring(choosing.diagram())
    width, height = map(float, tree.get("viewBox").split()[2:])
    for text in tree.iter(f"{SVG}text"):
        content = "".join(text.itertext())
        assert float(text.get("x")) + 6.4 * len(content.strip()) <= width, content
        assert float(text.get("y")) < height
    for link in tree.iter(f"{SVG}a"):
        target = link.get("href")
        name = re.fullmatch(r"api/generated/mlmi_sklearn\.(\w+)\.html", target)
        page = DOCS / target.replace(".html", ".md")
        assert name[1] in mlmi_sklearn.__all__ if name else page.exists()
    style = tree.find(f"{SVG}style").text
    assert "currentColor" in style
    assert "#000" not in style


# -- from lecture to code, glossary ----------------------------------------------------


def test_every_block_of_the_lecture_checks_something():
    blocks = BLOCK.findall((DOCS / "lecture_to_code.md").read_text())
    assert len(blocks) >= 20
    for block in blocks:
        assert re.search(r"\bclose\(|\bassert ", block) or "def squared" in block, block


def test_the_lecture_names_arguments_that_exist():
    text = (DOCS / "lecture_to_code.md").read_text()
    named = set(re.findall(r"`(\w+)=[^`]*`", text))
    known = set()
    for _, estimator in all_estimators():
        known |= set(estimator.__init__.__annotations__)
    functions = {"groups", "held_out", "estimator", "sample_domain", "condition"}
    parts = {n for n in named if "__" in n and n.split("__")[0] in known}
    assert not named - known - functions - parts


def terms():
    """Return the terms of each glossary of the page, in order, and all references."""
    text = (DOCS / "glossary.md").read_text()
    parts = re.findall(r"```\{glossary\}\n(.*?)```", text, re.DOTALL)
    lists = [re.findall(r"^(\S.*)$", part, re.MULTILINE) for part in parts]
    used = re.findall(r"\{term\}`(?:[^`<]*<)?([^`>]+)>?`", re.sub(r"\n +", " ", text))
    return lists, used


def test_the_glossary_is_complete():
    lists, used = terms()
    defined = [term for one in lists for term in one]
    assert len(defined) == len(set(defined)) >= 70
    # References do not mind capitals, as in Sphinx.
    assert not {u.lower() for u in used} - {d.lower() for d in defined}


def test_the_glossary_is_sorted():
    for one in terms()[0]:
        heads = first_of_entries(one)
        assert heads == sorted(heads, key=str.lower)


def first_of_entries(one):
    """Return the first term of each entry; several terms may share a text."""
    text = (DOCS / "glossary.md").read_text()
    return [t for t in one if re.search(rf"(?:\n\n|\}}\n){re.escape(t)}\n", text)]


# -- user guide ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page", sorted(DOCS.glob("user_guide/[!i]*.md")), ids=lambda page: page.stem
)
def test_a_chapter_has_all_that_a_chapter_needs(page):
    text = page.read_text()
    prose = BLOCK.sub("", text)
    assert prose.count("$") >= 20, "the maths"
    assert re.search(r"\bassum(?:e|es|ption)\b", prose), "the assumption"
    for title in ("What it costs", "What not to hope for", "References"):
        part = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
        assert len(part.split()) > 100, title
    costs = text.partition("\n## What it costs\n")[2].partition("\n## ")[0]
    assert "$O(" in costs, "complexity"


# -- guides ----------------------------------------------------------------------------


def rows(stem):
    return json.loads((ROOT / f"benchmarks/results/{stem}.json").read_text())["rows"]


def test_ratios_in_the_guide_are_those_that_were_measured():
    text = GUIDES[0].read_text()
    for place, table in re.findall(
        r"<!-- figures: benchmarks/results/([^>]*) -->\n((?:\|.*\n)+)", text
    ):
        measured = set()
        for stem in re.findall(r"(\w+)\.json", place):
            for row in rows(stem):
                middle = row.get("ratio", row.get("seconds"))
                measured.add(f"{middle:.2f}")
                measured.add(f"{middle:.2f} ({row['low']:.2f}-{row['high']:.2f})")
        cells = re.findall(r"\| (\d+\.\d\d(?: \([\d.-]+\))?) (?=\|)", table)
        assert cells
        assert not set(cells) - measured


def test_figures_of_many_machines_are_those_that_were_measured():
    text = GUIDES[1].read_text()
    path = ROOT / "benchmarks/results/many_machines.json"
    measured = json.loads(path.read_text())
    for row in measured["fits"]:
        each, hourly = f"{row['seconds']:.2f}", f"{3600 / row['seconds']:,.0f}"
        assert f"| {row['fit']} | {each} | {hourly} |" in text
    assert f"first task {measured['start_of_worker_s']} s after" in text
    exchange = measured["exchange_s"]
    assert f"{exchange['100000']:.4f} s for a hundred thousand" in text
    assert f"{exchange['10000000']:.2f} s for ten million" in text


def test_what_the_guide_says_of_shared_fits_is_so():
    text = GUIDES[1].read_text()
    shared = {name for name, kind in all_estimators() if shares(kind)}
    said = {"NetClassifier", "NetRegressor", "FineTuneClassifier", "DANNClassifier"}
    assert said | {"MILClassifier", "MAMLClassifier"} <= shared
    alone = text.partition("- Sharing a fit of ")[2].partition(" and others")[0]
    named = re.findall(r"`(\w+)`", alone)
    assert named
    assert not set(named) & shared
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for extra in re.findall(r'"mlmi-sklearn\[(\w+)\]"', text):
        assert extra in project["optional-dependencies"]


def shares(kind):
    """Whether several processes can share a fit of an estimator."""
    net = getattr(kind, "_net_class", None)
    return net is not None and net.shares_batches


def test_hours_and_minutes_of_the_table_add_up():
    text = GUIDES[1].read_text()
    namespace = {}
    (block,) = (b for b in BLOCK.findall(text) if "def minutes" in b)
    exec(block, namespace)
    minutes = namespace["minutes"]
    assert round(minutes(120, 1) / 60) == 2
    days, hours = divmod(round(minutes(6000, 1) / 60), 24)
    assert f"{days} days and {hours} hours" in text
    hours, rest = divmod(round(minutes(6000, 16)), 60)
    assert f"{hours} hours and {rest} minutes" in text
    assert f"| {round(minutes(120, 16))} minutes |" in text
    assert f"| {round(minutes(6000, 160))} minutes |" in text
