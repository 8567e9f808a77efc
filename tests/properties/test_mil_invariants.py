"""What holds for predictions of any bags, whatever the pooling."""

import copy
import pickle
from io import BytesIO

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from mlmi_sklearn import Bags, MILClassifier, list_components

POOLINGS = [part.name for part in list_components("pooling", builtin=True)]
# These see an instance in the context of its bag, or want two of them.
IN_CONTEXT = {"additive", "transformer", "threshold"}
ALONE = tuple(p for p in POOLINGS if p not in IN_CONTEXT)
few = settings(deadline=None, max_examples=25)

# Instances are passed as bags of one on purpose here.
pytestmark = pytest.mark.filterwarnings("ignore:X is a table")

OUTPUTS = ("decision_function", "predict_proba", "transform")
INSTANCE_OUTPUTS = ("instance_scores", "predict_instances_proba", "attention")


@st.composite
def problems(draw, min_bags=6):
    """Draw bags of any size and labels of any kind."""
    kind = draw(st.sampled_from(["binary", "three classes", "labels"]))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    n_features = draw(st.integers(1, 4))
    lengths = draw(st.lists(st.integers(1, 9), min_size=min_bags, max_size=12))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    values = rng.normal(0, 2, (sum(lengths), n_features)).astype(dtype)
    index = np.arange(len(lengths))
    y = {
        "binary": index % 2,
        "three classes": index % 3,
        "labels": np.column_stack([index % 2, index // 2 % 2]),
    }[kind]
    return Bags(values, lengths), y


@st.composite
def models(draw, poolings=tuple(POOLINGS), levels=("instance", "embedding")):
    """Draw an unfitted classifier that trains for an epoch or two."""
    model = MILClassifier(
        pooling=draw(st.sampled_from(poolings)),
        level=draw(st.sampled_from(levels)),
        max_epochs=draw(st.integers(1, 2)),
        lr=draw(st.sampled_from([1e-3, 0.05])),
        batch_size=draw(st.sampled_from(["auto", 1, 4])),
        random_state=draw(st.integers(0, 99)),
    )
    dropout = draw(st.sampled_from([0.0, 0.5]))
    hidden = draw(st.sampled_from([(), (8,), (7, 5)]))
    return model.set_params(backbone__dropout=dropout, backbone__hidden=hidden)


def close(found, expected):
    """Equal to 1e-5, relative to the size of the numbers for those above one."""
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    assert_allclose(found, expected, rtol=0, atol=1e-5 * scale)


def close_lists(found, expected):
    close(np.concatenate(found), np.concatenate(expected))


# -- companions and order ------------------------------------------------------


@few
@given(models(), problems())
def test_companions_in_the_batch_do_not_matter(model, problem):
    X, y = problem
    model.fit(X, y)
    for name in OUTPUTS:
        compute = getattr(model, name)
        close(np.concatenate([compute([bag]) for bag in X]), compute(X))
    for name in INSTANCE_OUTPUTS:
        compute = getattr(model, name)
        close_lists([compute([bag])[0] for bag in X], compute(X))
    huge = [np.full((50, X.n_features), 7, X.values.dtype), *X]
    close(model.decision_function(huge)[1:], model.decision_function(X))


@few
@given(models(), problems(), st.randoms(use_true_random=False))
def test_the_order_of_instances_does_not_matter(model, problem, random):
    X, y = problem
    model.fit(X, y)
    orders = [random.sample(range(n), n) for n in X.lengths.tolist()]
    shuffled = [bag[order] for bag, order in zip(X, orders, strict=True)]
    for name in OUTPUTS:
        close(getattr(model, name)(shuffled), getattr(model, name)(X))
    for name in INSTANCE_OUTPUTS:
        whole = getattr(model, name)(X)
        expected = [part[order] for part, order in zip(whole, orders, strict=True)]
        close_lists(getattr(model, name)(shuffled), expected)


@few
@given(models(), problems(), st.data())
def test_the_order_of_bags_does_not_matter(model, problem, data):
    X, y = problem
    model.fit(X, y)
    order = data.draw(st.permutations(range(len(X))))
    for name in (*OUTPUTS, "predict"):
        close(getattr(model, name)(X[order]), getattr(model, name)(X)[order])


# -- what the standard assumption promises -------------------------------------

maximum = models(("max",), ("instance",))


def scores_of(model, X):
    """Return scores of bags and a list of those of instances, with columns."""
    scores = model.decision_function(X)
    instances = model.instance_scores(X)
    return scores.reshape(len(X), -1), [s.reshape(len(s), -1) for s in instances]


@few
@given(maximum, problems())
def test_a_bag_scores_exactly_as_its_highest_instance(model, problem):
    X, y = problem
    scores, instances = scores_of(model.fit(X, y), X)
    assert_array_equal(scores, [s.max(axis=0) for s in instances])
    for part in (X[::2], X[[0]], X[::-1]):
        scores, instances = scores_of(model, part)
        assert_array_equal(scores, [s.max(axis=0) for s in instances])


@few
@given(maximum, problems(), st.integers(0, 2**16), st.floats(0.0, 1e3))
def test_another_instance_never_lowers_the_score(model, problem, seed, spread):
    X, y = problem
    model.fit(X, y)
    rng = np.random.default_rng(seed)
    new = rng.normal(0, spread, (len(X), X.n_features)).astype(X.values.dtype)
    larger = [np.vstack([bag, row]) for bag, row in zip(X, new, strict=True)]
    before, after = scores_of(model, X)[0], scores_of(model, larger)[0]
    rounding = 1e-6 * max(1.0, float(np.abs(before).max()))
    assert (after >= before - rounding).all()
    single = scores_of(model, new)[0]
    close(after, np.maximum(before, single))


@few
@given(maximum, problems())
def test_a_positive_bag_has_a_positive_instance(model, problem):
    X, y = problem
    model.fit(X, y)
    if y.ndim == 1 and len(model.classes_) == 3:
        return
    found = [p.any(axis=0) for p in model.predict_instances(X)]
    assert_array_equal(np.asarray(found), model.predict(X) == 1)


@few
@given(models(poolings=ALONE), problems())
def test_a_bag_of_one_is_its_instance(model, problem):
    X, y = problem
    model.fit(X, y)
    singles = Bags(X.values, np.ones(X.n_instances, dtype=int))
    close(model.decision_function(singles), model.instance_scores(X, flat=True))
    with pytest.warns(UserWarning, match="X is a table"):
        found = model.predict_proba(X.values)
    close(found, model.predict_instances_proba(X, flat=True))
    assert_array_equal(model.attention(singles, flat=True), np.ones(X.n_instances))


SHARES = ("max", "mean", "attention", "gated-attention", "log-sum-exp")
SHARES += ("generalised-mean", "dsmil")


@few
@given(models(poolings=SHARES), problems())
def test_a_bag_given_twice_over_is_the_same_bag(model, problem):
    """True for maxima and weighted means: they know shares, not numbers."""
    X, y = problem
    model.fit(X, y)
    doubled = [np.vstack([bag, bag]) for bag in X]
    close(model.decision_function(doubled), model.decision_function(X))


# -- probabilities and weights -------------------------------------------------


@few
@given(models(), problems())
def test_probabilities_and_attention_sum_to_one(model, problem):
    X, y = problem
    model.fit(X, y)
    bags, instances = (
        model.predict_proba(X),
        model.predict_instances_proba(X, flat=True),
    )
    for proba in (bags, instances):
        assert ((proba >= 0) & (proba <= 1)).all()
        if y.ndim == 1:
            assert_allclose(proba.sum(axis=1), 1, atol=1e-12)
    tolerance = 1e-5 if X.values.dtype == np.float32 else 1e-12
    for weights in model.attention(X):
        assert (weights >= 0).all()
        assert_allclose(weights.sum(), 1, atol=tolerance)


@few
@given(models(), problems())
def test_classes_follow_from_scores(model, problem):
    X, y = problem
    model.fit(X, y)
    proba, scores = model.predict_proba(X), model.decision_function(X)
    if y.ndim == 2:
        assert_array_equal(model.predict(X), scores > 0)
    else:
        best = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        assert_array_equal(model.predict(X), model.classes_[best])
        order = (proba[:, 1] if scores.ndim == 1 else proba).ravel()
        assert np.all(np.diff(order[np.argsort(scores.ravel())]) >= 0) or (
            scores.ndim == 2
        )
    assert_allclose(model.predict_log_proba(X), np.log(proba), atol=1e-12)


# -- containers ----------------------------------------------------------------


def object_array(items):
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def every_container(bags):
    """Yield the same bags in everything that holds bags."""
    items = [np.array(bag) for bag in bags]
    yield "list", items
    yield "tuple", tuple(items)
    yield "object array", object_array(items)
    yield "object column", object_array(items)[:, None]
    yield "Series", pd.Series(items, index=range(5, 5 + len(items)))
    yield "one-column frame", pd.DataFrame({"bag": items})
    yield "tensors", [torch.from_numpy(bag) for bag in items]
    yield "frames", [pd.DataFrame(bag) for bag in items]
    yield "column-major bags", [np.asfortranarray(bag) for bag in items]
    yield "column-major store", Bags(np.asfortranarray(bags.values), bags.lengths)
    yield "concatenation", Bags.concat([bags[:2], bags[2:]])
    yield "reversed twice", bags[::-1].compact()[::-1]
    noise = np.full_like(bags.values[:3], 99)
    inner = np.concatenate([noise, bags.values, noise])
    yield "view", Bags(inner, [3, *bags.lengths, 3])[1:-1]
    sealed = np.array(bags.values)
    sealed.flags.writeable = False
    yield "read-only", Bags(sealed, bags.lengths)
    swapped = bags.values.astype(bags.values.dtype.newbyteorder())
    yield "other byte order", Bags(swapped, bags.lengths)
    if len(set(bags.lengths.tolist())) == 1:
        yield "3-D array", np.stack(items)
        yield "3-D tensor", torch.from_numpy(np.stack(items))


# Some ten containers are fitted for each example.
@pytest.mark.parametrize("even", [False, True])
@settings(few, max_examples=4)
@given(models(), problems())
def test_every_container_gives_the_same_model_and_predictions(even, model, problem):
    X, y = problem
    if even:
        X = Bags(X.values[: len(X)], np.ones(len(X), dtype=int))
    expected = clone(model).fit(X, y)
    scores = expected.decision_function(X)
    for name, data in every_container(X):
        if name == "nested lists":
            if X.values.dtype != np.float64:
                continue
            data = [bag.tolist() for bag in X]
        found = expected.decision_function(data)
        assert_array_equal(found, scores, err_msg=f"predicting {name}")
        other = clone(model).fit(data, y)
        assert other.loss_curve_ == expected.loss_curve_, name
        assert_array_equal(
            other.decision_function(X), scores, err_msg=f"fitted on {name}"
        )
        assert_array_equal(
            expected.instance_scores(data, flat=True),
            expected.instance_scores(X, flat=True),
            err_msg=name,
        )


@few
@given(models(), problems(min_bags=8), st.data())
def test_a_view_trains_like_its_compact_copy(model, problem, data):
    X, y = problem
    chosen = data.draw(
        st.lists(st.integers(0, len(X) - 1), min_size=6, max_size=14).filter(
            lambda rows: len(np.unique(y[rows], axis=0)) == len(np.unique(y, axis=0))
        )
    )
    by_view = clone(model).fit(X[chosen], y[chosen])
    by_copy = clone(model).fit(X[chosen].compact(), y[chosen])
    assert by_view.loss_curve_ == by_copy.loss_curve_
    for method in ("decision_function", "transform"):
        assert_array_equal(
            getattr(by_view, method)(X[chosen]),
            getattr(by_copy, method)(X[chosen].compact()),
        )


@pytest.mark.parametrize("mode", ["r", "c", "r+"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_memory_mapped_stores(mode, dtype, tmp_path):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 3)).astype(dtype)
    np.save(tmp_path / "values.npy", values)
    mapped = np.load(tmp_path / "values.npy", mmap_mode=mode)
    lengths, y = np.tile([1, 2, 2, 5], 4), np.arange(16) % 2
    model = MILClassifier(max_epochs=2, random_state=0)
    expected = clone(model).fit(Bags(values, lengths), y)
    found = model.fit(Bags(mapped, lengths), y)
    assert found.loss_curve_ == expected.loss_curve_
    assert_array_equal(
        found.decision_function(Bags(mapped, lengths)),
        expected.decision_function(Bags(values, lengths)),
    )
    assert_array_equal(np.load(tmp_path / "values.npy"), values)


def test_files_read_when_needed(tmp_path):
    rng = np.random.default_rng(0)
    bags = [rng.normal(size=(n, 3)) for n in (1, 4, 2, 3, 5, 2)]
    for number, bag in enumerate(bags):
        np.save(tmp_path / f"bag{number}.npy", bag)
    lazy, y = Bags.from_files(tmp_path), np.arange(6) % 2
    model = MILClassifier(max_epochs=2, random_state=0)
    expected = clone(model).fit(bags, y).decision_function(bags)
    # Mean and deviation of the inputs are added up file by file.
    found = model.fit(lazy, y).decision_function(lazy)
    assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


# -- nothing is changed, and nothing is forgotten ------------------------------


def content(*arrays):
    """Return all bits of arrays: comparing pickles would compare references, too."""
    return [(array.dtype, array.shape, array.tobytes()) for array in arrays]


@few
@given(models(), problems(), st.booleans())
def test_inputs_are_never_changed(model, problem, as_list):
    X, y = problem
    store = np.array(X.values)  # writeable: a change would go unnoticed otherwise
    X = Bags(store, X.lengths)
    weight = np.linspace(0.5, 2.0, len(X))
    before = content(X.values, X.lengths, y, weight)
    data = [np.array(bag) for bag in X] if as_list else X
    labels = y.tolist() if as_list else y
    model.fit(data, labels, sample_weight=weight)
    model.partial_fit(data, labels, sample_weight=weight)
    for name in (*OUTPUTS, *INSTANCE_OUTPUTS, "predict", "predict_instances"):
        getattr(model, name)(data)
    model.score(data, labels, sample_weight=weight)
    if as_list:
        assert content(Bags.from_list(data).values) == content(store)
        assert labels == y.tolist()
    assert content(X.values, X.lengths, y, weight) == before


@few
@given(models(), problems())
def test_what_is_returned_can_be_written_to(model, problem):
    X, y = problem
    model.fit(X, y)
    scores = model.decision_function(X)
    for name in OUTPUTS:
        getattr(model, name)(X)[...] = 0
    for name in INSTANCE_OUTPUTS:
        for part in getattr(model, name)(X):
            part[...] = 0
    assert_array_equal(model.decision_function(X), scores)


@few
@given(models(), problems())
def test_fitting_twice_gives_the_same_model(model, problem):
    X, y = problem
    first = clone(model).fit(X, y)
    torch.rand(3)
    second = clone(first).fit(X, y)
    again = first.decision_function(X)
    assert first.loss_curve_ == second.loss_curve_
    assert_array_equal(second.decision_function(X), again)
    assert_array_equal(first.fit(X, y).decision_function(X), again)


def by_joblib(model):
    file = BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


@few
@given(models(), problems())
def test_copies_predict_the_same_to_the_last_bit(model, problem):
    X, y = problem
    model.fit(X, y)
    names = (*OUTPUTS, "predict", *INSTANCE_OUTPUTS)
    for copied in (
        copy.deepcopy(model),
        copy.copy(model),
        pickle.loads(pickle.dumps(model)),
        by_joblib(model),
        pickle.loads(pickle.dumps(by_joblib(model), protocol=2)),
    ):
        for name in names:
            found, expected = getattr(copied, name)(X), getattr(model, name)(X)
            for f, e in zip(found, expected, strict=True):
                assert_array_equal(f, e)
        assert copied.loss_curve_ == model.loss_curve_
        assert copied.history_.equals(model.history_)
        assert repr(copied.get_params()) == repr(model.get_params())
        assert not copied.net_.module_.training


@few
@given(models(), problems())
def test_a_copy_is_independent(model, problem):
    X, y = problem
    model.fit(X, y)
    expected = model.decision_function(X)
    other = copy.deepcopy(model)
    other.partial_fit(X, y)
    assert_array_equal(model.decision_function(X), expected)
    before = other.decision_function(X)
    model.partial_fit(X, y)
    assert_array_equal(other.decision_function(X), before)
