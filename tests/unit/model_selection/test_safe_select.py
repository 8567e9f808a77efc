"""Selection without target labels: when adaptation wins, when it must not."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn import get_config
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn.exceptions import DomainWarning
from mlmi_sklearn.model_selection import safe_select
from mlmi_sklearn.model_selection.candidates import adaptation_off, make_candidates

GRID = {"lambda_": [0.5, 1.0]}


def accuracy(model, X, y, domain):
    return (model.predict(X[domain < 0]) == y[domain < 0]).mean()


@pytest.mark.parametrize("scoring", ["reverse", "im"])
def test_adaptation_that_helps_is_chosen(projector, helpful, scoring):
    X, y, domain = helpful
    with warnings.catch_warnings():
        warnings.simplefilter("error", DomainWarning)
        found = safe_select(
            projector(), GRID, X, y, domain, scoring=scoring, random_state=0
        )
    assert not found.chose_control
    assert found.best_params_["lambda_"] > 0
    alone = projector(lambda_=0).fit(X, y, domain)
    adapted = accuracy(found.best_estimator_, X, y, domain)
    assert adapted > accuracy(alone, X, y, domain) + 0.2
    assert str(found).startswith("Adaptation chosen")


@pytest.mark.parametrize("scoring", ["reverse", "im", "bnm", "source"])
def test_adaptation_that_harms_is_not_chosen(projector, harmful, scoring):
    X, y, domain = harmful
    with pytest.warns(DomainWarning, match="source alone, was chosen"):
        found = safe_select(
            projector(), GRID, X, y, domain, scoring=scoring, random_state=0
        )
    assert found.chose_control
    assert found.best_params_ == {"lambda_": 0, "entropy": 0}
    alone = projector(lambda_=0).fit(X, y, domain)
    assert_array_equal(found.best_estimator_.predict(X), alone.predict(X))


def test_reverse_validation_guards_other_scores(projector, harmful):
    X, y, domain = harmful

    def fooled(estimator, X, y, sample_domain):
        return estimator.lambda_

    with pytest.warns(DomainWarning, match="worse by reverse validation"):
        found = safe_select(
            projector(), {"lambda_": [1]}, X, y, domain, scoring=fooled, random_state=0
        )
    assert found.chose_control
    guarded = found.table[~found.table["control"]]
    assert (guarded["reverse_gain"] + guarded["reverse_se"] < 0).all()


def test_the_table(projector, helpful):
    X, y, domain = helpful
    found = safe_select(
        projector(), {**GRID, "C": [0.1, 1.0]}, X, y, domain, random_state=0
    )
    table = found.table
    assert table["control"].tolist() == [True] * 2 + [False] * 4
    assert table["chosen"].sum() == 1
    assert set(table["C"]) == {0.1, 1.0}
    assert table[["lambda_", "entropy"]][table["control"]].eq(0).all(axis=None)
    # Gains are over the better control, whose own gain is 0.
    controls = table[table["control"]]
    assert controls["gain"].max() == 0
    assert controls["score"].idxmax() == controls["gain"].idxmax()
    assert table["score"].idxmax() == table["chosen"].idxmax()
    assert (table["sd"] >= 0).all()


def test_an_empty_grid_asks_whether_to_adapt(projector, helpful, harmful):
    assert not safe_select(projector(), {}, *helpful, random_state=0).chose_control
    with pytest.warns(DomainWarning):
        assert safe_select(projector(), {}, *harmful, random_state=0).chose_control


def test_only_the_control_is_left(projector, helpful):
    with pytest.warns(DomainWarning, match="no other candidate"):
        found = safe_select(projector(), {"lambda_": [0]}, *helpful, random_state=0)
    assert len(found.table) == 1


def test_a_large_margin_is_never_reached(projector, helpful):
    with pytest.warns(DomainWarning, match="differs from it by"):
        found = safe_select(projector(), GRID, *helpful, margin=1.0, random_state=0)
    assert found.chose_control


@pytest.mark.parametrize("scoring", ["reverse", "im"])
def test_target_labels_do_not_matter(projector, helpful, scoring):
    X, y, domain = helpful
    other = y.copy()
    other[domain < 0] = 1 - other[domain < 0]
    before = other.copy()
    tables = [
        safe_select(
            projector(), GRID, X, labels, domain, scoring=scoring, random_state=0
        ).table
        for labels in (y, other)
    ]
    assert tables[0].equals(tables[1])
    assert_array_equal(other, before)


def test_pipelines_strings_and_names_of_domains(projector, helpful):
    X, y, domain = helpful
    labels = np.array(["ill", "well"])[y]
    names = np.where(domain < 0, "new", "old")
    model = make_pipeline(StandardScaler(), projector(target_domains=["new"]))
    found = safe_select(
        model, {"projector__lambda_": [1.0]}, X, labels, names, random_state=0
    )
    assert not found.chose_control
    best = found.best_estimator_
    assert best[-1].target_domains == ["new"]
    assert_array_equal(best[-1].domains_, ["new", "old"])
    assert_array_equal(best.classes_, ["ill", "well"])
    assert model[-1].lambda_ == 1.0
    assert get_config()["enable_metadata_routing"] is False


def test_markers_in_y_stand_in_for_ids(projector, helpful):
    X, y, domain = helpful
    masked = np.where(domain < 0, -1, y)
    found = safe_select(projector(), GRID, X, masked, random_state=0)
    given = safe_select(projector(), GRID, X, y, domain, random_state=0)
    assert found.table.equals(given.table)


def test_the_seed_decides_and_jobs_do_not(projector, helpful):
    def table(**options):
        return safe_select(projector(), GRID, *helpful, **options).table

    first = table(random_state=0)
    assert first.equals(table(random_state=0, n_jobs=1))
    assert not first.equals(table(random_state=1))


def test_a_candidate_that_fails_is_out_and_a_control_that_fails_is_an_error(
    projector, helpful
):
    with pytest.warns(FitFailedWarning, match="unlucky"):
        found = safe_select(
            projector(), {"lambda_": [13, 1.0]}, *helpful, random_state=0
        )
    assert found.table["score"].isna().tolist() == [False, True, False]
    assert found.best_params_ == {"lambda_": 1.0}
    with pytest.raises(RuntimeError, match="unlucky"):
        safe_select(
            projector(), GRID, *helpful, control={"lambda_": 13}, random_state=0
        )
    with (
        pytest.warns(FitFailedWarning),
        pytest.warns(DomainWarning, match="no other candidate that could be fitted"),
    ):
        safe_select(projector(), {"lambda_": [13]}, *helpful, random_state=0)


def test_candidates():
    class Any(LogisticRegression):
        pass

    with pytest.raises(ValueError, match="control="):
        adaptation_off(Any())
    found = make_candidates(Any(), {"C": [1, 2]}, {"C": 0.5})
    assert [c.params["C"] for c in found] == [0.5, 1, 2]


def test_zero_lambda_with_entropy_is_no_control(projector):
    found = make_candidates(projector(entropy=0.1), {"lambda_": [0]}, None)
    assert [c.is_control for c in found] == [True, False]
    found = make_candidates(projector(), [{"lambda_": [0, 1]}, {"lambda_": [1]}], None)
    assert sum(c.is_control for c in found) == 1


@pytest.mark.parametrize(
    ("error", "options", "message"),
    [
        (ValueError, {"margin": -1}, "margin"),
        (ValueError, {"n_repeats": 1}, "n_repeats"),
        (ValueError, {"validation_fraction": 1.0}, "validation_fraction"),
        (ValueError, {"scoring": "nonsense"}, "nonsense"),
        (ValueError, {"sample_domain": None}, "pass sample_domain"),
    ],
)
def test_errors_name_the_argument(projector, helpful, error, options, message):
    X, y, domain = helpful
    with pytest.raises(error, match=message):
        safe_select(projector(), GRID, X, y, **{"sample_domain": domain, **options})
