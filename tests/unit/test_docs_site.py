"""The site: no page is forgotten, links lead somewhere, nothing is from elsewhere."""

import importlib
import re
import sys
import zlib
from pathlib import Path

import pytest

import mlmi_sklearn
from mlmi_sklearn import all_estimators

pytest.importorskip("sphinx")

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    path
    for path in DOCS.rglob("*.md")
    if not {"_build", "auto_examples"} & set(path.parts)
)
TEXTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "plugins/README.md",
    *PAGES,
]
TOCTREE = re.compile(r"^[`:]{3,}\{toctree\}\n(.*?)^[`:]{3,}", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"^([`~]{3,})(?!\{).*?^\1", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def extension():
    """Import modules of docs/_ext by name."""
    sys.path.insert(0, str(DOCS / "_ext"))
    before = set(sys.modules)
    yield importlib.import_module
    sys.path.remove(str(DOCS / "_ext"))
    for name in set(sys.modules) - before:
        if (DOCS / "_ext" / f"{name}.py").exists():
            del sys.modules[name]


# -- contents --------------------------------------------------------------------------


def entries(page):
    """Return the pages that a page's toctrees list, relative to docs/."""
    lines = "".join(TOCTREE.findall(page.read_text())).splitlines()
    names = [re.sub(r"^.*<(.+)>$", r"\1", line.strip()) for line in lines]
    below = page.parent.relative_to(DOCS)
    return [(below / name).as_posix() for name in names if name and name[0] != ":"]


def test_every_page_is_in_the_contents_once(extension):
    sections = {f"api/{s.page}" for s in extension("api_sections").SECTIONS}
    listed = [name for page in PAGES for name in entries(page)]
    assert sorted(listed) == sorted(set(listed))
    made = {"auto_examples/index", *sections}
    pages = {page.relative_to(DOCS).with_suffix("").as_posix() for page in PAGES}
    assert set(listed) == (pages - {"index"}) | made


def test_contents_can_be_reached_from_the_landing_page():
    found, new = set(), ["index"]
    while new:
        name = new.pop()
        found.add(name)
        if (DOCS / f"{name}.md").exists():
            new += [
                entry for entry in entries(DOCS / f"{name}.md") if entry not in found
            ]
    written = {page.relative_to(DOCS).with_suffix("").as_posix() for page in PAGES}
    assert written <= found


def test_every_folder_of_examples_is_in_the_gallery():
    families = {path.parent.name for path in DOCS.glob("examples/*/plot_*.py")}
    assert families
    said = re.search(r"^FAMILIES = \((.+)\)$", (DOCS / "conf.py").read_text(), re.M)
    assert families <= set(re.findall(r'"(\w+)"', said[1]))
    assert all((DOCS / "examples" / name / "README.rst").exists() for name in families)


# -- reference -------------------------------------------------------------------------


def test_reference_has_every_public_object(extension):
    names = extension("api_names")
    pages = {name for section in names.by_section().values() for name in section}
    modules = ["mlmi_sklearn", *(f"mlmi_sklearn.{m}" for m in mlmi_sklearn._MODULES)]
    for module in modules:
        public = getattr(importlib.import_module(module), "__all__", ())
        for name in set(public) - {"__version__"}:
            assert names.canonical_name(f"{module}.{name}") in pages, (module, name)


def test_every_object_has_one_page(extension):
    names = extension("api_names")
    pages = [name for section in names.by_section().values() for name in section]
    assert len(pages) == len(set(pages)) > 300
    objects = [names.resolve(name) for name in pages]
    assert None not in [
        value for value in objects if not isinstance(value, (str, tuple))
    ]
    classes = [value for value in objects if isinstance(value, type)]
    assert len(classes) == len(set(classes))


def test_public_estimators_stand_under_the_name_of_the_package(extension):
    pages = {n for names in extension("api_names").by_section().values() for n in names}
    for name, _ in all_estimators():
        assert f"mlmi_sklearn.{name}" in pages, name


def test_sections_name_modules_that_exist(extension):
    for section in extension("api_sections").SECTIONS:
        assert extension("api_names").by_section()[section.page], section.page


@pytest.mark.parametrize(
    ("said", "page"),
    [
        ("mlmi_sklearn.mil.classifier.MILClassifier", "mlmi_sklearn.MILClassifier"),
        ("mlmi_sklearn.mil.MILClassifier.fit", "mlmi_sklearn.MILClassifier.fit"),
        ("few_shot_score", "mlmi_sklearn.few_shot_score"),
        ("RealismStudy.score", "mlmi_sklearn.metrics.RealismStudy.score"),
        ("mlmi_sklearn.specs.FocalLoss", "mlmi_sklearn.FocalLoss"),
    ],
)
def test_links_by_another_name_find_the_page(said, page, extension):
    assert page in extension("api_pages").other_names(said)


def test_names_that_are_not_ours_are_left_alone(extension):
    for name in ("sklearn.svm.SVC", "nowhere", "mlmi_sklearnish.MILClassifier"):
        assert extension("api_pages").other_names(name) == []


@pytest.mark.parametrize(
    ("module", "page"),
    [
        ("mlmi_sklearn", "api/index"),
        ("mlmi_sklearn.nn.poolings.contract", "api/nn"),
        ("mlmi_sklearn.containers.bags", "api/mil"),
        ("mlmi_sklearn.nowhere", None),
        ("mlmi_sklearn.MILClassifier", None),
    ],
)
def test_links_to_modules_end_at_their_section(module, page, extension):
    assert extension("api_pages").section_of(module) == page


def test_types_of_parameters_are_mended(extension):
    docstrings = extension("docstrings")
    lines = ["x : int, \\", "    default=1", "    Of shape (B, *shape).", "`f(*a)`"]
    docstrings.mend(None, "class", "name", None, None, lines)
    assert lines == ["x : int, default=1", "    Of shape (B, \\*shape).", "`f(\\*a)`"]
    lines = [
        "x : int,",
        "        or *more[1:])",
        "    Text : of",
        "    it, (*a, ``(*a)``).",
    ]
    docstrings.mend(None, "class", "name", None, None, lines)
    assert lines[:2] == ["x : int, or \\*more[1:])", "    Text : of"]
    assert lines[2:] == ["    it, (\\*a, ``(*a)``)."]
    lines = [
        "a_, b_ : array of shape (n, width_)",
        "    Given (``width_``) by c_, (d).",
    ]
    docstrings.mend(None, "class", "name", None, None, lines)
    assert lines[0] == "a_, b_ : array of shape (n, width\\_)"
    assert lines[1] == "    Given (``width_``) by c_, (d)."
    lines = ["    >>> f(*names)", "    ``f(*names)``", "an *emphasis* and **x**"]
    docstrings.mend(None, "class", "name", None, None, same := list(lines))
    assert same == lines


def test_members_are_those_that_this_package_wrote(extension):
    own = extension("api_members").Members()
    methods = own.methods("mlmi_sklearn.MILClassifier")
    assert {"fit", "predict", "instance_scores"} <= set(methods)
    assert not {"get_params", "get_metadata_routing", "set_fit_request"} & set(methods)
    assert "forward" in own.methods("mlmi_sklearn.nn.poolings.MaxPooling")
    assert "state_dict" not in own.methods("mlmi_sklearn.nn.poolings.MaxPooling")
    assert "values" in own.attributes("mlmi_sklearn.Bags")
    assert own == extension("api_members").Members()


def test_section_page_sorts_by_kind(extension):
    pages = extension("api_pages")
    (section,) = (s for s in extension("api_sections").SECTIONS if s.page == "mil")
    text = pages.section_page(
        section, ["mlmi_sklearn.MISVC", "mlmi_sklearn.check_bags"]
    )
    parts = re.split(r"^(\w+)\n-+$", text, flags=re.MULTILINE)
    assert parts[1::2] == ["Estimators", "Functions"]
    assert "   ~mlmi_sklearn.MISVC\n" in parts[2]
    assert "   ~mlmi_sklearn.check_bags\n" in parts[4]


# -- links -----------------------------------------------------------------------------


def anchors(text):
    titles = re.findall(r"^#+ (.+)$", CODE.sub("", text), re.MULTILINE)
    plain = [
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles
    ]
    return {*plain, *re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE)}


def exists(page, target, extension):
    if extension("links").gallery_page(
        target, page.relative_to(ROOT / "docs").as_posix()
    ):
        return (page.parent / target).exists()
    sections = {f"{s.page}.rst" for s in extension("api_sections").SECTIONS}
    if page.parent / target in {DOCS / "api" / name for name in sections}:
        return True
    return (page.parent / target).exists() or (page.parent / f"{target}.md").exists()


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page, extension):
    text = page.read_text()
    prose = re.sub(r"`[^`\n]*`", "", CODE.sub("", text))
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        path, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        where = page.parent / path if path else page
        inside = page.is_relative_to(DOCS)
        assert not path or where.exists() or (inside and exists(page, path, extension))
        if anchor and where.suffix == ".md":
            assert anchor in anchors(where.read_text()), target


def test_programs_of_examples_become_their_pages(extension):
    page = extension("links").gallery_page
    assert page("../examples/mil/plot_x.py", "user_guide/mil") == (
        "auto_examples/mil/plot_x"
    )
    assert page("examples/mil", "index") == "auto_examples/mil/index"
    assert page("../README.md", "guides/plugins") is None
    assert page("../examples/x.png", "user_guide/mil") is None


# -- inventories -----------------------------------------------------------------------


def test_inventories_are_read_as_written(extension):
    text = "https://host/\npy:class a/$.html#$ m.A m.B\n\npy:module b.html#x-$ m\n"
    head, _, body = (
        extension("inventories").compile_inventory(text, "p").partition(b"zlib.\n")
    )
    assert head.startswith(b"# Sphinx inventory version 2\n# Project: p\n")
    assert zlib.decompress(body).decode().splitlines() == [
        "m.A py:class 1 a/m.A.html#m.A -",
        "m.B py:class 1 a/m.B.html#m.B -",
        "m py:module 1 b.html#x-m -",
    ]


@pytest.mark.parametrize("path", sorted(DOCS.glob("_inventories/*.txt")), ids=str)
def test_inventories_say_where(path):
    first, *rest = path.read_text().splitlines()
    assert re.fullmatch(r"https://\S+/", first)
    for line in filter(None, rest):
        role, address, *names = line.split()
        assert re.fullmatch(r"py:(class|function|method|module|exception)", role)
        assert "$" in address or len(names) == 1
        assert names


# -- pictures and formulas -------------------------------------------------------------


def test_picture_of_the_layers_is_that_of_the_contract(extension):
    architecture = extension("architecture")
    layers = architecture.read_layers()
    by_name = {name: n for n, layer in enumerate(layers) for name in layer.modules}
    assert by_name["components"] > by_name["nn"] > by_name["base"] > by_name["mil"]
    assert [layer.apart for layer in layers if "mil" in layer.modules] == [True]
    assert [layer.apart for layer in layers if "base" in layer.modules] == [False]
    drawn = architecture.draw(layers)
    texts = re.findall(r'y="([\d.]+)">(\w+)</text>', drawn)
    assert [name for _, name in texts] == [n for layer in layers for n in layer.modules]
    heights = [float(y) for y, _ in texts]
    assert heights == sorted(heights)
    assert not re.search(r"#[0-9a-f]{3,6}\b|rgb\(", drawn), "colours of the page only"


def test_picture_follows_the_contract(extension, tmp_path):
    architecture = extension("architecture")
    path = tmp_path / "setup.cfg"
    path.write_text("[importlinter:contract:layers]\nlayers =\n  (a) | b\n  c : (d)\n")
    assert architecture.read_layers(path) == [(("a", "b"), True), (("c", "d"), False)]


FORMULA = re.compile(
    r"\$\$(.+?)\$\$|(?<![\\$\w])\$(?![\s$])([^$]+?)(?<!\s)\$", re.DOTALL
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_formulas_become_mathml(page, extension):
    prose = re.sub(r"`[^`\n]*`", "", CODE.sub("", page.read_text()))
    for block, line in FORMULA.findall(prose):
        made = extension("mathml").convert(block or line, block=bool(block))
        assert made.startswith("<math")
        assert made.endswith("</math>")


def test_formulas_read_what_people_write(extension):
    convert = extension("mathml").convert
    assert convert(r"\big( x \Big)^2") == convert("( x )^2")
    assert convert("x_1, …") == convert(r"x_1, \ldots ")
    assert 'display="block"' in convert("x", block=True)


def test_formulas_that_are_not_understood_are_errors(extension):
    with pytest.raises(ValueError, match="nosuchcommand"):
        extension("mathml").convert(r"\nosuchcommand{x}")


# -- finished pages --------------------------------------------------------------------

GOOD = '<a href="b.html#x">b</a><img src="p.png"><a href="https://host/">out</a>'
FOREIGN = {
    '<script src="https://cdn/x.js"></script>': ["https://cdn/x.js"],
    '<script src="//cdn/x.js"></script>': ["//cdn/x.js"],
    '<link rel="stylesheet" href="https://fonts/x.css">': ["https://fonts/x.css"],
    '<link rel="preconnect" href="https://fonts/">': ["https://fonts/"],
    '<link rel="canonical" href="https://site/">': [],
    '<img src="https://host/p.png">': ["https://host/p.png"],
    '<img srcset="p.png, https://host/q.png 2x">': ["https://host/q.png"],
    GOOD: [],
}


@pytest.mark.parametrize("text", FOREIGN)
def test_what_a_page_fetches_from_elsewhere(text, extension):
    checks = extension("site_checks")
    assert checks.foreign_in_page(checks.Page(text)) == FOREIGN[text]


def test_what_a_style_sheet_fetches_from_elsewhere(extension):
    text = (
        '@import "https://a/x.css"; b {background: url(//c/d.png)} e {src: url(f.woff)}'
    )
    found = extension("site_checks").foreign_in_css(text)
    assert found == ["https://a/x.css", "//c/d.png"]
    for path in DOCS.glob("_static/*.css"):
        assert extension("site_checks").foreign_in_css(path.read_text()) == []


def test_findings_of_a_site(extension, tmp_path):
    (tmp_path / "p.png").touch()
    (tmp_path / "a.html").write_text(GOOD)
    (tmp_path / "b.html").write_text(
        '<p id="x"><a href="#y">y</a><a href="c.html">c</a>'
    )
    found = {(f.file.name, f.said) for f in extension("site_checks").findings(tmp_path)}
    gone = "links to {}, which is not there"
    assert found == {("b.html", gone.format("#y")), ("b.html", gone.format("c.html"))}
    (tmp_path / "b.html").write_text('<p id="z">')
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "template.html").write_text('<a href="{{ name }}">')
    found = [f.said for f in extension("site_checks").findings(tmp_path)]
    assert found == [gone.format("b.html#x")]
