"""Every public estimator under the package's own checks.

scikit-learn's checks of the same estimators are in test_sklearn_checks.py.
"""

from mlmi_sklearn import (
    CGANSampler,
    InstanceWise,
    MAMLEstimator,
    NetClassifier,
    all_estimators,
)
from mlmi_sklearn.testing import parametrize_with_mlmi_checks

# The kit shortens the training of members that it can see, which None hides.
SMALL = {
    "AugmentedClassifier": {"sampler": CGANSampler()},
    "AugmentedRegressor": {"sampler": CGANSampler()},
    "DeepEnsembleClassifier": {"estimator": NetClassifier()},
}
ESTIMATORS = [cls(**SMALL.get(name, {})) for name, cls in all_estimators()]
ESTIMATORS += [InstanceWise(), MAMLEstimator("regression")]


@parametrize_with_mlmi_checks(ESTIMATORS, sklearn_checks=False)
def test_estimators(estimator, check):
    check(estimator)


def test_families_are_recognised():
    checks = {
        (type(case.values[0]).__name__, case.values[1].name)
        for case in test_estimators.pytestmark[0].args[1]
    }
    for name in ("MILClassifier", "MILRegressor", "InstanceWise"):
        assert (name, "check_companions_do_not_matter") in checks
    for name in ("DANNClassifier", "MMEClassifier", "ImportanceWeightedClassifier"):
        assert (name, "check_target_labels_are_ignored") in checks
    assert ("CGANSampler", "check_conditions_come_back_as_asked") in checks
    assert ("NetClassifier", "check_failed_fit_changes_nothing") in checks
    assert ("NetClassifier", "check_companions_do_not_matter") not in checks
