"""Values from raw outputs: kinds, drawn categories, gates, gradients, shares."""

import copy
import pickle

import numpy as np
import pytest
import torch
from scipy.stats import kstest
from torch.autograd import gradcheck

from mlmi_sklearn.nn.generation.blocks import Block, OutputActivation
from mlmi_sklearn.nn.generation.gumbel import (
    gumbel_from_normal,
    gumbel_softmax,
    share_shift,
)

BLOCKS = [
    Block("linear", 0, 1, gate=2),
    Block("softmax", 2, 5),
    Block("sigmoid", 1, 2),
    Block("softmax", 5, 7),
    Block("tanh", 7, 8),
    Block("softmax", 8, 11),
    Block("linear", 11, 12),
]


def normal(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=dtype)


@pytest.fixture
def activation():
    return OutputActivation(BLOCKS)


def test_each_block_gets_its_function(activation):
    raw = normal(6, 12)
    out = activation(raw)
    torch.testing.assert_close(out[:, 2:5], raw[:, 2:5].softmax(1))
    torch.testing.assert_close(out[:, 5:7], raw[:, 5:7].softmax(1))
    torch.testing.assert_close(out[:, 8:11], raw[:, 8:11].softmax(1))
    torch.testing.assert_close(out[:, 1], raw[:, 1].sigmoid())
    torch.testing.assert_close(out[:, 7], raw[:, 7].tanh())
    torch.testing.assert_close(out[:, 0], raw[:, 0] * out[:, 2])
    torch.testing.assert_close(out[:, 11], raw[:, 11])


def test_each_block_has_noise_of_its_own_in_the_order_of_columns(activation):
    raw, noise = normal(4, 12), normal(4, 8, seed=1)
    out = activation(raw, noise)
    for columns, own in (
        (slice(2, 5), slice(0, 3)),
        (slice(5, 7), slice(3, 5)),
        (slice(8, 11), slice(5, 8)),
    ):
        alone = gumbel_softmax(raw[:, columns], noise[:, own])
        torch.testing.assert_close(out[:, columns], alone)


@pytest.mark.parametrize("noisy", [True, False])
def test_gradients(activation, noisy):
    noise = normal(3, 8, seed=1) if noisy else None
    raw = normal(3, 12).requires_grad_()
    assert gradcheck(lambda r: activation(r, noise), raw)


@pytest.mark.parametrize("kind", ["linear", "sigmoid", "tanh"])
def test_gradients_of_one_kind_on_images(kind):
    activation = OutputActivation([Block(kind, 0, 2)])
    raw = normal(2, 2, 3, 4).requires_grad_()
    assert activation(raw).shape == raw.shape
    assert gradcheck(activation, raw)


def test_hard_is_zeros_and_ones_exactly_with_the_gradient_of_soft(activation):
    raw, noise = normal(50, 12, dtype=torch.float32), normal(50, 8, seed=1).float()
    weight = normal(50, 12, seed=2).float()
    weight[:, 0] = 0  # the gate multiplies another value
    grads = []
    for hard in (True, False):
        own = raw.clone().requires_grad_()
        out = activation(own, noise, hard)
        (out * weight).sum().backward()
        grads.append(own.grad)
        if hard:
            for block in BLOCKS:
                if block.kind == "softmax":
                    p = out[:, block.start : block.stop]
                    assert ((p == 0) | (p == 1)).all()
                    assert (p.sum(1) == 1).all()
            assert ((out[:, 0] == raw[:, 0]) | (out[:, 0] == 0)).all()
    torch.testing.assert_close(grads[0][:, 1:], grads[1][:, 1:])
    assert OutputActivation(BLOCKS, hard=True)(raw, noise).equal(
        activation(raw, noise, True)
    )


def test_categories_come_as_often_as_their_probabilities_say():
    p = torch.tensor([0.9, 0.07, 0.03])
    n = 40_000
    activation = OutputActivation([Block("softmax", 0, 3)])
    drawn = activation(p.log().repeat(n, 1), normal(n, 3).float(), hard=True).mean(0)
    error = (p * (1 - p) / n).sqrt()
    assert ((drawn - p).abs() < 4 * error).all()


def test_noise_has_a_gumbel_distribution():
    found = gumbel_from_normal(normal(5000)).numpy()
    assert kstest(found, "gumbel_r").pvalue > 0.01


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extremes_stay_finite(dtype):
    activation = OutputActivation([Block("softmax", 0, 2)])
    raw = torch.tensor([[1e4, -1e4], [0.0, 0.0]], dtype=dtype, requires_grad=True)
    noise = torch.tensor([[-1e3, 1e3], [40.0, -40.0]], dtype=dtype)
    out = activation(raw, noise)
    out.square().sum().backward()
    assert torch.isfinite(out).all()
    assert torch.isfinite(raw.grad).all()
    assert torch.isfinite(gumbel_from_normal(noise)).all()


def test_a_row_does_not_depend_on_its_companions(activation):
    raw, noise = normal(20, 12), normal(20, 8, seed=1)
    together = activation(raw, noise, True)
    alone = torch.cat(
        [activation(raw[i : i + 1], noise[i : i + 1], True) for i in range(20)]
    )
    assert together.equal(alone)


def test_without_noise_features_empty_noise_is_fine():
    activation = OutputActivation([Block("linear", 0, 1), Block("sigmoid", 1, 2)])
    assert activation.noise_features == 0
    assert activation(torch.zeros(3, 2), torch.zeros(3, 0)).tolist() == [[0, 0.5]] * 3


def test_it_copies_pickles_and_keeps_its_type(activation):
    raw, noise = normal(3, 12), normal(3, 8)
    for other in (copy.deepcopy(activation), pickle.loads(pickle.dumps(activation))):
        assert other(raw, noise).equal(activation(raw, noise))
    assert activation(raw.float(), noise.float()).dtype == torch.float32
    assert list(activation.state_dict()) == ["shift"]
    assert "3 softmax" in repr(activation)


def test_shares_are_matched_whatever_the_net_prefers(activation):
    raw = 3 * normal(2000, 12) + torch.linspace(-2, 2, 12)
    shares = torch.zeros(12)
    for block, own in zip(
        [b for b in activation.blocks if b.kind == "softmax"],
        ([0.89, 0.1, 0.01], [0.5, 0.5], [0.05, 0.05, 0.9]),
        strict=True,
    ):
        shares[block.start : block.stop] = torch.tensor(own)
    before = activation(raw)
    activation.match_shares(raw, shares)
    after = activation(raw)
    for block in activation.blocks:
        own = slice(block.start, block.stop)
        if block.kind == "softmax":
            torch.testing.assert_close(
                after[:, own].mean(0).float(), shares[own], atol=2e-4, rtol=0
            )
        elif block.gate == -1:
            assert after[:, own].equal(before[:, own])
    fresh = OutputActivation(BLOCKS)
    fresh.load_state_dict(activation.state_dict())
    assert fresh(raw).equal(after)


def test_shares_of_what_is_never_drawn_end_in_a_finite_shift():
    logits = torch.tensor([[500.0, 0.0]]).repeat(10, 1).double()
    shift = share_shift(logits, torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert torch.isfinite(shift).all()
    assert shift.abs().max() <= 20


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([Block("linear", 1, 2)], "from column 0"),
        ([Block("linear", 0, 2), Block("tanh", 1, 3)], "from column 2"),
        ([Block("linear", 0, 2), Block("tanh", 3, 4)], "from column 2"),
        ([Block("linear", 0, 0)], "from column 0"),
        ([Block("softmx", 0, 2)], "Did you mean 'softmax'"),
        ([Block("linear", 0, 1, 0)], "gate"),
        ([Block("softmax", 0, 2), Block("softmax", 2, 4, 0)], "gate"),
        ([Block("softmax", 0, 2), Block("linear", 2, 3, 5)], "gate"),
    ],
)
def test_wrong_blocks(blocks, message):
    with pytest.raises(ValueError, match=message):
        OutputActivation(blocks)


@pytest.mark.parametrize("temperature", [0, -1, np.inf, "low", True])
def test_wrong_temperature(temperature):
    with pytest.raises(ValueError, match="temperature"):
        OutputActivation(BLOCKS, temperature)


def test_wrong_widths(activation):
    with pytest.raises(ValueError, match=r"raw must have shape \(B, 12\)"):
        activation(torch.zeros(2, 11))
    with pytest.raises(ValueError, match=r"noise must have shape \(2, 8\)"):
        activation(torch.zeros(2, 12), torch.zeros(2, 7))
