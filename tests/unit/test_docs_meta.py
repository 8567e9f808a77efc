"""What the guide on meta-learning says is so: tables, mistakes, remedies."""

import inspect
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mlmi_sklearn.meta_learning
from mlmi_sklearn import (
    MAMLClassifier,
    MAMLRegressor,
    NetClassifier,
    few_shot_score,
    find_component,
    list_components,
    search_tasks,
    transfer_setting,
)
from mlmi_sklearn.components.naming import BUILTIN_DIST
from mlmi_sklearn.datasets import make_sinusoid_tasks
from mlmi_sklearn.exceptions import TaskWarning
from mlmi_sklearn.nn.tasks import NORM_POLICIES, TASK_HEADS

PAGE = Path(__file__).parents[2] / "docs" / "user_guide" / "meta_learning.md"
TEXT = PAGE.read_text()
README = (PAGE.parents[2] / "README.md").read_text()
PROSE = re.sub(r"^```python\n(.*?)^```", "", TEXT, flags=re.MULTILINE | re.DOTALL)


def table_under(header):
    """Return the cells of the table whose header row begins so."""
    after = PROSE[PROSE.index(header) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in after]


def names_under(header):
    """Return the first column, without the marks of code."""
    return [row[0].strip('`"') for row in table_under(header)]


def regressor(**params):
    return MAMLRegressor(max_epochs=1, finetune_steps=1, random_state=0, **params)


def classifier(**params):
    short = {"n_way": 3, "episodes_per_epoch": 16, "finetune_steps": 1}
    return MAMLClassifier(max_epochs=1, random_state=0, **{**short, **params})


def routed(function):
    with config_context(enable_metadata_routing=True):
        return function()


@pytest.fixture(scope="module")
def curves():
    return make_sinusoid_tasks(12, 20, random_state=0)


@pytest.fixture(scope="module")
def fitted(curves):
    X, y, groups = curves
    return regressor().fit(X, y, groups=groups)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X, y, classifier().fit(X[y < 7], y[y < 7])


# -- contents --------------------------------------------------------------------------


def test_sections_follow_the_contents():
    listed = re.findall(r"^- \[(.+?)\]\(#", TEXT, re.MULTILINE)
    assert listed == re.findall(r"^## (.+)$", PROSE, re.MULTILINE)
    places = [TEXT.index(f"\n## {title}\n") for title in listed]
    assert all(a < b for a, b in pairwise(places))


def test_every_name_of_the_family_is_mentioned():
    shown = {
        "AdaptedClassifier",
        "AdaptedRegressor",
        "MAMLEstimator",
    }  # by adapt, kinds
    missing = [n for n in mlmi_sklearn.meta_learning.__all__ if n not in TEXT]
    assert set(missing) <= shown


def test_parameters_of_the_estimator_are_mentioned():
    own = inspect.signature(MAMLClassifier).parameters
    common = inspect.signature(NetClassifier).parameters
    missing = [n for n in own if n not in common and n not in TEXT]
    assert missing == []


def test_the_table_of_methods_is_that_of_the_package():
    rows = {row[0].strip('`"'): row for row in table_under("| `method=` |")}
    parts = [p for p in list_components("meta-method") if p.dist == BUILTIN_DIST]
    assert set(rows) == {part.name for part in parts}
    says = {"all weights": "all", "the head": "head", "all but the head": "body"}
    for name, row in rows.items():
        method = find_component("meta-method", name).load()()
        assert says[row[1]] == method.adapts, name
        second = method.second_order
        assert ("second order" in row[2]) <= second, name
        assert ("without second" in row[2]) <= (not second), name


def test_the_tables_of_heads_and_norms_are_those_of_the_package():
    assert names_under("| `head=` |") == list(TASK_HEADS)
    assert names_under("| `norm=` |") == list(NORM_POLICIES)


def test_the_table_of_settings_is_what_transfer_setting_says():
    found = {
        (True, True, False, False): "multi-task learning",
        (False, True, True, False): "self-taught learning",
        (True, True, True, False): "semi-supervised domain adaptation",
        (True, False, True, False): "domain adaptation",
        (True, False, True, True): "sample selection bias",
        (False, False, True, False): "unsupervised",
    }
    rows = {row[4]: row for row in table_under("| setting | labels")}
    for (source, target, task, domain), name in found.items():
        setting = transfer_setting(
            labelled_source=source,
            labelled_target=target,
            same_task=task,
            same_domain=domain,
        )
        assert setting.name == name
        row = rows.get(name, rows["clustering, dimension reduction"])
        assert row[0] == setting.setting
        assert (row[1], row[2]) == tuple("yes" if x else "no" for x in (source, target))
        named = set(re.findall(r"`(\w+)`", row[5]))
        assert named <= set(setting.estimators)
    few = rows["few-shot learning, meta-learning"]
    assert few[0] == transfer_setting(few_shot=True).setting
    assert set(re.findall(r"`(\w+)`", few[5])) <= set(
        transfer_setting(few_shot=True).estimators
    )


# -- the table of ways -----------------------------------------------------------------


def test_searches_lose_groups_as_the_table_says(curves):
    X, y, groups = curves

    def search(**params):
        tool = GridSearchCV(regressor(**params), {"inner_steps": [1]}, cv=GroupKFold(2))
        return tool.fit(X, y, groups=groups).best_estimator_.n_tasks_

    with pytest.warns(TaskWarning, match="has no tasks to learn from"):
        assert search() == 1
    assert routed(search) == 12
    assert routed(lambda: search(episodes="groups")) == 12
    kept = np.column_stack([groups, X])
    by_column = GridSearchCV(regressor(task=0), {"inner_steps": [1]}, cv=KFold(2))
    assert by_column.fit(kept, y).best_estimator_.n_tasks_ == 12

    def with_splitter():
        model = regressor(task=0).set_fit_request(groups=False)
        model.set_score_request(groups=False)
        tool = GridSearchCV(model, {"inner_steps": [1]}, cv=GroupKFold(2))
        return tool.fit(kept, y, groups=groups).best_estimator_.n_tasks_

    assert routed(with_splitter) == 12


def test_cross_validate_takes_params_as_the_table_says(curves):
    X, y, groups = curves
    found = routed(
        lambda: cross_validate(
            regressor(episodes="groups"),
            X,
            y,
            cv=GroupKFold(2),
            params={"groups": groups},
            error_score="raise",
        )
    )
    assert np.isfinite(found["test_score"]).all()


def test_the_column_survives_a_pipeline_as_the_table_says(curves):
    X, y, groups = curves
    frame = pd.DataFrame({"x": X[:, 0], "curve": groups})
    scale = make_column_transformer(
        (StandardScaler(), ["x"]),
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    model = make_pipeline(scale, regressor(task="curve")).fit(frame, y)
    assert model[-1].n_tasks_ == 12
    plainly = make_pipeline(StandardScaler(), regressor(task="curve"))
    with pytest.raises(ValueError, match="X has no column names"):
        plainly.fit(frame, y)


def test_groups_are_for_the_splitter_alone_where_classes_are_drawn(digits):
    X, y, _ = digits
    model = classifier(episodes="classes").fit(X, y, groups=np.arange(len(y)) % 3)
    assert model.n_tasks_ == 1


# -- norms -----------------------------------------------------------------------------


@pytest.mark.parametrize("row", table_under("| `norm=` |"), ids=lambda row: row[0])
def test_predictions_depend_on_what_the_table_says(row):
    X, y = load_digits(return_X_y=True)
    images = X.reshape(-1, 8, 8)
    model = classifier(norm=row[0].strip('`"')).fit(images[y < 5], y[y < 5])
    new = np.flatnonzero(y > 6)
    adapted = model.adapt(images[new[:15]], y[new[:15]])
    alone = adapted.predict_proba(images[new[20:30]])
    together = adapted.predict_proba(images[new[20:60]])[:10]
    assert np.allclose(alone, together, atol=1e-5) == (row[2] == "the row alone")


# -- the table of mistakes -------------------------------------------------------------

MISTAKES = {
    "but no row names its task": lambda X, y, g, m, d: GridSearchCV(
        regressor(episodes="groups"), {}, cv=GroupKFold(2), error_score="raise"
    ).fit(X, y, groups=g),
    "Pipeline.fit does not accept the groups parameter": lambda X, y, g, m, d: (
        make_pipeline(StandardScaler(), regressor()).fit(X, y, groups=g)
    ),
    "Tasks are named twice": lambda X, y, g, m, d: regressor(task=0).fit(
        np.column_stack([g, X]), y, groups=g
    ),
    "is not a column of X": lambda X, y, g, m, d: regressor(task="curv").fit(
        pd.DataFrame({"x": X[:, 0], "curve": g}), y
    ),
    "X has no column names": lambda X, y, g, m, d: regressor(task="curve").fit(X, y),
    "missing ids. Name a task for each row": lambda X, y, g, m, d: regressor().fit(
        X, y, groups=np.where(g == 1, np.nan, g)
    ),
    "Pass one id of a task for each row": lambda X, y, g, m, d: regressor().fit(
        X, y, groups=np.unique(g)
    ),
    "draws tasks from classes, but this is a regression": lambda X, y, g, m, d: (
        regressor(episodes="classes").fit(X, y)
    ),
    "but head='learned' has scores for": lambda X, y, g, m, d: d[2].adapt(
        d[0][:50], d[1][:50]
    ),
    "Regression has no classes to make tasks of": lambda X, y, g, m, d: few_shot_score(
        m, X, y
    ),
    "An episode needs n_way=5 classes": lambda X, y, g, m, d: few_shot_score(
        d[2], d[0][d[1] > 6], d[1][d[1] > 6]
    ),
    "none of the 12 groups has that": lambda X, y, g, m, d: few_shot_score(
        m, X, y, g, n_shot=20
    ),
    "a held-out task must be new": lambda X, y, g, m, d: search_tasks(
        regressor(), {}, X, y, g, cv=KFold(2, shuffle=True, random_state=0)
    ),
    "but the prior was trained on samples of shape": lambda X, y, g, m, d: m.adapt(
        d[0][:5], y[:5]
    ),
    "matches no parameter": lambda X, y, g, m, d: m.adapt(
        X[:5], y[:5], freeze="bakbone.*"
    ),
    "Invalid parameter 'inner_rate'": lambda X, y, g, m, d: m.adapt(
        X[:5], y[:5], inner_rate=0.1
    ),
    "'Pipeline' object has no attribute 'adapt'": lambda X, y, g, m, d: make_pipeline(
        StandardScaler(), m
    ).adapt(X[:5], y[:5]),
    "or the score needs more rows": lambda X, y, g, m, d: few_shot_score(
        m, X, y, g, n_shot=19, n_query=1, n_episodes=2
    ),
    "unexpected keyword argument 'backbone__hidden'": lambda X, y, g, m, d: (
        MAMLRegressor(backbone__hidden=(64,))
    ),
}


@pytest.mark.filterwarnings("ignore:R.2 score is not well-defined")
@pytest.mark.parametrize("symptom", MISTAKES)
def test_symptom_is_what_users_see(symptom, curves, fitted, digits):
    assert f"`{symptom}`" in TEXT
    with pytest.raises(Exception, match=re.escape(symptom)):
        MISTAKES[symptom](*curves, fitted, digits)


def test_symptoms_that_are_no_errors(curves, fitted, digits):
    X, y, groups = curves
    assert "`groups are left out` (a warning)" in TEXT
    with pytest.warns(UserWarning, match="groups are left out"):
        few_shot_score(
            fitted,
            np.concatenate([X, X[:1]]),
            np.append(y, 0.0),
            np.append(groups, 99),
            n_shot=2,
            n_episodes=2,
        )
    assert "`has no tasks to learn from` (a warning)" in TEXT
    with pytest.warns(TaskWarning, match="has no tasks to learn from"):
        regressor().fit(X, y)
    images, labels, model = digits
    assert set(model.predict(images[labels == 9])) <= set(range(7))


def test_every_symptom_in_code_is_tested():
    rows = table_under("| symptom | cause | remedy |")
    quoted = {row[0].strip("`") for row in rows if re.fullmatch(r"`[^`]+`", row[0])}
    assert quoted == set(MISTAKES)


def test_remedies_work(curves, fitted):
    X, y, groups = curves
    lengths = np.bincount(groups)
    regressor().fit(X, y, groups=np.repeat(np.unique(groups), lengths))
    make_pipeline(StandardScaler(), regressor()).fit(X, y, mamlregressor__groups=groups)
    error = few_shot_score(
        fitted, X, y, groups, n_shot=19, n_query=1, n_episodes=2,
        scoring="neg_mean_absolute_error",
    )  # fmt: skip
    assert error.mean < 0
    assert fitted.adapt(X[:5], y[:5], freeze="backbone.*").predict(X).shape == y.shape


# -- the README ------------------------------------------------------------------------


def test_a_whole_study_in_the_readme_has_ten_lines_at_most():
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    (study,) = (block for block in blocks if "search_tasks(" in block)
    assert len([line for line in study.splitlines() if line.strip()]) <= 10
    names = {}
    # Shorter; test_readme runs it as it is.
    exec(study.replace("episodes_per_epoch=20", "episodes_per_epoch=4"), names)
    assert not set(names["y"]) & set(names["y_new"])
    assert set(names["found"].best_params_) == {"distance"}
    score = names["score"]
    assert str(score).endswith("(100 episodes, 5-way 5-shot)")
    assert score.mean - score.ci95 > 0.3
