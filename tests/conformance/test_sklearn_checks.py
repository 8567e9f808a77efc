"""scikit-learn's own checks on every public estimator, with default parameters.

None is expected to fail and none is skipped: the array-API check, which scikit-learn
skips unless an environment variable is set at import, runs in a subprocess of its own.

With metadata routing on, all checks run again where an estimator hands metadata on
itself, and for the plain nets, whose fit loop the others share: that loop is where
skorch asks whether routing is on. For the others those checks run again in which
scikit-learn itself asks.
"""

import os
import subprocess
import sys

import pytest
import sklearn
from sklearn.base import is_classifier
from sklearn.utils import estimator_checks as checks
from sklearn.utils.estimator_checks import estimator_checks_generator
from sklearn.utils.metadata_routing import MetadataRouter, get_routing_for_object

from mlmi_sklearn import (
    CGANSampler,
    DeepEnsembleClassifier,
    InstanceWise,
    MAMLEstimator,
    NetClassifier,
    NetRegressor,
    all_estimators,
)

# A generator takes thousands of steps by default, however small the data.
SHORT = {
    "AugmentedClassifier": {"sampler": CGANSampler(max_iter=5)},
    "AugmentedRegressor": {"sampler": CGANSampler(max_iter=5)},
    "CGANSampler": {"max_iter": 5},
    "ImageTranslator": {"max_iter": 5},
}
ESTIMATORS = [cls(**SHORT.get(name, {})) for name, cls in all_estimators()]
ESTIMATORS += [InstanceWise(), MAMLEstimator("regression")]
EXTRA = [
    "check_dataframe_column_names_consistency",
    "check_param_validation",
    "check_inplace_ensure_writeable",
    "check_class_weight_classifiers",
    "check_estimator_repr",
]
ARRAY_API = "check_array_api_input"


# Two members do for routing; all five are checked without it.
ROUTED = [
    DeepEnsembleClassifier(n_estimators=2)
    if isinstance(estimator, DeepEnsembleClassifier)
    else estimator
    for estimator in ESTIMATORS
]
# What scikit-learn and skorch look up by routing: weights, pipelines, targets of
# another name, skorch's partial_fit, and what fit_transform hands to transform.
ROUTED_CHECKS = (
    "sample_weight",
    "pipeline",
    "takes_y",
    "partial_fit",
    "fit_idempotent",
    "transformer_general",
)


def name_of(check):
    return getattr(check, "func", check).__name__


def routes(estimator):
    """Tell whether an estimator, or the loop that it brings, depends on routing."""
    return isinstance(estimator, NetClassifier | NetRegressor) or isinstance(
        get_routing_for_object(estimator), MetadataRouter
    )


def cases():
    for estimator in ESTIMATORS:
        for instance, check in estimator_checks_generator(estimator):
            if name_of(check) != ARRAY_API:
                yield case(instance, check, routing=False)
    for estimator in ROUTED:
        for instance, check in estimator_checks_generator(estimator):
            name = name_of(check)
            if name != ARRAY_API and (
                routes(estimator) or any(part in name for part in ROUTED_CHECKS)
            ):
                yield case(instance, check, routing=True)


def case(estimator, check, *, routing):
    label = f"{type(estimator).__name__}-{name_of(check)}-{routing}"
    return pytest.param(estimator, check, routing, id=label)


def extra_cases():
    for estimator in ESTIMATORS:
        # scikit-learn runs some of them itself where they apply.
        known = {name_of(check) for _, check in estimator_checks_generator(estimator)}
        for name in EXTRA:
            if name not in known and applies(name, estimator):
                for routing in (False, True) if routes(estimator) else (False,):
                    label = f"{type(estimator).__name__}-{name}-{routing}"
                    yield pytest.param(estimator, name, routing, id=label)


def applies(name, estimator):
    return name != "check_class_weight_classifiers" or (
        is_classifier(estimator) and "class_weight" in estimator.get_params()
    )


def test_estimators_are_found():
    names = {type(e).__name__ for e in ESTIMATORS}
    assert {"NetClassifier", "NetRegressor", "MILClassifier"} <= names


def test_every_estimator_runs_with_routing_and_those_that_route_run_all():
    every, routed = set(), set()
    for param in cases():
        estimator, check, routing = param.values
        (routed if routing else every).add((type(estimator), name_of(check)))
    assert {kind for kind, _ in routed} == {type(e) for e in ESTIMATORS}
    routers = {type(e) for e in ESTIMATORS if routes(e)}
    assert {kind.__name__ for kind in routers} >= {
        "AugmentedClassifier",
        "AugmentedRegressor",
        "DeepEnsembleClassifier",
        "NetClassifier",
        "NetRegressor",
    }
    assert {pair for pair in every if pair[0] in routers} <= routed


@pytest.mark.parametrize(("estimator", "check", "routing"), list(cases()))
def test_check_estimator(estimator, check, routing):
    with sklearn.config_context(enable_metadata_routing=routing):
        check(estimator)


def long_cases():
    for name, cls in all_estimators():
        for instance, check in (
            estimator_checks_generator(cls()) if name in SHORT else ()
        ):
            found = name_of(check)
            if found != ARRAY_API:
                yield pytest.param(instance, check, id=f"{name}-{found}")


@pytest.mark.slow
@pytest.mark.parametrize(("estimator", "check"), list(long_cases()))
def test_check_estimator_with_default_steps(estimator, check):
    check(estimator)


@pytest.mark.parametrize(("estimator", "name", "routing"), list(extra_cases()))
def test_extra_checks(estimator, name, routing):
    with sklearn.config_context(enable_metadata_routing=routing):
        getattr(checks, name)(type(estimator).__name__, estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_no_tag_hides_checks(estimator):
    tags = estimator.__sklearn_tags__()
    assert tags.input_tags.two_d_array
    assert not tags.no_validation
    assert not tags.non_deterministic
    assert not tags._skip_test


def run_array_api_checks(short):
    """Run the one check that is skipped elsewhere, where SciPy supports it."""
    code = (
        "import sklearn\n"
        "from sklearn.utils.fixes import parse_version\n"
        "from sklearn.utils.estimator_checks import estimator_checks_generator\n"
        "from mlmi_sklearn import CGANSampler, InstanceWise, all_estimators\n"
        f"short = {short!r}\n"
        "kinds = [c(**short.get(n, {})) for n, c in all_estimators()]\n"
        "for e in [*kinds, InstanceWise()]:\n"
        "    found = list(estimator_checks_generator(e, legacy=True))\n"
        "    found = [(m, c) for m, c in found if 'array_api' in c.func.__name__]\n"
        # scikit-learn 1.8 has it only for those that say they support it.
        "    old = parse_version(sklearn.__version__) < parse_version('1.9')\n"
        "    assert found or old, e\n"
        "    for model, check in found:\n"
        "        check(model)\n"
        "print('all passed')\n"
    )
    env = {**os.environ, "SCIPY_ARRAY_API": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True
    )
    assert "all passed" in done.stdout, done.stderr


def test_array_api_check_passes_where_scipy_supports_it():
    run_array_api_checks(SHORT)


@pytest.mark.slow
def test_array_api_check_with_default_steps():
    run_array_api_checks({})
