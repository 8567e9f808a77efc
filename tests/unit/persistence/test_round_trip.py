"""Every public estimator comes back as it was: from a file, a pickle and joblib."""

import pickle
import warnings

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from mlmi_sklearn import (
    AdaptedClassifier,
    CGANSampler,
    InstanceWise,
    MAMLClassifier,
    NetClassifier,
    all_estimators,
    load,
    save,
)
from mlmi_sklearn.persistence import read_manifest
from mlmi_sklearn.testing._estimator_subject import EstimatorSubject, require_same

SMALL = {
    "AugmentedClassifier": {"sampler": CGANSampler(max_iter=5)},
    "AugmentedRegressor": {"sampler": CGANSampler(max_iter=5)},
    "CGANSampler": {"max_iter": 5},
    "ImageTranslator": {"max_iter": 5},
    "DeepEnsembleClassifier": {"estimator": NetClassifier(max_epochs=1)},
    "MAMLEstimator": {"kind": "regression", "finetune_steps": 1},
}
SMALL |= {f"MAML{kind}": {"finetune_steps": 1} for kind in ("Classifier", "Regressor")}
ESTIMATORS = [cls(**SMALL.get(name, {})) for name, cls in all_estimators()]
for estimator in ESTIMATORS:
    for key in {"max_epochs", "episodes_per_epoch"} & set(estimator.get_params()):
        estimator.set_params(**{key: 1})
ESTIMATORS.append(InstanceWise())


def named(estimator):
    return type(estimator).__name__


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=named)
def test_unfitted(estimator, tmp_path):
    save(estimator, tmp_path / "a")
    found = load(tmp_path / "a")
    assert type(found) is type(estimator)
    assert repr(found) == repr(estimator)
    assert sorted(vars(found)) == sorted(vars(estimator))


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=named)
def test_fitted(estimator, tmp_path):
    subject = EstimatorSubject(estimator)
    X, y = subject.table(n=24)
    model = subject.fit(X, y)
    expected = subject.outputs(model, X)
    save(model, tmp_path / "a")
    found = load(tmp_path / "a")
    assert sorted(vars(found)) == sorted(vars(model))
    what = f"a {named(model)} from"
    require_same(subject.outputs(found, X), expected, f"{what} a file differs")
    # The same to the last byte, so a file can stand for its contents.
    save(found, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    entries = read_manifest(tmp_path / "a")["components"]
    assert {entry["dist"] for entry in entries} <= {"mlmi-sklearn", "scikit-learn"}
    pickled = pickle.loads(pickle.dumps(model))
    require_same(subject.outputs(pickled, X), expected, f"{what} a pickle differs")
    joblib.dump(model, tmp_path / "c")
    again = joblib.load(tmp_path / "c")
    require_same(subject.outputs(again, X), expected, f"{what} joblib differs")


def test_history_and_training_go_on(model, kit, tmp_path):
    X, y = kit.table()
    save(model, tmp_path / "a")
    found = load(tmp_path / "a")
    assert found.history_.equals(model.history_)
    assert found.history_.dtypes.equals(model.history_.dtypes)
    assert found.loss_curve_ == model.loss_curve_
    one, other = (clone(m).set_params(max_epochs=3).fit(X, y) for m in (model, found))
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    found.partial_fit(X, y)
    assert len(found.history_) == len(model.history_) + 1


def test_a_meta_learner_adapts_after_loading(kit, tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4)) + np.repeat(np.arange(6), 10)[:, None]
    y = np.repeat(np.arange(6), 10)
    prior = MAMLClassifier(
        n_way=2, n_query=3, max_epochs=1, episodes_per_epoch=2, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prior.fit(X, y)
    support, labels = X[[0, 1, 20, 21]], np.array(["a", "a", "b", "b"])
    expected = prior.adapt(support, labels)
    save(prior, tmp_path / "prior")
    found = load(tmp_path / "prior").adapt(support, labels)
    np.testing.assert_array_equal(found.predict_proba(X), expected.predict_proba(X))
    save(expected, tmp_path / "adapted")
    again = load(tmp_path / "adapted")
    assert again.classes_.tolist() == ["a", "b"]
    np.testing.assert_array_equal(again.predict_proba(X), expected.predict_proba(X))
    # The model inside is one: it is not written twice.
    assert isinstance(again, AdaptedClassifier)
    assert isinstance(again.prior, FrozenEstimator)


def test_strings_and_seeds(kit, tmp_path):
    X, y = kit.table()
    labels = np.array(["benign", "malignant ☢"], dtype=object)[y]
    state = np.random.RandomState(3)
    model = NetClassifier(max_epochs=1, random_state=state).fit(X, labels)
    save(model, tmp_path / "a")
    found = load(tmp_path / "a")
    assert found.classes_.dtype == object
    assert found.predict(X).tolist() == model.predict(X).tolist()
    # The generator goes on where it was.
    one, other = (m.fit(X, labels).predict_proba(X) for m in (model, found))
    np.testing.assert_array_equal(one, other)


def test_where_nets_go(model, saved, write, kit):
    manifest, arrays = kit.pieces(saved)
    kit.attribute(manifest["state"], "device_")[1] = "cuda:0"
    kit.attribute(manifest["state"], "device")[1] = "cuda"
    path = write(kit.forged(manifest, arrays))
    found = load(path, device="cpu")
    assert (found.device_, found.device) == ("cpu", "cpu")
    X, _ = kit.table()
    np.testing.assert_array_equal(found.predict_proba(X), model.predict_proba(X))
    if not torch.cuda.is_available():
        assert load(path).device_ == "cpu"
        with pytest.raises(ValueError, match="device='cuda:0' cannot be used"):
            load(path, device="cuda:0")
    with pytest.raises(ValueError, match="device='abacus' cannot be used"):
        load(path, device="abacus")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_from_a_gpu_to_the_cpu(kit, tmp_path):
    X, y = kit.table()
    for model in (
        NetClassifier(max_epochs=1, random_state=0, device="cuda"),
        MAMLClassifier(
            n_query=2, max_epochs=1, finetune_steps=1, random_state=0, device="cuda"
        ),
    ):
        model.fit(X, y)
        save(model, tmp_path / "a")
        assert load(tmp_path / "a").device_.startswith("cuda")
        found = load(tmp_path / "a", device="cpu")
        assert found.device_ == "cpu"
        np.testing.assert_allclose(
            found.predict_proba(X), model.predict_proba(X), atol=1e-4
        )
