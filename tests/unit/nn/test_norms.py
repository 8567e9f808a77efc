import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mlmi_sklearn import Bags, MILClassifier, NetClassifier
from mlmi_sklearn.nn.norms import BatchNorm1d, BatchNorm2d, BatchNorm3d, row_weights

CASES = [(BatchNorm1d, ()), (BatchNorm1d, (5,)), (BatchNorm2d, (4, 3)),
         (BatchNorm3d, (2, 3, 2))]  # fmt: skip


def pair(cls, **params):
    torch.manual_seed(0)
    one, two = cls(3, **params).double(), cls(3, **params).double()
    if one.affine:
        nn.init.normal_(one.weight)
        nn.init.normal_(one.bias)
    two.load_state_dict(one.state_dict())
    return one, two


@pytest.mark.parametrize(("cls", "grid"), CASES)
@pytest.mark.parametrize("momentum", [0.1, None])
@given(counts=st.lists(st.integers(1, 4), min_size=2, max_size=6))
def test_weights_are_repetitions(cls, grid, momentum, counts):
    weighted, plain = pair(cls, momentum=momentum)
    x = torch.randn(len(counts), 3, *grid, dtype=torch.float64)
    counts = torch.tensor(counts)
    for _ in range(2):
        with row_weights([weighted], counts.double()):
            found = weighted(x)
        expected = plain(x.repeat_interleave(counts, dim=0))
        firsts = counts.cumsum(0) - counts
        torch.testing.assert_close(found, expected[firsts])
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(weighted.state_dict()[name], value)


@pytest.mark.parametrize(("cls", "grid"), CASES)
def test_without_weights_or_in_evaluation_it_is_torchs_own(cls, grid):
    norm = cls(3)
    plain = cls.__mro__[2](3)
    x = torch.randn(6, 3, *grid)
    assert torch.equal(norm(x), plain(x))
    norm.eval(), plain.eval()
    with row_weights([norm], torch.rand(6)):
        assert torch.equal(norm(x), plain(x))


@pytest.mark.parametrize("params", [{"affine": False}, {"track_running_stats": False}])
def test_parts_may_be_missing(params):
    norm, _ = pair(BatchNorm1d, **params)
    x = torch.randn(5, 3, dtype=torch.float64)
    with row_weights([norm], torch.ones(5)):
        out = norm(x)
    torch.testing.assert_close(out, pair(BatchNorm1d, **params)[0](x))


def test_weights_are_taken_away_even_after_an_error():
    norm = BatchNorm1d(3)
    with (
        pytest.raises(ValueError, match="expected 2D or 3D"),
        row_weights([norm], torch.ones(2)),
    ):
        norm(torch.zeros(2))
    assert norm.row_weight is None


@pytest.mark.parametrize("backbone", ["conv", "conv4", "resnet", "unet"])
def test_weights_of_images_count_like_repetitions(backbone):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 16, 16)), np.arange(12) % 2
    weight = rng.integers(0, 4, 12)
    models = [NetClassifier(backbone, max_epochs=3, random_state=0) for _ in range(2)]
    models[0].fit(X, y, sample_weight=weight)
    models[1].fit(X.repeat(weight, axis=0), y.repeat(weight))
    scores = [m.decision_function(X) for m in models]
    np.testing.assert_allclose(*scores, rtol=1e-6, atol=1e-8)


def test_weights_of_bags_reach_their_instances():
    rng = np.random.default_rng(0)
    bags = Bags(rng.normal(size=(20, 16, 16)), [3, 5, 4, 2, 6])
    y, weight = np.array([0, 1, 0, 1, 1]), np.array([2, 1, 0, 3, 1])
    models = [MILClassifier("conv", max_epochs=3, random_state=0) for _ in range(2)]
    models[0].fit(bags, y, sample_weight=weight)
    models[1].fit(bags[np.arange(5).repeat(weight)], y.repeat(weight))
    scores = [m.decision_function(bags) for m in models]
    np.testing.assert_allclose(*scores, rtol=1e-6, atol=1e-8)


def test_the_default_for_images_sees_contrast():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    X = rng.normal(size=(300, 16, 16)) * (1 + 2 * y[:, None, None])
    X = X.astype(np.float32)
    model = NetClassifier(max_epochs=15, random_state=0)
    assert model.fit(X[:200], y[:200]).score(X[200:], y[200:]) > 0.95
    # Why it is not group normalisation, which hides contrast from the net.
    model.set_params(backbone="conv", backbone__norm="group")
    assert model.fit(X[:200], y[:200]).score(X[200:], y[200:]) < 0.7
