"""The set kernel against its double sum, its approximations, and SVC on top."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics.pairwise import pairwise_kernels, rbf_kernel
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from mlmi_sklearn import Bags, InstanceWise, NormalizedSetKernel
from mlmi_sklearn.mil import normalized_set_kernel

PARAMS = {
    "rbf": {"gamma": 0.2},
    "linear": {},
    "poly": {"gamma": 0.2, "degree": 2, "coef0": 1},
    "laplacian": {"gamma": 0.2},
    "cosine": {},
}


def double_sum(first, second, kernel):
    out = np.empty((len(first), len(second)))
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            out[i, j] = pairwise_kernels(a, b, metric=kernel, **PARAMS[kernel]).sum()
    return out


@pytest.mark.parametrize("kernel", PARAMS)
@pytest.mark.parametrize("normalization", ["feature-space", "average", None])
def test_against_the_double_sum(kernel, normalization, witness):
    train, _ = witness(7)
    new, _ = witness(5, seed=4)
    expected = double_sum(new, train, kernel)
    if normalization == "average":
        expected /= new.lengths[:, None] * train.lengths
    elif normalization == "feature-space":
        own = [np.diagonal(double_sum(b, b, kernel)) for b in (new, train)]
        expected /= np.sqrt(own[0])[:, None] * np.sqrt(own[1])
    params = {**PARAMS[kernel], "normalization": normalization}
    out = normalized_set_kernel(new, train, kernel=kernel, **params)
    assert_allclose(out, expected, rtol=1e-9)
    model = NormalizedSetKernel(kernel, **params).fit(train)
    assert_allclose(model.transform(new), expected, rtol=1e-9)


@pytest.mark.parametrize("kernel", PARAMS)
def test_positive_definite_with_unit_diagonal(kernel, witness):
    bags, _ = witness()
    K = normalized_set_kernel(bags, kernel=kernel)
    assert_allclose(K, K.T, atol=1e-12)
    assert_allclose(np.diagonal(K), 1)
    assert np.linalg.eigvalsh(K).min() > -1e-9


def test_callable_kernel_gets_matrices(witness):
    bags, _ = witness()
    expected = normalized_set_kernel(bags, kernel="rbf", gamma=0.5)

    def kernel(A, B):
        return rbf_kernel(A, B, gamma=0.5)

    assert_allclose(normalized_set_kernel(bags, kernel=kernel), expected)


def test_bags_of_zeros_have_kernel_zero_under_a_linear_kernel():
    bags = Bags(np.array([[0.0], [0.0], [3.0]]), [2, 1])
    out = NormalizedSetKernel("linear").fit_transform(bags)
    assert_allclose(out, [[0, 0], [0, 1]])


@pytest.mark.parametrize("normalization", ["feature-space", "average", None])
@pytest.mark.parametrize(
    ("approximation", "n_components", "tolerance"),
    [("nystroem", 10_000, 1e-6), ("rff", 20_000, 0.03)],
)
def test_explicit_maps_approximate_the_kernel(
    normalization, approximation, n_components, tolerance, witness
):
    train, _ = witness(12)
    new, _ = witness(6, seed=5)
    exact = NormalizedSetKernel(normalization=normalization).fit(train)
    model = NormalizedSetKernel(
        normalization=normalization,
        approximation=approximation,
        n_components=n_components,
        random_state=0,
    ).fit(train)
    out = model.transform(new) @ model.transform(train).T
    if approximation == "nystroem":  # exact on the instances it has seen
        new, out = train, model.transform(train) @ model.transform(train).T
    expected = exact.transform(new)
    assert_allclose(out, expected, atol=tolerance * np.abs(expected).max())


def test_svc_in_pipeline_and_search(witness):
    bags, y = witness(40)
    labels = np.array(["no", "yes"])[y]
    model = make_pipeline(
        InstanceWise(), NormalizedSetKernel(), SVC(kernel="precomputed", C=10)
    )
    found = cross_val_predict(model, bags, labels, cv=4)
    assert (found == labels).mean() > 0.8
    grid = {"normalizedsetkernel__gamma": ["scale", 0.01], "svc__C": [1, 10]}
    search = GridSearchCV(model, grid, cv=3, error_score="raise").fit(bags, labels)
    assert search.score(bags, labels) > 0.8


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"kernel": "linear", "approximation": "rff"}, "is for kernel='rbf'"),
        ({"kernel": rbf_kernel, "approximation": "nystroem"}, "by name"),
        ({"kernel": "sigmoid"}, "kernel"),
        ({"gamma": 0.0}, "gamma"),
        ({"normalization": "none"}, "normalization"),
        ({"n_components": 0}, "n_components"),
    ],
)
def test_bad_parameters_leave_a_fitted_kernel_usable(params, message, witness):
    bags, _ = witness()
    model = NormalizedSetKernel().fit(bags)
    before = model.get_params()
    expected = model.transform(bags)
    with pytest.raises(ValueError, match=message):
        model.set_params(**params).fit(bags[:5])
    assert_allclose(model.set_params(**before).transform(bags), expected)


def test_function_refuses_what_does_not_fit(witness):
    bags, _ = witness()
    with pytest.raises(ValueError, match="features"):
        normalized_set_kernel(bags, bags.with_values(bags.values[:, :2]))
    with pytest.raises(ValueError, match="kernel"):
        normalized_set_kernel(bags, kernel="nonsense")
