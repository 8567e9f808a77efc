"""Plugins as a whole, the pytest decorators, and the strategies."""

import subprocess
import sys
from unittest import SkipTest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from mlmi_sklearn import MILClassifier, find_component
from mlmi_sklearn.components import PluginInfo
from mlmi_sklearn.components.component import Component
from mlmi_sklearn.nn.losses import MSE
from mlmi_sklearn.testing import (
    ContractError,
    bags,
    check_component,
    check_plugin,
    domain_data,
    labelled_bags,
    labelled_data,
    parametrize_with_component_checks,
    parametrize_with_mlmi_checks,
    plugins,
    tasks,
)


class SmallMIL(MILClassifier):
    """An estimator of a plugin that belongs to a family."""


class NoLink(MSE):
    link = None


def needs(size):
    return MSE()


@pytest.fixture
def toy_plugin(monkeypatch):
    """Return a function that pretends that a plugin with these parts is there."""

    def make(*parts, status="ok", error=None):
        info = PluginInfo("main", "mlmi-toy", "1.0", status, error, ())
        found = [Component(*part, dist="mlmi-toy") for part in parts]
        monkeypatch.setattr(plugins, "list_plugins", lambda: [info])
        monkeypatch.setattr(plugins, "list_components", lambda: found)

    return make


def test_a_sound_plugin_passes(toy_plugin):
    toy_plugin(("loss", "ours", MSE))
    results = check_plugin("MLMI_toy")
    assert {r.status for r in results} == {"passed"}
    assert results[0].subject == "loss 'ours' of 'mlmi-toy'"


def test_every_failure_of_a_plugin_is_listed(toy_plugin):
    toy_plugin(("loss", "ours", MSE), ("loss", "nolink", NoLink), ("loss", "n", needs))
    with pytest.raises(ContractError, match="of 24 checks failed") as caught:
        check_plugin("mlmi-toy")
    text = str(caught.value)
    assert "loss 'nolink' of 'mlmi-toy' fails check_link: its attribute link" in text
    assert "loss 'n' of 'mlmi-toy' fails check_link: it raised TypeError" in text
    assert "'ours'" not in text


def test_an_estimator_that_cannot_be_made_fails_as_a_check(toy_plugin):
    class Needy:
        def __init__(self, size):
            self.size = size

    class Picky:
        def __init__(self, size=0):
            raise OSError("size")

    toy_plugin(("estimator", "Needy", Needy), ("estimator", "Picky", Picky))
    with pytest.raises(ContractError, match="2 of 2 checks failed") as caught:
        check_plugin("mlmi-toy")
    text = str(caught.value)
    assert "estimator 'Needy' of 'mlmi-toy' fails check_can_be_built: its" in text
    assert "needs size. Give every parameter a default, as scikit-learn asks" in text
    assert 'pass register(..., example={"size": ...})' in text
    assert "Picky() raised OSError: size Let __init__ only store" in text


def zoo(member):
    """Return the factory of a member, as a family does."""
    return {"ours": MSE, "nolink": NoLink}[member]


def test_members_of_a_family_are_checked(toy_plugin):
    tags = {"task": "regression", "members": ("ours", "nolink")}
    toy_plugin(("loss", "zoo:*", zoo, "A zoo.", tags))
    results = check_plugin("mlmi-toy", on_fail=None)
    status = {(r.subject, r.check): r.status for r in results}
    assert len(status) == 16
    assert status["loss 'zoo:ours' of 'mlmi-toy'", "check_link"] == "passed"
    assert status["loss 'zoo:nolink' of 'mlmi-toy'", "check_link"] == "failed"


class Wrapping(ClassifierMixin, BaseEstimator):
    """Passes all on to an estimator that it cannot do without."""

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, y):
        X, y = validate_data(self, X, y)
        self.estimator_ = clone(self.estimator).fit(X, y)
        self.classes_ = self.estimator_.classes_
        return self

    def predict(self, X):
        check_is_fitted(self)
        return self.estimator_.predict(validate_data(self, X, reset=False))


class Leaky(Wrapping):
    def fit(self, X, y):
        self.note = "an attribute that is public and no parameter"
        return super().fit(X, y)

    def predict(self, X):
        X[:] = 0  # breaks one rule of scikit-learn, and one of ours
        return super().predict(X)


def test_estimators_get_all_checks_by_the_one_line(toy_plugin):
    tags = {"type": "classifier"}
    toy_plugin(
        ("estimator", "Wrapping", Wrapping, "Wraps.", tags),
        ("estimator", "Leaky", Leaky, "Leaks.", tags),
        ("loss", "ours", MSE),
    )
    found = cases(parametrize_with_component_checks(distribution="mlmi-toy"))
    assert "loss-ours-check_link" in found
    sound = {k: v for k, v in found.items() if k.startswith("estimator-Wrapping-")}
    names = {name.rpartition("-")[2] for name in sound}
    assert {
        "check_pickle",
        "check_estimator_cloneable",
        "check_fit_idempotent",
    } <= names
    assert len(sound) > 50
    for subject, check in sound.values():
        try:
            check(subject)
        except SkipTest:
            continue
    for name in ("check_data_is_left_alone", "check_dont_overwrite_parameters"):
        subject, check = found[f"estimator-Leaky-{name}"]
        with pytest.raises(ContractError, match=f"Leaky fails {name}"):
            check(subject)


def test_estimators_of_a_family_get_its_checks_too(toy_plugin, monkeypatch):
    part = ("estimator", "SmallMIL", SmallMIL, "Bags.", {"family": "mil"})
    toy_plugin(part)
    found = cases(parametrize_with_component_checks(distribution="mlmi-toy"))
    assert "estimator-SmallMIL-check_maximum" in found
    assert "estimator-SmallMIL-check_pickle" in found


def test_broken_disabled_empty_and_missing_plugins(toy_plugin):
    toy_plugin(status="broken", error="no fuel.")
    with pytest.raises(ContractError, match=r"'main' of 'mlmi-toy' is broken: no fuel"):
        check_plugin("mlmi-toy")
    toy_plugin(status="disabled", error="switched off.")
    with pytest.raises(ContractError, match="is disabled: switched off"):
        check_plugin("mlmi-toy")
    toy_plugin()
    with pytest.raises(ContractError, match="registers nothing"):
        check_plugin("mlmi-toy")
    with pytest.raises(ContractError, match=r"no installed .* Did you mean 'mlmi-toy'"):
        check_plugin("mlmi-toi")


def test_failures_can_be_returned(toy_plugin):
    toy_plugin(("loss", "nolink", NoLink))
    results = check_plugin("mlmi-toy", on_fail=None)
    status = {result.check: result.status for result in results}
    assert status["check_link"] == "failed"
    assert "passed" in status.values()


def test_an_estimator_is_a_component_too():
    names = {r.check for r in check_component("estimator", "TileGrid", on_fail=None)}
    assert {"check_pickle", "check_estimator_cloneable"} <= names


# -- decorators -----------------------------------------------------------------------


def cases(decorator):
    return {case.id: case.values for case in decorator.mark.args[1]}


def test_ids_of_components():
    found = cases(parametrize_with_component_checks(["loss", ("pooling", "max")]))
    assert "loss-mse-check_link" in found
    assert "pooling-max-check_weights" in found
    assert not any(name.startswith(("backbone", "pooling-mean")) for name in found)
    component, check = found["loss-mse-check_link"]
    check(component)


def test_components_can_be_chosen_in_several_ways():
    every = cases(parametrize_with_component_checks())
    assert {name.partition("-")[0] for name in every} == {
        "adversarial",
        "augmentation",
        "backbone",
        "divergence",
        "generator",
        "loss",
        "meta",
        "pooling",
        "slide",
    }
    one = cases(parametrize_with_component_checks(find_component("loss", "mse")))
    assert (
        one.keys() == cases(parametrize_with_component_checks(("loss", "mse"))).keys()
    )
    assert one.keys() < cases(parametrize_with_component_checks("loss")).keys()


def test_a_distribution_can_be_chosen(toy_plugin):
    toy_plugin(("loss", "ours", MSE))
    found = cases(parametrize_with_component_checks(distribution="mlmi-toy"))
    assert "loss-ours-check_link" in found
    assert all(name.startswith("loss-ours-") for name in found)


def test_ids_of_estimators():
    found = cases(parametrize_with_mlmi_checks([MILClassifier()], sklearn_checks=False))
    assert "MILClassifier-check_maximum" in found
    assert "MILClassifier-check_estimator_cloneable" not in found


# -- strategies -----------------------------------------------------------------------


@given(bags(min_bags=2, max_bags=5, max_length=4, n_features=3))
def test_bags_are_as_asked_for(drawn):
    assert 2 <= len(drawn) <= 5
    assert drawn.n_features == 3
    assert 1 <= drawn.lengths.min() <= drawn.lengths.max() <= 4
    assert drawn.values.dtype in (np.float32, np.float64)


@given(bags(fields=False, dtypes=[np.float32]))
def test_bags_without_fields(drawn):
    assert drawn.groups is drawn.coords is drawn.y_instances is None
    assert drawn.values.dtype == np.float32


@pytest.mark.parametrize("make", [labelled_bags, labelled_data])
@pytest.mark.parametrize(
    ("kind", "classes"), [("binary", 2), ("multiclass", 3), ("multilabel", 2)]
)
@given(data=st.data())
def test_every_class_occurs(make, kind, classes, data):
    X, y = data.draw(make(kinds=[kind]))
    assert len(X) == len(y) >= 6
    assert set(np.ravel(y)) == set(range(classes))
    assert y.ndim == 1 + (kind == "multilabel")


@given(labelled_data(kinds=["regression"]))
def test_regression_targets_are_real(drawn):
    assert drawn[1].dtype.kind == "f"


def test_unknown_kinds_are_refused():
    @given(labelled_data(kinds=["clusters"]))
    def draw(drawn):
        raise AssertionError

    with pytest.raises(ValueError, match="kinds must be among"):
        draw()


@given(domain_data(n_classes=3, labelled_target=True))
def test_domains_have_all_classes(drawn):
    X, y, sample_domain = drawn
    assert len(X) == len(y) == len(sample_domain)
    assert sample_domain.min() < 0 <= sample_domain.max()
    for domain in set(sample_domain):
        assert set(y[sample_domain == domain]) == {0, 1, 2}


@given(domain_data(labelled_target=False))
def test_targets_can_be_unlabelled(drawn):
    _, y, sample_domain = drawn
    assert set(y[sample_domain < 0]) == {-1}
    assert set(y[sample_domain >= 0]) == {0, 1}


@given(tasks(n_way=3, min_shots=2, min_tasks=2))
def test_tasks_have_shots_of_every_class(drawn):
    _, y, groups = drawn
    assert len(set(groups)) >= 2
    for task in set(groups):
        assert (np.bincount(y[groups == task], minlength=3) >= 2).all()


@given(tasks(kind="regression"))
def test_tasks_of_regression(drawn):
    X, y, groups = drawn
    assert y.dtype == X.dtype
    assert len(y) == len(groups)


def test_hypothesis_and_pytest_are_asked_for_only_when_needed():
    code = """
import sys
sys.modules["hypothesis"] = sys.modules["pytest"] = None
import mlmi_sklearn.testing as kit
kit.check_component("loss", "mse")
for use in (lambda: kit.bags, lambda: kit.parametrize_with_component_checks("loss")):
    try:
        use()
    except ImportError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "need hypothesis: pip install hypothesis" in done.stdout
    assert "needs pytest: pip install pytest" in done.stdout
