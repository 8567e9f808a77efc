"""skops has to trust one type: the estimator's own class, and no other."""

import pytest
import skops.io
from sklearn.base import BaseEstimator

from mlmi_sklearn import (
    AttentionPooling,
    AugmentedClassifier,
    CGANSampler,
    InstanceWise,
    MILClassifier,
    all_estimators,
)
from mlmi_sklearn.persistence.flat import expand, flatten
from mlmi_sklearn.testing._estimator_subject import EstimatorSubject, require_same

SHORT = ("max_epochs", "episodes_per_epoch", "max_iter", "finetune_steps")


def quick(cls):
    estimator = cls()
    for key in set(SHORT) & set(estimator.get_params()):
        estimator.set_params(**{key: 1})
    return estimator


def full_name(cls):
    return f"{cls.__module__}.{cls.__name__}"


# Those two train their default sampler for long; see the test below.
ESTIMATORS = [
    *(quick(cls) for name, cls in all_estimators() if name[:9] != "Augmented"),
    MILClassifier(pooling=AttentionPooling(hidden=4), max_epochs=1),
    InstanceWise(),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_one_trusted_type(estimator):
    subject = EstimatorSubject(estimator)
    X, y = subject.table(n=24)
    model = subject.fit(X, y)
    for value in (estimator, model):
        data = skops.io.dumps(value)
        assert skops.io.get_untrusted_types(data=data) == [full_name(type(value))]
    found = skops.io.loads(data, trusted=[type(model)])
    expected = subject.outputs(model, X)
    require_same(subject.outputs(found, X), expected, "a copy by skops differs")


def test_an_estimator_that_was_passed_is_named_too(kit):
    model = AugmentedClassifier(sampler=CGANSampler(max_iter=1), random_state=0)
    data = skops.io.dumps(model.fit(*kit.table()))
    assert skops.io.get_untrusted_types(data=data) == sorted(
        [full_name(AugmentedClassifier), full_name(CGANSampler)]
    )
    model.sampler = None
    data = skops.io.dumps(model)
    assert skops.io.get_untrusted_types(data=data) == [full_name(AugmentedClassifier)]


def test_only_what_must_be_is_flat():
    class Foreign(BaseEstimator):
        pass

    state = {"a": [1.0, {"b": (2,)}], "loss": Foreign(), "f": len, "s": {1, 2}}
    assert flatten(state) == state
    both = AttentionPooling(hidden=4)
    flat = flatten({**state, "pooling": both})
    assert flat["loss"] is state["loss"]
    again = expand(flat)
    assert again["pooling"].hidden == 4
    assert {k: again[k] for k in state} == state
