"""What the guide on domain adaptation says is so: tables, mistakes, remedies."""

import inspect
import re
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from sklearn import config_context
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import mlmi_sklearn.domain_adaptation
from mlmi_sklearn import DANNClassifier, MMEClassifier, find_component, list_components
from mlmi_sklearn.components.naming import BUILTIN_DIST
from mlmi_sklearn.exceptions import DomainWarning
from mlmi_sklearn.metrics import im_scorer, target_scorer
from mlmi_sklearn.metrics.domain_scorers._make import SCORERS
from mlmi_sklearn.model_selection import DomainStratifiedKFold, LeaveOneDomainOut

PAGE = Path(__file__).parents[2] / "docs" / "user_guide" / "domain_adaptation.md"
TEXT = PAGE.read_text()
PROSE = re.sub(r"^```python\n(.*?)^```", "", TEXT, flags=re.MULTILINE | re.DOTALL)


def table_under(header):
    """Return the cells of the table whose header row begins so."""
    after = PROSE[PROSE.index(header) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in after]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    ids = np.repeat([0, -1], 60)
    y = rng.integers(3, size=120)
    X = rng.normal(size=(120, 4)) + np.eye(4)[y] * 3
    X[ids < 0] += [0.0, 0.0, 0.0, 2.0]
    return X, y, ids


def net(**params):
    return DANNClassifier(max_epochs=1, diagnostics=False, random_state=0, **params)


def routed(function):
    with config_context(enable_metadata_routing=True):
        return function()


# -- contents --------------------------------------------------------------------------


def test_sections_follow_the_contents():
    listed = re.findall(r"^- \[(.+?)\]\(#", TEXT, re.MULTILINE)
    assert listed == re.findall(r"^## (.+)$", PROSE, re.MULTILINE)
    places = [TEXT.index(f"\n## {title}\n") for title in listed]
    assert all(a < b for a, b in pairwise(places))


def test_every_name_of_the_family_is_mentioned():
    missing = [n for n in mlmi_sklearn.domain_adaptation.__all__ if n not in TEXT]
    assert missing == []


def test_parameters_of_the_estimator_are_mentioned():
    own = inspect.signature(DANNClassifier).parameters
    common = inspect.signature(mlmi_sklearn.NetClassifier).parameters
    missing = [n for n in own if n not in common and n not in TEXT]
    assert missing == []


def test_the_table_of_divergences_is_that_of_the_package():
    rows = {row[0].strip("`"): row for row in table_under("| `divergence=`")}
    parts = [p for p in list_components("divergence") if p.dist == BUILTIN_DIST]
    assert set(rows) == {part.name for part in parts}
    for name, row in rows.items():
        part = find_component("divergence", name)
        assert (row[2] == "yes") == part.tags["adversarial"], name
        taken = set(inspect.signature(part.load()).parameters)
        taken -= {"in_features", "n_classes", "n_domains"}
        assert set(re.findall(r"`(\w+)`", row[3])) == taken, name


def test_the_table_of_scores_is_that_of_the_package():
    rows = table_under("| name | asks | catch |")
    assert {row[0].strip('`"') for row in rows} == set(SCORERS)
    assert all(row[2] for row in rows)  # each has its catch


# -- the table of ways -----------------------------------------------------------------


def test_pipelines_treat_the_ways_as_the_table_says(data):
    X, y, ids = data
    source, target = ids >= 0, ids < 0
    X = np.where(target[:, None], X + 100, X)

    def mean_of_scaler(pipeline):
        return float(np.abs(pipeline[0].mean_).mean())

    def steps(last):
        return [("scale", StandardScaler()), ("net", last)]

    off = Pipeline(steps(net())).fit(X[source], y[source], net__X_target=X[target])
    assert mean_of_scaler(off) < 5
    assert off[-1].n_target_ == 60  # not scaled, and nothing was said
    both = Pipeline(steps(net())).fit(X, y, net__sample_domain=ids)
    assert mean_of_scaler(both) > 40

    def fit():
        last = net().set_fit_request(X_target=True)
        pipeline = Pipeline(steps(last), transform_input=["X_target"])
        return pipeline.fit(X[source], y[source], X_target=X[target])

    scaled = off[0].transform(X)
    whole = net().fit(scaled[source], y[source], X_target=scaled[target])
    right, wrong = routed(fit)[-1], off[-1]
    assert (right.predict_proba(scaled) == whole.predict_proba(scaled)).all()
    assert (wrong.predict_proba(scaled) != whole.predict_proba(scaled)).any()


def test_ensembles_treat_the_ways_as_the_table_says(data):
    X, y, ids = data
    marked = np.where(ids < 0, -1, y)
    bag = routed(
        lambda: BaggingClassifier(net(), 2, random_state=0).fit(X, y, sample_domain=ids)
    )
    assert bag.estimators_[0].n_target_ > 0
    lost = BaggingClassifier(net(), 2, random_state=0).fit(X, marked)
    assert lost.estimators_[0].n_target_ == 0
    with pytest.raises(TypeError, match="sample_domain"):
        routed(
            lambda: StackingClassifier([("net", net())]).fit(X, y, sample_domain=ids)
        )


def test_searches_score_the_rows_that_the_table_says(data):
    X, y, ids = data
    marked = np.where(ids < 0, -1, y)

    def scores(scoring, labels, **params):
        cv = list(DomainStratifiedKFold(2, random_state=0).split(X, y, ids))
        grid = {"lambda_": [0.3]}
        search = GridSearchCV(net(), grid, cv=cv, scoring=scoring, refit=False)
        return search.fit(X, labels, **params).cv_results_["mean_test_score"][0]

    on_target = routed(lambda: scores(None, y, sample_domain=ids))
    assert on_target == routed(
        lambda: scores(target_scorer("accuracy"), y, sample_domain=ids)
    )
    mixed = scores(None, y, sample_domain=ids)
    assert mixed == scores("accuracy", y, sample_domain=ids) != on_target
    assert scores("accuracy", marked) < scores(None, marked)
    assert np.isfinite(scores(im_scorer, marked))
    assert np.isfinite(routed(lambda: scores(im_scorer, y, sample_domain=ids)))


# -- the table of mistakes -------------------------------------------------------------

MISTAKES = {
    "Pipeline.fit does not accept the sample_domain parameter": lambda X, y, ids: (
        make_pipeline(StandardScaler(), net()).fit(X, y, sample_domain=ids)
    ),
    "[X_target] are passed but are not explicitly set as requested": lambda X, y, ids: (
        routed(lambda: make_pipeline(net()).fit(X, y, X_target=X))
    ),
    "there are only rows of target domains": lambda X, y, ids: cross_val_score(
        net(), X, y, cv=KFold(2), params={"sample_domain": ids}, error_score="raise"
    ),
    "which do not say what is a target": lambda X, y, ids: net().fit(X, y, ids < 0),
    "sample_domain has shape": lambda X, y, ids: net().fit(X, y, ids[ids < 0]),
    "Pass either sample_domain, for rows of all domains in X, or X_target": (
        lambda X, y, ids: net().fit(X, y, ids, X_target=X)
    ),
    "This scorer was not told which rows are the target": lambda X, y, ids: im_scorer(
        net().fit(X, y, ids), X, y
    ),
    "DomainStratifiedKFold has to know which rows are the target": lambda X, y, ids: (
        cross_val_score(net(), X, y, cv=DomainStratifiedKFold(2))
    ),
    "LeaveOneDomainOut needs two domains of the source at least": lambda X, y, ids: (
        list(LeaveOneDomainOut().split(X, y, ids))
    ),
    "y holds no label to score": lambda X, y, ids: (
        net().fit(X, y, ids).score(X, np.full(len(y), -1))
    ),
    "unexpected keyword argument 'sample_domain'": lambda X, y, ids: (
        net().fit(X, y, ids).predict(X, sample_domain=ids)
    ),
    "unexpected keyword argument 'backbone__hidden'": lambda X, y, ids: DANNClassifier(
        backbone__hidden=(64,)
    ),
    "no divergence is called": lambda X, y, ids: net(divergence="dan").fit(X, y, ids),
    "Input X contains NaN": lambda X, y, ids: net().fit(
        np.where(X > 1, np.nan, X), y, ids
    ),
    "Training diverged": lambda X, y, ids: (
        net(lr=1e30, max_grad_norm=None).set_params(max_epochs=5).fit(X, y, ids)
    ),
}


@pytest.mark.parametrize("symptom", MISTAKES)
def test_symptom_is_what_users_see(symptom, data):
    assert f"`{symptom}`" in TEXT
    with pytest.raises(Exception, match=re.escape(symptom)):
        MISTAKES[symptom](*data)


def test_symptoms_that_are_no_errors(data):
    X, y, ids = data
    assert "`sample_domain names no row of a target` (a warning)" in TEXT
    with pytest.warns(DomainWarning, match="sample_domain names no row of a target"):
        net().fit(X, y, np.where(ids < 0, 2, 1))
    signs = np.where(ids < 0, -1, np.where(y > 0, 1, -1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain = net().fit(X, signs)
    assert (plain.n_target_, plain.classes_.tolist()) == (0, [-1, 1])
    again = net(lambda_=0).fit(X, signs)
    assert (plain.predict_proba(X) == again.predict_proba(X)).all()
    wrong = np.where(ids < 0, (y + 1) % 3, y)
    told = [
        MMEClassifier(max_epochs=1, diagnostics=False, random_state=0).fit(
            X, labels, ids
        )
        for labels in (y, wrong)
    ]
    assert (told[0].predict_proba(X) != told[1].predict_proba(X)).any()


def test_every_symptom_in_code_is_tested():
    rows = table_under("| symptom | cause | remedy |")
    quoted = {row[0].strip("`") for row in rows if row[0].startswith("`")}
    spoken = {q for q in quoted if q.endswith("(a warning)")}
    assert quoted - spoken == set(MISTAKES)
