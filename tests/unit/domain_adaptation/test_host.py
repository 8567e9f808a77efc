"""Tensors that are not on the host, and masked arrays: numpy misreads either."""

import numpy as np
import pytest
import torch

from mlmi_sklearn import ImportanceWeightedClassifier


class Elsewhere(torch.Tensor):
    """Stands for a tensor on an accelerator, which numpy cannot read."""

    def __array__(self, *args, **kwargs):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


def away(values):
    return torch.as_tensor(values).as_subclass(Elsewhere)


@pytest.fixture(params=["dann", "weighted"])
def make(request, dann):
    if request.param == "dann":
        return dann
    return lambda: ImportanceWeightedClassifier(random_state=0)


def same(model, other, X):
    return np.array_equal(model.predict_proba(X), other.predict_proba(X))


def test_markers_are_found_in_tensors_of_an_accelerator(toy, make):
    """Unread, -1 would be learnt as a class."""
    X, y, ids = toy
    masked = np.where(ids < 0, -1, y)
    model = make().fit(away(X), away(masked))
    assert model.classes_.tolist() == [0, 1, 2]
    assert (model.n_source_, model.n_target_) == (40, 30)
    assert same(model, make().fit(X, masked), X)


def test_all_arguments_may_be_tensors_of_an_accelerator(toy, make):
    X, y, ids = toy
    weight = np.linspace(0.5, 2, 70)
    model = make().fit(away(X), away(y), away(ids), away(weight))
    assert same(model, make().fit(X, y, ids, weight), X)
    s = ids > 0
    options = {"sample_weight": weight[s], "X_target": X[~s]}
    apart = make().fit(X[s], y[s], **options)
    options = {name: away(value) for name, value in options.items()}
    assert same(make().fit(away(X[s]), away(y[s]), **options), apart, X)


def test_scores_read_ids_of_domains_as_well(toy, make):
    X, y, ids = toy
    masked, weight = np.where(ids < 0, y, -1), np.linspace(0.5, 2, 70)
    model = make().fit(X, y, ids)
    want = model.score(X, masked, ids, weight)
    assert model.score(away(X), away(masked), away(ids), away(weight)) == want
    assert want != model.score(X, y, ids * 0)


@pytest.mark.parametrize("params", [{"label_shift": "em"}, {"selection": "check"}])
@pytest.mark.filterwarnings("ignore::mlmi_sklearn.exceptions.DomainWarning")
def test_options_that_look_at_labels_read_them_as_well(toy, dann, params):
    X, y, ids = toy
    model = dann(**params).fit(away(X), away(y), away(ids))
    assert same(model, dann(**params).fit(X, y, ids), X)


def test_what_a_masked_array_hides_is_the_target(toy, make):
    X, y, ids = toy
    model = make().fit(X, np.ma.masked_array(y, ids < 0))
    assert (model.n_source_, model.n_target_) == (40, 30)
    assert model.classes_.tolist() == [0, 1, 2]
    assert same(model, make().fit(X, np.where(ids < 0, -1, y)), X)


@pytest.mark.parametrize("dtype", [int, "U1", object])
def test_hidden_labels_leave_the_type_of_the_others(toy, make, dtype):
    X, y, ids = toy
    y = y.astype(dtype)
    model = make().fit(X, np.ma.masked_array(y, ids < 0))
    assert model.classes_.tolist() == sorted(set(y.tolist()))


def test_none_marks_the_target_among_whole_numbers(toy, make):
    X, y, ids = toy
    marked = np.where(ids < 0, None, y)
    assert same(make().fit(X, marked), make().fit(X, np.where(ids < 0, -1, y)), X)


def test_a_hidden_weight_is_missing_also_beside_a_target_apart(toy, make):
    X, y, ids = toy
    s = ids > 0
    weight = np.ma.masked_array(np.ones(40), np.arange(40) == 3)
    with pytest.raises(ValueError, match="sample_weight contains NaN"):
        make().fit(X[s], y[s], sample_weight=weight, X_target=X[~s])


def test_weights_that_are_no_array_are_named_beside_a_target_apart(toy, make):
    X, y, ids = toy
    s = ids > 0
    with pytest.raises(ValueError, match=r"^sample_weight: "):
        make().fit(X[s], y[s], sample_weight=[1.0, [2.0, 3.0]], X_target=X[~s])
