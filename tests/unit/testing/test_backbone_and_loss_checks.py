"""Backbones and losses that break their contract in one way are caught."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mlmi_sklearn.nn.backbones import MLP
from mlmi_sklearn.nn.losses import BCE, MSE, CrossEntropy


def name_of(value):
    return getattr(value, "__name__", None)


class Sound(nn.Module):
    """A sound backbone to derive faulty ones from."""

    def __init__(self, input_shape):
        super().__init__()
        self.out_features = 5
        self.layer = nn.Linear(input_shape[0], 5)

    def forward(self, x):
        return self.layer(x)


class BatchStatistics(Sound):
    def forward(self, x):
        return self.layer(x - x.mean(0))


class Unlabelled(Sound):
    def __init__(self, input_shape):
        super().__init__(input_shape)
        del self.out_features


class Squeezed(Sound):
    def forward(self, x):
        return self.layer(x).squeeze(0)


class Reversed(Sound):
    def forward(self, x):
        return self.layer(x).flip(0)


class Dropping(Sound):
    def forward(self, x):
        return F.dropout(self.layer(x), 0.5)


class Constant(Sound):
    def forward(self, x):
        return self.layer(0 * x)


class Normalising(Sound):
    def forward(self, x):
        out = self.layer(x)
        return (out - out.detach()[:1]) / x.std(1, keepdim=True)


class Rectifying(Sound):
    def forward(self, x):
        if not x.requires_grad:
            x.clamp_(min=0)
        return self.layer(x)


@pytest.mark.parametrize(
    ("factory", "check", "words"),
    [
        (BatchStatistics, "check_companions_do_not_matter", "only if self.training"),
        (Unlabelled, "check_shapes", "its attribute out_features is None"),
        (Squeezed, "check_shapes", "1 samples of shape (20,) became (5,)"),
        (Reversed, "check_order_of_rows", "do not follow the order of the samples"),
        (Dropping, "check_evaluation_is_deterministic", "two calls in evaluation mode"),
        (Constant, "check_gradients", "the gradient of the input is zero everywhere"),
        (Normalising, "check_training_mode", "divides by a variance of zero"),
        (Rectifying, "check_input_is_left_alone", "forward changed its input"),
        (lambda shape: "no", "check_shapes", "its factory returned a str"),
    ],
    ids=name_of,
)
def test_faulty_backbones(failures, factory, check, words):
    found = failures("backbone", factory, tags={"input": "vector"})
    assert check in found, found
    assert words in found[check]


@pytest.mark.parametrize("factory", [Sound, MLP])
def test_sound_backbones(failures, factory):
    assert failures("backbone", factory, example={"input_shape": (7,)}) == {}


# -- losses ---------------------------------------------------------------------------


class SaysSigmoid(CrossEntropy):
    link = "sigmoid"


class SaysSoftmax(BCE):
    link = "softmax"


class SaysLogit(CrossEntropy):
    link = "logit"


class Reduced(CrossEntropy):
    def forward(self, raw, target):
        return super().forward(raw, target).mean()


class Centred(CrossEntropy):
    def forward(self, raw, target):
        value = super().forward(raw, target)
        return value - value.mean()


class Naive(CrossEntropy):
    def forward(self, raw, target):
        if raw.shape[1] == 1:
            raw = torch.cat([torch.zeros_like(raw), raw], 1)
        if target.ndim == 2:
            raise ValueError("several labels are not supported")
        likely = raw.exp() / raw.exp().sum(1, keepdim=True)
        return -likely.gather(1, target[:, None]).log().squeeze(1)


class Backwards(CrossEntropy):
    def forward(self, raw, target):
        return super().forward(-raw, target)


class Hungry(MSE):
    def forward(self, raw, target):
        raw.mul_(1.0)
        target.add_(1.0)
        return super().forward(raw, target)


class RewardsDistance(MSE):
    def forward(self, raw, target):
        return -super().forward(raw, target)


class Single(MSE):
    def forward(self, raw, target):
        return super().forward(raw, target).float()


class SquareRoot(MSE):
    def forward(self, raw, target):
        return super().forward(raw - raw, target - target).sqrt()


@pytest.mark.parametrize(
    ("factory", "task", "check", "words"),
    [
        (
            SaysSigmoid,
            "classification",
            "check_link_is_the_right_one",
            "Is it link = 's",
        ),
        (SaysSoftmax, "classification", "check_link_is_the_right_one", "'sigmoid'?"),
        (SaysLogit, "classification", "check_link", "its attribute link is 'logit'"),
        (
            SaysSigmoid,
            "regression",
            "check_link",
            "regression loss with link 'sigmoid'",
        ),
        (Reduced, "classification", "check_is_unreduced", "gave (), not (1,)"),
        (Reduced, "classification", "check_multi_label", "6 examples gave ()"),
        (
            Centred,
            "classification",
            "check_rows_are_independent",
            "depends on the others",
        ),
        (Naive, "classification", "check_extreme_scores", "Use log_softmax"),
        (Backwards, "classification", "check_direction", "wants low scores"),
        (
            Hungry,
            "regression",
            "check_arguments_are_left_alone",
            "changed its arguments",
        ),
        (RewardsDistance, "regression", "check_direction", "further off lose less"),
        (Single, "regression", "check_is_unreduced", "losses of torch.float32"),
        (
            SquareRoot,
            "regression",
            "check_extreme_scores",
            "the gradient for one target",
        ),
        (dict, "regression", "check_link", "Make it callable"),
    ],
    ids=name_of,
)
def test_faulty_losses(failures, factory, task, check, words):
    found = failures("loss", factory, tags={"task": task})
    assert check in found, found
    assert words in found[check]


@pytest.mark.parametrize("factory", [CrossEntropy, BCE, MSE])
def test_sound_losses_need_no_tag(failures, factory):
    assert failures("loss", factory) == {}


def test_a_loss_may_refuse_several_labels(failures):
    assert "check_multi_label" not in failures("loss", Naive)
