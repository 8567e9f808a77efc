"""What the losses compute, beside formulas and MONAI itself."""

from __future__ import annotations

import monai.losses
import pytest
import torch
from mlmi_sklearn_monai.losses import Dice, DiceCE, Focal, Tversky
from torch.nn import functional

RAW = torch.tensor(
    [[1.0, -2.0, 0.5], [0.0, 0.3, 3.0], [-1.0, -1.0, 2.0]], dtype=torch.float64
)
CODES = torch.tensor([0, 1, 2])
SETS = torch.tensor([[1, 0, 1], [0, 0, 0], [1, 1, 1]])


def test_dice_of_one_class_is_what_the_others_are_given():
    truth = RAW.softmax(dim=1)[torch.arange(3), CODES]
    torch.testing.assert_close(Dice(smooth=0)(RAW, CODES), 1 - truth)


def test_dice_of_sets():
    p, t, s = RAW.sigmoid(), SETS.double(), 1e-5
    expected = 1 - (2 * (p * t).sum(1) + s) / (p.sum(1) + t.sum(1) + s)
    torch.testing.assert_close(Dice("sigmoid")(RAW, SETS), expected)


def test_dice_is_monais_with_classes_for_pixels():
    theirs = monai.losses.DiceLoss(sigmoid=True, jaccard=True, reduction="mean")
    expected = [
        theirs(r[None, None], t[None, None]) for r, t in zip(RAW, SETS, strict=True)
    ]
    found = Dice("sigmoid", jaccard=True)(RAW, SETS)
    torch.testing.assert_close(found, torch.stack(expected))


def test_dice_ce_is_the_sum():
    for raw, target, activation in ((RAW, CODES, "softmax"), (RAW, SETS, "sigmoid")):
        if activation == "softmax":
            entropy = functional.cross_entropy(raw, target, reduction="none")
        else:
            entropy = functional.binary_cross_entropy_with_logits(
                raw, target.double(), reduction="none"
            ).mean(dim=1)
        found = DiceCE(activation, lambda_dice=2.0, lambda_ce=0.5)(raw, target)
        expected = 2 * Dice(activation)(raw, target) + 0.5 * entropy
        torch.testing.assert_close(found, expected)


def test_tversky_with_equal_weights_is_dice():
    for activation, target in (("softmax", CODES), ("sigmoid", SETS)):
        expected = Dice(activation, smooth=0)(RAW, target)
        torch.testing.assert_close(Tversky(activation, smooth=0)(RAW, target), expected)


def test_tversky_punishes_what_it_is_told_to():
    missed, false_alarm = torch.tensor([[1, 1]]), torch.tensor([[0, 1]])
    raw = torch.tensor([[-4.0, 4.0]])
    careful, bold = Tversky("sigmoid", 0.1, 0.9), Tversky("sigmoid", 0.9, 0.1)
    assert careful(raw, missed) > bold(raw, missed)
    raw = torch.tensor([[4.0, 4.0]])
    assert careful(raw, false_alarm) < bold(raw, false_alarm)


def test_focal():
    p = RAW.softmax(dim=1)[torch.arange(3), CODES]
    torch.testing.assert_close(
        Focal(gamma=2.0)(RAW, CODES), -((1 - p) ** 2) * p.log(), rtol=1e-5, atol=1e-6
    )
    entropy = functional.cross_entropy(RAW, CODES, reduction="none")
    torch.testing.assert_close(
        Focal(gamma=0.0)(RAW, CODES), entropy, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("loss", [Dice, DiceCE, Tversky, Focal])
def test_one_score_for_two_classes(loss):
    single = torch.tensor([[0.7], [-1.2]])
    double = torch.cat([torch.zeros(2, 1), single], dim=1)
    target = torch.tensor([1, 1])
    torch.testing.assert_close(loss()(single, target), loss()(double, target))


@pytest.mark.parametrize("loss", [Dice, DiceCE, Tversky, Focal])
def test_bad_input(loss):
    with pytest.raises(ValueError, match="activation='relu' must be 'softmax'"):
        loss("relu")
    with pytest.raises(ValueError, match="several labels needs activation='sigmoid'"):
        loss()(RAW, SETS)
    assert (loss("softmax").link, loss("sigmoid").link) == ("softmax", "sigmoid")


@pytest.mark.parametrize("loss", [Dice, DiceCE, Tversky, Focal])
@pytest.mark.parametrize("scale", [0.0, 1e3])
def test_finite(loss, scale):
    for activation, target in (("softmax", CODES), ("sigmoid", SETS)):
        raw = (scale * RAW).requires_grad_()
        value = loss(activation)(raw, target)
        value.sum().backward()
        assert value.isfinite().all()
        assert raw.grad.isfinite().all()
