"""What the user guide says is so: its code runs, its tables agree with the package."""

import inspect
import json
import re
import runpy
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn import BagStatistics, InstanceWise, MILClassifier, find_component
from mlmi_sklearn import __all__ as PUBLIC
from mlmi_sklearn.components import list_components, unregister_component
from mlmi_sklearn.components.naming import BUILTIN_DIST
from mlmi_sklearn.containers import Bags
from mlmi_sklearn.datasets import make_digit_bags

ROOT = Path(__file__).parents[2]
GUIDE = sorted((ROOT / "docs" / "user_guide").glob("*.md"))
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*/plot_*.py"))
TEXT = (ROOT / "docs" / "user_guide" / "mil.md").read_text()
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def _no_windows():
    before = matplotlib.get_backend()
    matplotlib.use("Agg")
    yield
    plt.close("all")
    matplotlib.use(before)


class Page:
    """The blocks of a page, run in order in one module, up to the one asked for.

    It is a module, so that classes which a page defines can be pickled.
    """

    def __init__(self, path):
        self.path, self.done, text = path, 0, path.read_text()
        self.module = ModuleType(f"user_guide_{path.stem}")
        self.blocks = [
            # Empty lines before, so that tracebacks name the line of the page.
            "\n" * text.count("\n", 0, match.start(1)) + match[1]
            for match in BLOCK.finditer(text)
        ]

    def run(self, number):
        while self.done <= number:
            code = compile(self.blocks[self.done], str(self.path), "exec")
            exec(code, vars(self.module))
            self.done += 1

    @property
    def names(self):
        self.run(len(self.blocks) - 1)
        return vars(self.module)


@pytest.fixture(scope="module")
def pages():
    made = {path.stem: Page(path) for path in GUIDE}
    for page in made.values():
        sys.modules[page.module.__name__] = page.module
    yield made
    for page in made.values():
        del sys.modules[page.module.__name__]
    for kind, name in [("pooling", "max-mean"), ("divergence", "distance-of-means")]:
        if any(part.name == name for part in list_components(kind)):
            unregister_component(kind, name)


NUMBERS = [(p.stem, n) for p in GUIDE for n in range(len(Page(p).blocks))]


@pytest.mark.parametrize(("stem", "number"), NUMBERS)
def test_block_runs(stem, number, pages):
    pages[stem].run(number)


def test_what_the_comments_say_about_results(pages):
    said = pages["mil"].names
    assert repr(said["bags"]) in TEXT
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


def test_what_the_comments_say_about_domains(pages):
    said = pages["domain_adaptation"].names
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


@pytest.mark.parametrize("page", GUIDE, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    text = page.read_text()
    titles = re.findall(r"^#+ (.+)$", BLOCK.sub("", text), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", t.lower()).replace(" ", "-") for t in titles}
    targets = re.findall(r"\]\(([^)]+)\)", BLOCK.sub("", text))
    assert targets
    for target in targets:
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif "://" not in target:
            assert (page.parent / target).exists(), target


# -- tables ----------------------------------------------------------------------------


def table_under(header):
    """Return the cells of the table whose header row begins so."""
    after = TEXT[TEXT.index(header) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in after]


def test_the_table_of_poolings_is_that_of_the_package():
    rows = {row[0].strip("`"): row for row in table_under("| pooling | score of")}
    parts = [part for part in list_components("pooling") if part.dist == BUILTIN_DIST]
    assert set(rows) == {part.name for part in parts}
    for name, row in rows.items():
        part = find_component("pooling", name)
        assert (row[2] == "yes") == part.tags["monotone"], name
        taken = set(inspect.signature(part.load()).parameters)
        taken -= {"in_features", "n_outputs"}
        assert set(re.findall(r"`(\w+)`", row[3])) == taken, name


def test_poolings_that_see_features_come_last_and_are_seven():
    assert "first eight rows" in TEXT
    assert "the last seven" in TEXT
    rows = [row[0].strip("`") for row in table_under("| pooling | score of")]
    bags, y = make_digit_bags(n_bags=8, random_state=0)
    pools = []
    for name in rows:
        fitted = MILClassifier(pooling=name, max_epochs=1, random_state=0).fit(bags, y)
        pools.append(fitted.net_.module_.pools_scores)
    assert pools == [True] * 8 + [False] * 7


def test_every_name_of_the_family_is_mentioned():
    here = ("Bag", "MI", "Citation", "Normalized", "Single", "Tile", "check_mil")
    missing = [n for n in PUBLIC if n.startswith(here) and f"{n}" not in TEXT]
    assert missing == []


def test_the_table_of_memory_is_that_of_the_benchmark():
    facts = json.loads((ROOT / "benchmarks/results/mil_memory.json").read_text())
    rows = table_under("| slides passed as")
    for row, peaks in zip(rows, facts["peaks_mb"].values(), strict=True):
        assert [int(cell) for cell in row[1:]] == [
            round(peaks["fit"]),
            round(peaks["predict"]),
        ]
    assert f"{facts['slide_mb']:.0f} MB" in TEXT


# -- the table of mistakes -------------------------------------------------------------


@pytest.fixture(scope="module")
def data():
    bags, y = make_digit_bags(n_bags=12, random_state=0)
    return bags, y, MILClassifier(max_epochs=1, random_state=0).fit(bags, y)


MISTAKES = {
    "unexpected keyword argument 'backbone__hidden'": lambda bags, y, model: (
        MILClassifier(backbone__hidden=(64,))
    ),
    "y has one entry for each instance": lambda bags, y, model: model.fit(
        bags, np.repeat(y, bags.lengths)
    ),
    "The rows of a 2-D array are bags of one instance": lambda bags, y, model: (
        model.fit(bags.values, y)
    ),
    "looks like a long frame with one row per instance": lambda bags, y, model: (
        model.fit(bags.to_frame(), y)
    ),
    "cannot become float64": lambda bags, y, model: StandardScaler().fit(bags),
    "The 'groups' parameter should not be None": lambda bags, y, model: cross_val_score(
        model, bags, y, cv=GroupKFold(2), error_score="raise"
    ),
    "Input X contains NaN": lambda bags, y, model: model.fit(
        bags.with_values(np.where(bags.values > 0.9, np.nan, bags.values)), y
    ),
    "X holds sparse instances": lambda bags, y, model: model.fit(
        Bags(csr_array(bags.values), bags.lengths), y
    ),
    "which has them last": lambda bags, y, model: model.fit(
        Bags(np.zeros((12, 16, 16, 3)), np.ones(12, int)), y
    ),
    "Training diverged": lambda bags, y, model: MILClassifier(
        optimizer="sgd", lr=1e9, max_epochs=30
    ).fit(bags, y),
    "'Pipeline' object has no attribute 'instance_scores'": lambda bags, y, model: (
        make_pipeline(InstanceWise(), model).instance_scores(bags)
    ),
    "Invalid parameter 'k' for pooling 'max'": lambda bags, y, model: (
        MILClassifier(pooling="max", max_epochs=1).set_params(pooling__k=5).fit(bags, y)
    ),
}


@pytest.mark.parametrize("symptom", MISTAKES)
def test_symptom_is_what_users_see(symptom, data):
    assert f"`{symptom}`" in TEXT
    with pytest.raises(Exception, match=re.escape(symptom)):
        MISTAKES[symptom](*data)


def test_symptoms_that_are_no_errors(data):
    bags, y, model = data
    wanted = f"each of its {bags.lengths[0]} rows is read as a bag of one instance"
    with pytest.warns(UserWarning, match=wanted):
        model.predict(bags[0])
    frame = pd.DataFrame({"slide": [1, 1, 2], "tumour": [0, 0, 1], "area": [3, 4, 5]})
    leaking, _ = Bags.from_frame(frame, bag="slide")
    assert leaking.feature_names == ("tumour", "area")
    importance = permutation_importance(model, bags, y, n_repeats=1, random_state=0)
    assert importance.importances_mean.shape == (1,)
    three = np.resize([-1, 0, 1], len(y))
    fitted = MILClassifier(max_epochs=1, random_state=0).fit(bags, three)
    assert fitted.classes_.tolist() == [0, 1]


def test_remedies_work(data):
    bags, y, model = data
    grouped = Bags(bags.values, bags.lengths, groups=np.arange(12) // 2)
    folds = GroupKFold(2)
    found = cross_val_score(model, grouped, y, groups=grouped.groups, cv=folds)
    assert found.shape == (2,)
    images = Bags(np.zeros((12, 16, 16, 3), np.float32), np.ones(12, int))
    turned = images.with_values(images.values.transpose(0, 3, 1, 2))
    MILClassifier(max_epochs=1).fit(turned, y)
    assert model.predict([bags[0]]).shape == (1,)
    net = MILClassifier(max_epochs=1).set_params(pooling="top-k", pooling__k=5)
    net.fit(bags, y)
    assert BagStatistics().fit_transform(bags).shape == (12, 3 * 64)


# -- examples --------------------------------------------------------------------------


def run_quickly(example, monkeypatch, capsys):
    monkeypatch.setenv("MLMI_SKLEARN_QUICK", "1")
    with matplotlib.rc_context():
        runpy.run_path(str(example), run_name="__main__")
    return capsys.readouterr().out


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_draws(example, monkeypatch, capsys):
    assert run_quickly(example, monkeypatch, capsys)
    assert plt.get_fignums()
    title, line = inspect.cleandoc(example.read_text().split('"""')[1]).splitlines()[:2]
    assert line == "=" * len(title)
    picture = ROOT / "docs/user_guide/images" / f"{example.stem[5:]}.png"
    assert 0 < picture.stat().st_size <= 150_000


def test_nuclei_example_without_the_data(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("MLMI_SKLEARN_NUCLEI", str(tmp_path))
    (example,) = (path for path in EXAMPLES if path.stem == "plot_nuclei_heat_map")
    out = run_quickly(example, monkeypatch, capsys)
    assert f"No nuclei in {tmp_path}: using a synthetic tissue instead." in out


def test_which_instances_says_what_is_true(monkeypatch, capsys):
    (example,) = (path for path in EXAMPLES if path.stem == "plot_which_instances")
    out = run_quickly(example, monkeypatch, capsys)
    assert "bag score equals best instance, exactly: True" in out
    assert "attention sums to 1.0" in out


def test_sections_follow_the_contents():
    listed = re.findall(r"^- \[(.+?)\]\(#", TEXT, re.MULTILINE)
    titles = re.findall(r"^## (.+)$", BLOCK.sub("", TEXT), re.MULTILINE)
    assert listed == titles
    places = [TEXT.index(f"\n## {title}\n") for title in titles]
    assert all(a < b for a, b in pairwise(places))
