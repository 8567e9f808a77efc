"""The maximum that begins smooth, for training only."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mlmi_sklearn.nn.backbones import Linear
from mlmi_sklearn.nn.models import BagPredictor
from mlmi_sklearn.nn.poolings import MaxPooling
from mlmi_sklearn.nn.segments import Segments

LENGTHS = [1, 4, 2, 7]


def draw(seed=0, columns=2):
    torch.manual_seed(seed)
    return torch.randn(sum(LENGTHS), columns, dtype=torch.float64) * 3


def pooled(progress, values, train=True, **params):
    pooling = MaxPooling(values.shape[1], **params).train(train)
    pooling.set_progress(progress)
    return pooling(values, Segments(LENGTHS))[0]


@given(progress=st.floats(0, 0.79), seed=st.integers(0, 99))
def test_it_falls_to_the_maximum_with_progress(progress, seed):
    values = draw(seed)
    segments = Segments(LENGTHS)
    smooth, later = pooled(progress, values), pooled(progress + 0.01, values)
    sharpness = 10 ** (progress / 0.8)
    sizes = torch.tensor(LENGTHS, dtype=torch.float64).log()[:, None]
    assert (smooth >= segments.max(values) - 1e-12).all()
    assert (smooth <= segments.max(values) + sizes / sharpness + 1e-12).all()
    assert (later <= smooth + 1e-12).all()


def test_large_bags_of_undecided_instances_are_all_alike():
    segments = Segments([16, 17, 160, 1600])
    pooling = MaxPooling(1).train()
    pooling.set_progress(0.0)
    smooth = pooling(torch.zeros(segments.n_values, 1), segments)[0]
    assert torch.allclose(smooth, torch.tensor(16.0).log())


@given(seed=st.integers(0, 99), progress=st.floats(0, 1))
def test_it_never_falls_when_a_score_rises(seed, progress):
    values = draw(seed)
    higher = values + torch.rand_like(values)
    assert (pooled(progress, higher) >= pooled(progress, values)).all()


def test_every_instance_gets_a_gradient_at_first_and_one_at_the_end():
    for progress, expected in ((0.0, sum(LENGTHS)), (0.8, len(LENGTHS))):
        values = draw(columns=1).requires_grad_()
        pooled(progress, values).sum().backward()
        assert int((values.grad != 0).sum()) == expected


@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
def test_evaluation_is_exact(progress):
    values = draw()
    exact = Segments(LENGTHS).max(values)
    assert torch.equal(pooled(progress, values, train=False), exact)
    assert torch.equal(pooled(progress, values, anneal=0.0), exact)


def test_a_pooling_on_its_own_is_exact():
    values = draw()
    pooling = MaxPooling(2).train()
    assert torch.equal(
        pooling(values, Segments(LENGTHS))[0], Segments(LENGTHS).max(values)
    )


def test_bags_of_one_are_exact():
    values = draw()
    pooling = MaxPooling(2).train()
    pooling.set_progress(0.0)
    ones = Segments([1] * len(values))
    assert torch.equal(pooling(values, ones)[0], values)


@pytest.mark.parametrize("anneal", [-0.1, 1.1, "half"])
def test_anneal_is_a_share(anneal):
    with pytest.raises(ValueError, match="anneal must be a number in"):
        MaxPooling(2, anneal=anneal)


def test_only_poolings_of_scores_are_told():
    for level, told in (("instance", 0.25), ("embedding", 1.0)):
        model = BagPredictor(Linear((3,)), MaxPooling, 1, level)
        model.set_progress(0.25)
        assert model.pooling.progress == told
