"""scikit-learn's own checks on every public estimator, with default parameters.

None is expected to fail and none is skipped: the array-API check, which scikit-learn
skips unless an environment variable is set at import, runs in a subprocess of its own.
"""

import os
import subprocess
import sys

import pytest
import sklearn
from sklearn.base import is_classifier
from sklearn.utils import estimator_checks as checks
from sklearn.utils.estimator_checks import estimator_checks_generator

from mlmi_sklearn import CGANSampler, InstanceWise, MAMLEstimator, all_estimators

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


def cases():
    for estimator in ESTIMATORS:
        for instance, check in estimator_checks_generator(estimator):
            name = getattr(check, "func", check).__name__
            if name != ARRAY_API:
                label = f"{type(estimator).__name__}-{name}"
                yield pytest.param(instance, check, id=label)


def extra_cases():
    for estimator in ESTIMATORS:
        for name in EXTRA:
            # scikit-learn runs this one where the parameter exists.
            if name == "check_class_weight_classifiers" and (
                not is_classifier(estimator)
                or "class_weight" not in estimator.get_params()
            ):
                continue
            yield pytest.param(estimator, name, id=f"{type(estimator).__name__}-{name}")


def test_estimators_are_found():
    names = {type(e).__name__ for e in ESTIMATORS}
    assert {"NetClassifier", "NetRegressor", "MILClassifier"} <= names


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize(("estimator", "check"), list(cases()))
def test_check_estimator(estimator, check, routing):
    with sklearn.config_context(enable_metadata_routing=routing):
        check(estimator)


def long_cases():
    for name, cls in all_estimators():
        for instance, check in (
            estimator_checks_generator(cls()) if name in SHORT else ()
        ):
            found = getattr(check, "func", check).__name__
            if found != ARRAY_API:
                yield pytest.param(instance, check, id=f"{name}-{found}")


@pytest.mark.slow
@pytest.mark.parametrize(("estimator", "check"), list(long_cases()))
def test_check_estimator_with_default_steps(estimator, check):
    check(estimator)


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize(("estimator", "name"), list(extra_cases()))
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


def test_array_api_check_passes_where_scipy_supports_it():
    """The one check that is skipped elsewhere; all others run above."""
    code = (
        "from sklearn.utils.estimator_checks import estimator_checks_generator\n"
        "from mlmi_sklearn import InstanceWise, all_estimators\n"
        "for e in [c() for _, c in all_estimators()] + [InstanceWise()]:\n"
        "    found = list(estimator_checks_generator(e, legacy=True))\n"
        "    found = [(m, c) for m, c in found if 'array_api' in c.func.__name__]\n"
        "    assert found, e\n"
        "    for model, check in found:\n"
        "        check(model)\n"
        "print('all passed')\n"
    )
    env = {**os.environ, "SCIPY_ARRAY_API": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True
    )
    assert "all passed" in done.stdout, done.stderr
