"""Every Python block of every page below docs/ runs, and says what is so."""

import re
import sys
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import matplotlib
import matplotlib.pyplot as plt
import pytest

from mlmi_sklearn.components import KINDS, list_components, unregister_component

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
FENCE = re.compile(
    r"^ *[`~:]{3,} ?\{?(?:python|code-block|pycon|code)\b.*$", re.MULTILINE
)
OURS = sorted(
    path.relative_to(DOCS).as_posix()
    for path in DOCS.rglob("*.md")
    if not {"_build", "auto_examples"} & set(path.parts)
)
# What this page shows are files of plugins, to be installed before they can be used.
ELSEWHERE = {
    "guides/plugins.md": "tests/plugins/test_guide.py",
    # Section by section, each where its package is installed.
    "guides/works_with.md": "tests/integrations/test_works_with.py",
}
PAGES = [
    name
    for name in OURS
    if name not in ELSEWHERE and BLOCK.search((DOCS / name).read_text())
]


class Page:
    """The blocks of a page, run in order in one module.

    It is a module, so that classes which a page defines can be pickled.
    """

    def __init__(self, name):
        self.name, self.text = name, (DOCS / name).read_text()
        self.module = ModuleType("page_" + re.sub(r"\W", "_", name[:-3]))
        self.blocks = [
            # Empty lines before, so that tracebacks name the line of the page.
            "\n" * self.text.count("\n", 0, match.start(1)) + match[1]
            for match in BLOCK.finditer(self.text)
        ]

    def run(self):
        for block in self.blocks:
            exec(compile(block, str(DOCS / self.name), "exec"), vars(self.module))
        return vars(self.module)


@contextmanager
def registry_as_it_was():
    def parts():
        return {(kind, part.name) for kind in KINDS for part in list_components(kind)}

    before = parts()
    yield
    for kind, name in parts() - before:
        unregister_component(kind, name)


@pytest.fixture
def page(request, monkeypatch, tmp_path):
    """The page of a test's parameter, in an empty folder and without windows."""
    made = Page(request.param)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, made.module.__name__, made.module)
    backend = matplotlib.get_backend()
    matplotlib.use("Agg")
    with registry_as_it_was(), matplotlib.rc_context():
        yield made
    plt.close("all")
    matplotlib.use(backend)


@pytest.mark.parametrize("page", PAGES, indirect=True)
def test_blocks_run(page):
    said = page.run()
    SAYS.get(page.name, lambda said, text: None)(said, page.text)


@pytest.mark.parametrize("name", OURS)
def test_no_block_escapes(name):
    text = (DOCS / name).read_text()
    fences = [found.strip() for found in FENCE.findall(text)]
    assert set(fences) <= {"```python"}, "code that no test runs"
    assert len(fences) == len(BLOCK.findall(text)), "a block within a list or quote"


def test_pages_are_found():
    assert {"index.md", "user_guide/mil.md", "guides/performance.md"} <= set(PAGES)
    assert set(SAYS) <= set(PAGES)
    assert set(ELSEWHERE) <= set(OURS)
    assert all((DOCS.parent / test).is_file() for test in ELSEWHERE.values())


# -- what the comments say about results -----------------------------------------------


def says_bags(said, text):
    assert repr(said["bags"]) in text
    assert said["model"].score(said["test"], said["y_test"]) > 0.8
    assert said["tabled"].feature_names == ("area",)
    assert said["tumour"].tolist() == [1, 0, 0]
    assert said["report"].results["verdict"].tolist() == ["broken"]
    assert said["robust"].classes_.tolist() == [0, 1]
    assert said["several"].instance_scores(said["test"])[0].shape[1] == 3
    assert said["grades"].predict_proba(said["test"]).shape == (60, 3)
    assert isinstance(said["Gradient"]("slide.svs"), said["SlideReader"])
    assert "1 bags, 20 instances" in repr(said["grid"].fit_transform(["slide.svs"]))
    X, patients = said["slides"], said["slides"].groups
    for train, test in said["by_patient"].split(X, said["y"], patients):
        assert not set(patients[train]) & set(patients[test])


def says_domains(said, text):
    assert sorted(set(said["stacked"][2].tolist())) == [-1, 1, 2]
    assert list(said["unpack_domains"](*said["stacked"])) == [-1, 1, 2]
    assert said["named"].domains_.tolist() == ["Basel", "Chur"]
    assert said["several"].domains_.tolist() == [1, 0, -1, -2]
    first, last = said["dann"].lambda_path_[[0, -1]]
    assert first < 0.1 < 0.29 < last <= 0.3
    assert "reverse_validation_source_only" in said["checked"].adaptation_report_
    assert any("Shares of classes" in str(w.message) for w in said["caught"])
    assert said["images"].shape == (1797, 8, 8)
    assert len(said["search"].cv_results_["params"]) == 2


SAYS = {
    "user_guide/mil.md": says_bags,
    "user_guide/domain_adaptation.md": says_domains,
}
