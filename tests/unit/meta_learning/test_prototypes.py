"""Prototypical networks: means of features, nearest of them."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import StratifiedShuffleSplit, cross_val_score

from mlmi_sklearn.exceptions import TaskError
from mlmi_sklearn.meta_learning.prototypes import PrototypeClassifier, class_means
from mlmi_sklearn.nn.backbones import MLP
from mlmi_sklearn.nn.losses import CrossEntropy
from mlmi_sklearn.nn.tasks import Episode, PrototypeModel, Support


@pytest.fixture(scope="module")
def data(blobs):
    return blobs()


@pytest.fixture(scope="module")
def task(blobs):
    return blobs(3, n=10, seed=5)


@pytest.fixture(scope="module", params=["euclidean", "cosine"])
def meta(request, protonet, data):
    model = protonet(distance=request.param, max_epochs=10, episodes_per_epoch=40)
    return model.fit(*data)


def features(meta, X):
    module = meta.net_.module_
    with torch.no_grad():
        return module.backbone(module.scale(torch.from_numpy(X))).numpy()


# -- by hand -------------------------------------------------------------------------


def test_predictions_by_hand(meta, task):
    X, y = task
    model = meta.adapt(X[:12], y[:12])
    z = features(meta, X)
    means = np.array([z[:12][y[:12] == c].mean(0) for c in range(3)])
    assert_allclose(model.prototypes_, means, atol=1e-12)
    if meta.distance == "euclidean":
        raw = -((z[:, None] - means) ** 2).sum(2)
    else:
        unit = [a / np.linalg.norm(a, axis=1, keepdims=True) for a in (z, means)]
        raw = 10 * unit[0] @ unit[1].T
    assert_allclose(model.decision_function(X), raw, atol=1e-9)
    assert_allclose(model.predict_proba(X), softmax(raw, axis=1), atol=1e-9)
    assert_array_equal(model.predict(X), raw.argmax(1))
    assert model.score(X, y) > 0.7


def test_the_loss_of_an_episode_by_hand():
    torch.manual_seed(0)
    model = PrototypeModel(MLP((3,), hidden=4)).double()
    g = torch.Generator().manual_seed(0)
    x = torch.randn(2, 9, 3, generator=g, dtype=torch.float64)
    codes = torch.arange(9).remainder(3).expand(2, 9)
    episode = Episode(
        Support(x[:, :6], codes[:, :6]), Support(x[:, 6:], codes[:, 6:]), 3
    )
    found = model.episode(episode, CrossEntropy()).losses
    for t in range(2):
        z = model(x[t])
        means = torch.stack([z[:6][codes[t, :6] == c].mean(0) for c in range(3)])
        raw = -torch.cdist(z[6:], means).square()
        expected = torch.nn.functional.cross_entropy(raw, codes[t, 6:])
        assert float(found[t].detach()) == pytest.approx(float(expected.detach()))


def test_own_predictions_are_of_all_classes(meta, data):
    X, y = data
    z = features(meta, X)
    assert_allclose(meta.prototypes_, [z[y == c].mean(0) for c in range(8)], atol=1e-12)
    same = meta.adapt(X, y)
    assert_allclose(meta.predict_proba(X), same.predict_proba(X), atol=1e-12)
    assert meta.predict_proba(X).shape == (96, 8)
    assert is_classifier(meta.model_)
    assert meta.score(X, y) == np.mean(meta.predict(X) == y)


def test_means_of_classes():
    z = np.array([[1.0, 2.0], [3.0, 4.0], [10.0, 0.0]])
    found = class_means(z, np.array([2, 2, 0]), 4)
    assert_array_equal(found[[0, 2]], [[10, 0], [2, 3]])
    assert np.isnan(found[[1, 3]]).all()


# -- tasks ---------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [["x", "y", "z"], [7, 8, 9], [-1.0, 0.0, 5.0]])
def test_relabelled_tasks(meta, task, labels):
    X, y = task
    plain = meta.adapt(X[:12], y[:12])
    for order in ([0, 1, 2], [2, 0, 1]):
        names = np.array(labels)[order]
        model = meta.adapt(X[:12], names[y[:12]])
        assert_array_equal(model.predict(X), names[plain.predict(X)])
        back = np.searchsorted(model.classes_, names)
        assert_allclose(model.predict_proba(X)[:, back], plain.predict_proba(X))


@pytest.mark.parametrize("n_way", [2, 5, 20])
def test_any_number_of_ways(meta, blobs, n_way):
    X, y = blobs(n_way, n=4, seed=9)
    model = meta.adapt(X, y)
    assert model.predict_proba(X).shape == (len(X), n_way)
    assert model.score(X, y) > 1.5 / n_way
    if n_way == 2:
        assert_array_equal(model.decision_function(X) > 0, model.predict(X) == 1)


def test_rows_are_independent(protonet, data, task):
    X, y = task
    for norm in ("none", "batch"):
        model = protonet(backbone__norm=norm).fit(*data).adapt(X[:9], y[:9])
        alone = np.vstack([model.predict_proba(row[None]) for row in X])
        assert_allclose(alone, model.predict_proba(X), atol=1e-12)


def test_an_ordinary_estimator(meta, task):
    X, y = task
    model = meta.adapt(X[:12], y[:12])
    expected = model.predict_proba(X)
    assert_array_equal(clone(model).fit(X[:12], y[:12]).predict_proba(X), expected)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), expected)
    cv = StratifiedShuffleSplit(6, train_size=9, random_state=0)
    scores = cross_val_score(meta.adapt_estimator, X, y, cv=cv, error_score="raise")
    assert scores.mean() > 0.6
    with pytest.raises(ValueError, match="Invalid parameter 'inner_steps'"):
        meta.adapt(X, y, inner_steps=3)


def test_bad_input(meta, task):
    X, y = task
    with pytest.raises(ValueError, match="inconsistent numbers of samples: 9 and 8"):
        meta.adapt(X[:9], y[:8])
    with pytest.raises(ValueError, match=r"samples of shape \(3,\)"):
        meta.adapt(X[:9, :3], y[:9])
    with pytest.raises(ValueError, match="Unknown label type"):
        meta.adapt(X[:9], X[:9, 0])
    with pytest.raises(ValueError, match="contains NaN"):
        meta.adapt(np.full((3, 4), np.nan), [0, 1, 2])
    with pytest.raises(NotFittedError):
        PrototypeClassifier(meta).predict(X)
    with pytest.raises(AttributeError, match="no attribute"):
        _ = clone(meta).prototypes_


# -- training ------------------------------------------------------------------------


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_every_choice(protonet, data, task, distance, size, norm):
    model = protonet(
        distance=distance, meta_batch_size=size, backbone__norm=norm, max_epochs=1
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(*data)
    assert np.isfinite(model.loss_curve_).all()
    assert np.isfinite(model.adapt(*task).predict_proba(task[0])).all()


def test_training_helps(protonet, blobs):
    """Classes differ in two of twelve noisy features, which means alone drown in."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(20), 15)
    X = rng.normal(size=(300, 12)) * 3
    X[:, :2] = rng.normal(size=(20, 2))[y] * 2 + 0.2 * rng.normal(size=(300, 2))
    old = y < 14
    model = protonet(
        backbone__hidden=(32, 16), n_way=8, n_shot=3, n_query=8, max_epochs=5,
        episodes_per_epoch=80, lr=1e-2,
    )  # fmt: skip
    fresh = clone(model).set_params(lr=1e-9).fit(X[old], y[old])
    model.fit(X[old], y[old])
    few = np.concatenate([np.flatnonzero(y == c)[:3] for c in range(14, 20)])
    rest = np.setdiff1d(np.flatnonzero(~old), few)
    scores = [m.adapt(X[few], y[few]).score(X[rest], y[rest]) for m in (model, fresh)]
    assert scores[0] > scores[1] + 0.1


def test_the_seed_is_all_that_counts(protonet, data):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    a = protonet(backbone__dropout=0.3).fit(*data)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    b = protonet(backbone__dropout=0.3).fit(*data)
    assert_array_equal(a.prototypes_, b.prototypes_)
    other = protonet(backbone__dropout=0.3, random_state=1).fit(*data)
    assert (a.prototypes_ != other.prototypes_).any()


def test_more_ways_than_classes(protonet, data):
    X, y = data
    model = protonet(n_way=20).fit(X[y < 3], y[y < 3])
    assert model._episodes.mode == "pool"
    assert model.predict_proba(X).shape == (96, 3)


def test_partial_fit(protonet, data):
    X, y = data
    names = np.array(list("hgfedcba"))[y]
    model = protonet().partial_fit(X[y < 4], names[y < 4])
    old = dict(zip(model.classes_, model.prototypes_, strict=True))
    model.partial_fit(X[y >= 4], names[y >= 4])
    assert model.classes_.tolist() == list("abcdefgh")
    assert model.prototypes_.shape == (8, 8)
    # Classes that were not there this time keep what they had.
    for name, mean in zip(model.classes_, model.prototypes_, strict=True):
        assert np.array_equal(mean, old.get(name)) == (name in old)
    proba = model.predict_proba(X)
    assert np.isfinite(proba).all()
    assert_allclose(proba.sum(1), 1)
    model.partial_fit(X, names)
    assert (model.prototypes_[4:] != [old[c] for c in "efgh"]).any(1).all()


def test_announced_classes_are_not_predicted_before_they_are_seen(protonet, data):
    X, y = data
    model = protonet().partial_fit(X[y < 5], y[y < 5], classes=np.arange(8))
    assert np.isnan(model.prototypes_).any(1).tolist() == [False] * 5 + [True] * 3
    proba = model.predict_proba(X)
    assert proba.shape == (96, 8)
    assert (proba[:, 5:] == 0).all()
    assert_allclose(proba.sum(1), 1)
    assert set(model.predict(X)) <= set(range(5))
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict_proba(X), proba)
    assert np.isfinite(model.partial_fit(X, y).prototypes_).all()


def test_a_new_fit_forgets(protonet, data):
    X, y = data
    model = protonet().fit(X, y)
    model.fit(X[y < 4], y[y < 4])
    expected = protonet().fit(X[y < 4], y[y < 4])
    assert_array_equal(model.prototypes_, expected.prototypes_)


def test_tasks_of_one_class_teach_nothing(protonet, blobs):
    """One prototype alone would be pushed away by its own rows."""
    X, y = blobs(6, n=12)
    mixed = np.where(y < 4, y % 2, 2)  # group 2 has classes 4 and 5
    lone = np.where(y == 5, 3, mixed)  # and now one each
    for groups in (mixed, lone):
        model = protonet(episodes="groups", max_epochs=3).fit(X, y, groups)
        assert np.isfinite(model.loss_curve_).all()
    with pytest.raises(TaskError, match="rows of two classes"):
        protonet(episodes="groups").fit(X, y, y)


def test_ragged_groups_equal_those_one_by_one(protonet, blobs):
    X, y = blobs(6, n=9)
    groups = np.array([0, 0, 0, 1, 1, 1])[y]
    groups[(y == 0) & (np.arange(len(y)) % 3 > 0)] = 2  # classes of few rows
    groups[(y == 1) & (np.arange(len(y)) % 2 > 0)] = 2
    losses = [
        protonet(episodes="groups", meta_batch_size=size, lr=1e-12, max_epochs=1)
        .fit(X, y, groups)
        .loss_curve_[0]
        for size in (1, 3)
    ]
    assert np.isfinite(losses).all()


def test_parameters_set_after_a_fit_do_not_break_pickles(protonet, data):
    X, y = data
    model = protonet().fit(X, y)
    expected = model.predict_proba(X)
    model.set_params(distance="cosine", backbone="linear", n_way=5)
    assert_array_equal(model.predict_proba(X), expected)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), expected)


def test_images(protonet, blobs):
    X, y = blobs(5, n=8, shape=(1, 8, 8))
    model = protonet(backbone="conv", backbone__channels=(3, 4)).fit(X, y)
    assert model.adapt(X[:9], y[:9] % 2).predict(X).shape == (40,)
    with pytest.raises(ValueError, match="'n_way' parameter"):
        protonet(n_way=1).fit(X, y)
