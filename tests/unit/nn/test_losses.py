"""Losses against scikit-learn, torch and formulas, at the edges and out of range."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import expit, softmax
from sklearn.metrics import hinge_loss, log_loss, mean_pinball_loss
from torch.autograd import gradcheck

from mlmi_sklearn.nn.losses import (
    BCE,
    MSE,
    CrossEntropy,
    Focal,
    GeneralisedCrossEntropy,
    Hinge,
    Huber,
    Quantile,
    SmoothL1,
)

CLASSIFICATION = [
    CrossEntropy(),
    CrossEntropy(label_smoothing=0.1),
    BCE(),
    BCE(label_smoothing=0.1),
    Focal(),
    Focal(gamma=0.5),
    Focal(gamma=0.0),
    GeneralisedCrossEntropy(),
    GeneralisedCrossEntropy(q=1.0),
    Hinge(),
    Hinge(squared=True),
]
REGRESSION = [MSE(), Huber(), SmoothL1(), SmoothL1(beta=0), Quantile()]


def ids(loss):
    """Name a loss with its parameters."""
    params = {k: v for k, v in vars(loss).items() if not k.startswith("_")}
    params.pop("training", None)
    return f"{type(loss).__name__}{params}"


classification = pytest.mark.parametrize("loss", CLASSIFICATION, ids=ids)
regression = pytest.mark.parametrize("loss", REGRESSION, ids=ids)


def problem(kind, dtype=torch.float64, scale=3.0, n=12, k=4):
    """Raw scores and a target of each of the three kinds."""
    raw = scale * torch.randn(n, 1 if kind == "binary" else k, dtype=dtype)
    target = {
        "binary": torch.randint(0, 2, (n,)),
        "codes": torch.randint(0, k, (n,)),
        "labels": torch.randint(0, 2, (n, k)).to(dtype),
    }[kind]
    return raw, target


kinds = pytest.mark.parametrize("kind", ["binary", "codes", "labels"])


# -- what holds for all ----------------------------------------------------------------


@classification
@kinds
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_value_an_example_in_the_type_of_the_scores(loss, kind, dtype):
    raw, target = problem(kind, dtype)
    losses = loss(raw, target)
    assert losses.shape == (12,)
    assert losses.dtype == dtype
    assert (losses >= 0).all()


@classification
@kinds
def test_gradients(loss, kind):
    raw, target = problem(kind)
    assert gradcheck(lambda r: loss(r, target), raw.requires_grad_())


@classification
@kinds
@pytest.mark.parametrize("scale", [0.0, 1e4])
def test_extreme_scores_stay_finite(loss, kind, scale):
    raw, target = problem(kind, torch.float32, n=40)
    raw = (scale * raw.sign()).requires_grad_()
    losses = loss(raw, target)
    losses.sum().backward()
    assert torch.isfinite(losses).all()
    assert torch.isfinite(raw.grad).all()


@classification
@kinds
def test_examples_do_not_see_each_other(loss, kind):
    raw, target = problem(kind)
    whole = loss(raw, target)
    single = torch.cat([loss(raw[i : i + 1], target[i : i + 1]) for i in range(12)])
    torch.testing.assert_close(whole, single)


@classification
def test_one_column_means_the_same_with_codes_and_memberships(loss):
    raw, target = problem("binary")
    for other in (target.double(), target.unsqueeze(1), target.unsqueeze(1).double()):
        torch.testing.assert_close(loss(raw, other), loss(raw, target))


@classification
def test_labels_are_independent_binary_problems(loss):
    raw, target = problem("labels")
    columns = [loss(raw[:, [j]], target[:, j]) for j in range(raw.shape[1])]
    torch.testing.assert_close(loss(raw, target), torch.stack(columns).mean(0))
    torch.testing.assert_close(loss(raw, target.long()), loss(raw, target))


@pytest.mark.parametrize(
    "loss", [x for x in CLASSIFICATION if x.link == "softmax"], ids=ids
)
def test_one_logit_is_a_softmax_over_zero_and_the_logit(loss):
    raw, target = problem("binary")
    pair = torch.cat((torch.zeros_like(raw), raw), 1)
    torch.testing.assert_close(loss(raw, target), loss(pair, target))


@classification
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64, torch.uint8])
def test_codes_of_any_integer_type(loss, dtype):
    raw, target = problem("codes")
    torch.testing.assert_close(loss(raw, target.to(dtype)), loss(raw, target))


@pytest.mark.parametrize("loss", CLASSIFICATION + REGRESSION, ids=ids)
def test_losses_have_no_parameters_and_a_link(loss):
    assert not list(loss.parameters())
    assert not list(loss.buffers())
    assert loss.link in {"softmax", "sigmoid", "identity"}


def test_links():
    losses = [CrossEntropy, Focal, GeneralisedCrossEntropy, BCE, Hinge, MSE, Quantile]
    assert [loss.link for loss in losses] == [
        *["softmax"] * 3,
        "sigmoid",
        *["identity"] * 3,
    ]


# -- wrong targets ---------------------------------------------------------------------


@classification
@pytest.mark.parametrize("shape", [(11,), (12, 3), (12, 4, 1), ()])
def test_a_target_of_another_shape_is_refused(loss, shape):
    raw, _ = problem("codes")
    with pytest.raises(ValueError, match=r"class codes of shape \(12,\) or member"):
        loss(raw, torch.zeros(shape, dtype=torch.int64))


@classification
def test_real_codes_of_several_classes_are_refused(loss):
    raw, target = problem("codes")
    with pytest.raises(
        ValueError, match=r"must hold integer class codes, got torch\.f"
    ):
        loss(raw, target.double())


@classification
def test_scores_without_columns_are_refused(loss):
    with pytest.raises(ValueError, match=r"use raw\.unsqueeze\(1\)"):
        loss(torch.zeros(3), torch.zeros(3))


@regression
@pytest.mark.parametrize("shape", [(11,), (12,), (12, 3), (12, 2, 1)])
def test_a_regression_target_of_another_shape_is_refused(loss, shape):
    with pytest.raises(ValueError, match=r"asks for a target of shape \(12, 2\)"):
        loss(torch.zeros(12, 2), torch.zeros(shape))


# -- cross-entropies -------------------------------------------------------------------


def test_cross_entropy_is_log_loss():
    raw, target = problem("codes")
    expected = log_loss(target, softmax(raw.numpy(), axis=1), labels=range(4))
    assert CrossEntropy()(raw, target).mean().item() == pytest.approx(expected)


def test_binary_cross_entropy_is_log_loss():
    raw, target = problem("binary")
    expected = log_loss(target, expit(raw[:, 0].numpy()))
    for loss in (CrossEntropy(), BCE()):
        assert loss(raw, target).mean().item() == pytest.approx(expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.2, 1.0])
def test_smoothing_spreads_the_target(smoothing):
    raw, target = problem("codes")
    spread = (1 - smoothing) * F.one_hot(target, 4) + smoothing / 4
    expected = -(spread * raw.log_softmax(1)).sum(1)
    torch.testing.assert_close(CrossEntropy(smoothing)(raw, target), expected)


def test_bce_reads_codes_one_versus_the_rest():
    raw, target = problem("codes")
    torch.testing.assert_close(
        BCE()(raw, target), BCE()(raw, F.one_hot(target, 4).double())
    )


def test_bce_smoothing_moves_targets_to_one_half():
    raw, target = problem("labels")
    expected = F.binary_cross_entropy_with_logits(
        raw, 0.9 * target + 0.05, reduction="none"
    ).mean(1)
    torch.testing.assert_close(BCE(label_smoothing=0.1)(raw, target), expected)


# -- focal -----------------------------------------------------------------------------


@kinds
def test_focal_without_focus_is_cross_entropy(kind):
    raw, target = problem(kind)
    torch.testing.assert_close(
        Focal(gamma=0.0)(raw, target), CrossEntropy()(raw, target)
    )


def test_focal_follows_the_paper():
    raw, target = problem("codes")
    p = raw.softmax(1).gather(1, target.unsqueeze(1)).squeeze(1)
    torch.testing.assert_close(
        Focal(gamma=1.5)(raw, target), -((1 - p) ** 1.5) * p.log()
    )


def test_alpha_weighs_the_classes():
    raw, target = problem("codes")
    alpha = (0.1, 0.2, 0.3, 4.0)
    weights = torch.tensor(alpha, dtype=torch.float64)[target]
    for given in (alpha, np.array(alpha)):
        torch.testing.assert_close(
            Focal(alpha=given)(raw, target), weights * Focal()(raw, target)
        )


@pytest.mark.parametrize("alpha", [0.25, (0.75, 0.25)])
def test_alpha_of_a_binary_problem_is_that_of_class_one(alpha):
    raw, target = problem("binary")
    weights = torch.where(target == 1, 0.25, 0.75).double()
    torch.testing.assert_close(
        Focal(alpha=alpha)(raw, target), weights * Focal()(raw, target)
    )
    pair = torch.cat((torch.zeros_like(raw), raw), 1)
    torch.testing.assert_close(
        Focal(alpha=alpha)(raw, target), Focal(alpha=alpha)(pair, target)
    )


@pytest.mark.parametrize(("alpha", "n"), [(0.25, 4), ((0.1, 0.2, 0.7), 4)])
def test_alpha_of_another_number_of_classes_is_refused(alpha, n):
    raw, target = problem("codes", k=n)
    with pytest.raises(ValueError, match=r"alpha has \d weights, .* has 4 classes"):
        Focal(alpha=alpha)(raw, target)


# -- generalised cross-entropy ---------------------------------------------------------


def test_gce_follows_the_paper():
    raw, target = problem("codes")
    p = raw.softmax(1).gather(1, target.unsqueeze(1)).squeeze(1)
    torch.testing.assert_close(
        GeneralisedCrossEntropy(q=0.7)(raw, target), (1 - p**0.7) / 0.7
    )


def test_gce_tends_to_cross_entropy():
    raw, target = problem("codes")
    torch.testing.assert_close(
        GeneralisedCrossEntropy(q=1e-9)(raw, target),
        CrossEntropy()(raw, target),
        rtol=1e-6,
        atol=1e-6,
    )


def test_gce_with_q_one_is_half_the_absolute_error():
    raw, target = problem("codes")
    error = (raw.softmax(1) - F.one_hot(target, 4)).abs().sum(1)
    torch.testing.assert_close(GeneralisedCrossEntropy(q=1.0)(raw, target), error / 2)


# -- hinge -----------------------------------------------------------------------------


def test_binary_hinge_is_that_of_scikit_learn():
    raw, target = problem("binary", scale=1.0)
    expected = hinge_loss(target, raw[:, 0].numpy())
    assert Hinge()(raw, target).mean().item() == pytest.approx(expected)


def test_multiclass_hinge_is_that_of_scikit_learn():
    raw, target = problem("codes", scale=1.0)
    expected = hinge_loss(target, raw.numpy(), labels=range(4))
    assert Hinge()(raw, target).mean().item() == pytest.approx(expected)


def test_hinge_margin_and_square():
    raw = torch.tensor([[2.0, 0.5]])
    assert Hinge(margin=2.0)(raw, torch.tensor([0])).item() == 0.5
    assert Hinge(margin=2.0, squared=True)(raw, torch.tensor([0])).item() == 0.25


# -- regression ------------------------------------------------------------------------

NUMPY = {
    "MSE": lambda e: e**2,
    "Huber": lambda e: np.where(abs(e) < 1, e**2 / 2, abs(e) - 0.5),
    "SmoothL1": lambda e: np.where(abs(e) < 1, e**2 / 2, abs(e) - 0.5),
    "Quantile": lambda e: abs(e) / 2,
}


@pytest.mark.parametrize("loss", [MSE(), Huber(), SmoothL1(), Quantile()], ids=ids)
@pytest.mark.parametrize("k", [1, 3])
def test_regression_formulas(loss, k):
    raw, target = torch.randn(2, 12, k, dtype=torch.float64)
    expected = NUMPY[type(loss).__name__]((raw - target).numpy()).mean(1)
    np.testing.assert_allclose(loss(raw, target), expected)


@regression
def test_one_column_never_broadcasts(loss):
    raw, target = torch.randn(12, 1), torch.randn(12)
    losses = loss(raw, target)
    assert losses.shape == (12,)
    torch.testing.assert_close(losses, loss(raw, target.unsqueeze(1)))


@regression
def test_targets_take_the_type_of_the_scores(loss):
    raw, target = torch.randn(12, 2), torch.randint(-5, 5, (12, 2))
    assert loss(raw, target).dtype == torch.float32
    assert loss(raw, target.double()).dtype == torch.float32


@regression
def test_regression_gradients(loss):
    raw = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    target = torch.randn(6, 2, dtype=torch.float64)
    assert gradcheck(lambda r: loss(r, target), raw)


def test_parameters_set_the_bend():
    error = torch.tensor([[0.1], [5.0]])
    zero = torch.zeros(2)
    torch.testing.assert_close(
        Huber(delta=2.0)(error, zero), torch.tensor([0.005, 2 * (5 - 1)])
    )
    torch.testing.assert_close(
        SmoothL1(beta=2.0)(error, zero), torch.tensor([0.0025, 5 - 1])
    )
    torch.testing.assert_close(SmoothL1(beta=0)(error, zero), error.squeeze(1))


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_quantile_is_the_pinball_loss(q):
    raw, target = torch.randn(2, 30, dtype=torch.float64)
    expected = mean_pinball_loss(target, raw, alpha=q)
    found = Quantile(q)(raw.unsqueeze(1), target).mean().item()
    assert found == pytest.approx(expected, rel=1e-12)


def test_several_quantiles_of_several_targets():
    levels, target = (0.1, 0.5, 0.9), torch.randn(12, 2, dtype=torch.float64)
    raw = torch.randn(12, 6, dtype=torch.float64)
    loss = Quantile(levels)
    assert loss.outputs_per_target == 3
    parts = [
        Quantile(q)(raw[:, [3 * t + j]], target[:, t])
        for t in range(2)
        for j, q in enumerate(levels)
    ]
    torch.testing.assert_close(loss(raw, target), torch.stack(parts).mean(0))


def test_the_best_constant_is_the_quantile():
    target = torch.randn(999, dtype=torch.float64)
    guess = torch.linspace(-3, 3, 601, dtype=torch.float64)
    means = [Quantile(0.8)(g.expand(999, 1), target).mean() for g in guess]
    best = guess[int(torch.stack(means).argmin())]
    assert best.item() == pytest.approx(target.quantile(0.8).item(), abs=0.02)


# -- parameters out of range -----------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CrossEntropy(-0.1), r"label_smoothing must be .* \[0, 1\], got -0\.1"),
        (lambda: CrossEntropy(1.1), "label_smoothing must be"),
        (lambda: CrossEntropy("a"), "label_smoothing must be"),
        (lambda: CrossEntropy(math.nan), "label_smoothing must be"),
        (lambda: CrossEntropy(True), "label_smoothing must be"),
        (lambda: BCE(2), "label_smoothing must be"),
        (lambda: Focal(gamma=-1), r"gamma must be a number in \[0, inf\), got -1"),
        (lambda: Focal(gamma=math.inf), "gamma must be"),
        (lambda: Focal(alpha=1.5), r"alpha must be a number in \[0, 1\]"),
        (lambda: Focal(alpha=(1, -1)), "every entry of alpha must be"),
        (
            lambda: GeneralisedCrossEntropy(q=0),
            r"q must be a number in \(0, 1\], got 0",
        ),
        (lambda: GeneralisedCrossEntropy(q=1.01), "q must be"),
        (lambda: Hinge(margin=0), r"margin must be a number in \(0, inf\)"),
        (lambda: Huber(delta=0), r"delta must be a number in \(0, inf\)"),
        (lambda: SmoothL1(beta=-1), "beta must be"),
        (lambda: Quantile(q=0), r"q must be a number in \(0, 1\), got 0"),
        (lambda: Quantile(q=(0.5, 1)), "q must be"),
        (lambda: Quantile(q=()), "q must name at least one level"),
    ],
)
def test_parameters_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
