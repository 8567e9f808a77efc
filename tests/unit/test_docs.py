"""What the guide on bags says is so: its tables, mistakes and examples."""

import inspect
import json
import re
import runpy
from itertools import pairwise
from pathlib import Path

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
from mlmi_sklearn.components import list_components
from mlmi_sklearn.components.naming import BUILTIN_DIST
from mlmi_sklearn.containers import Bags
from mlmi_sklearn.datasets import make_digit_bags

ROOT = Path(__file__).parents[2]
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
