"""A pooling that breaks its contract in one way is caught, and told what to do."""

import numpy as np
import pytest
import torch
from torch import nn

from mlmi_sklearn.nn.poolings import AttentionPooling, MeanPooling


class Softmax(nn.Module):
    """A sound pooling to derive faulty ones from."""

    weighted_mean = True

    def __init__(self, in_features):
        super().__init__()
        self.out_features = in_features
        self.score = nn.Linear(in_features, 1)

    def weigh(self, values, segments):
        return segments.softmax(self.score(values).squeeze(1))

    def forward(self, values, segments):
        weights = self.weigh(values, segments)
        return segments.weighted_sum(values, weights), weights


class PaddingLeak(Softmax):
    def weigh(self, values, segments):
        padded, mask = segments.to_padded(self.score(values).squeeze(1))
        return padded.softmax(1)[mask]  # zeros of the padding take part


class BatchSoftmax(Softmax):
    def weigh(self, values, segments):
        weights = self.score(values).squeeze(1).softmax(0)
        return weights / segments.broadcast(segments.sum(weights)) * weights.sum()


class BatchCentred(Softmax):
    def forward(self, values, segments):
        return super().forward(values - values.mean(0), segments)


class FirstCounts(Softmax):
    def weigh(self, values, segments):
        weights = torch.zeros(len(values), dtype=values.dtype)
        weights[segments.offsets[:-1]] = 1.0
        return weights + 0 * self.score(values).squeeze(1)


class Unnormalised(Softmax):
    weighted_mean = False

    def weigh(self, values, segments):
        return torch.sigmoid(self.score(values).squeeze(1))


class Negative(Softmax):
    def weigh(self, values, segments):
        raw = self.score(values).squeeze(1)
        mean = segments.broadcast(segments.mean(raw))
        return raw - mean + segments.broadcast(segments.lengths.to(raw) ** -1.0)


class NotTheMean(Softmax):
    def forward(self, values, segments):
        pooled, weights = super().forward(values, segments)
        return 2 * pooled, weights


class Detached(Softmax):
    def weigh(self, values, segments):
        return super().weigh(values, segments).detach()


class NaNGradient(Softmax):
    def forward(self, values, segments):
        pooled, weights = super().forward(values, segments)
        return pooled + (values[:1] - values[:1]).sum().abs().sqrt(), weights


class WrongShape(Softmax):
    def forward(self, values, segments):
        pooled, weights = super().forward(values, segments)
        return pooled, weights.unsqueeze(1)


class WrongWidth(Softmax):
    def __init__(self, in_features):
        super().__init__(in_features)
        self.out_features = in_features + 1


class OnlyPooled(Softmax):
    def forward(self, values, segments):
        return super().forward(values, segments)[0]


class InPlace(Softmax):
    def forward(self, values, segments):
        if not values.requires_grad:
            values.mul_(0.5)
        return super().forward(values, segments)


class Noisy(Softmax):
    def weigh(self, values, segments):
        noise = torch.rand(len(values), dtype=values.dtype)
        return segments.softmax(self.score(values).squeeze(1) + noise)


class NumpyNoise(Softmax):
    def weigh(self, values, segments):
        scores = self.score(values).squeeze(1)
        if self.training:
            scores = scores + float(np.random.rand())  # cancels in the softmax
            scores = scores * float(np.random.rand())
        return segments.softmax(scores)


class RandomStart(Softmax):
    def __init__(self, in_features):
        super().__init__(in_features)
        self.score.weight.data[:] = torch.from_numpy(np.random.rand(1, in_features))


class Cached(Softmax):
    def __init__(self, in_features):
        super().__init__(in_features)
        self.kept = nn.Linear(in_features, 1)
        self.frozen = [self.kept.weight.detach().clone()]

    def weigh(self, values, segments):
        scores = values @ self.frozen[0].to(values.dtype).T
        extra = 0 * self.kept(values) + self.score(values)
        return segments.softmax((scores + extra).squeeze(1))


class Overflow(Softmax):
    def weigh(self, values, segments):
        power = self.score(values).squeeze(1).exp()
        return power / segments.broadcast(segments.sum(power))


class TopThree(Softmax):
    weighted_mean = False

    def forward(self, values, segments):
        parts = values.split(segments.lengths.tolist())
        pooled = torch.stack([part.topk(3, dim=0).values.mean(0) for part in parts])
        return pooled, self.weigh(values, segments)


class SinglePrecision(Softmax):
    def forward(self, values, segments):
        pooled, weights = super().forward(values, segments)
        return pooled, weights.float()


class Viewing(Softmax):
    def forward(self, values, segments):
        flat = values.view(-1)
        return super().forward(flat.view(values.shape), segments)


class Unsaid(Softmax):
    weighted_mean = None


class Unused(Softmax):
    def __init__(self, in_features):
        super().__init__(in_features)
        self.spare = nn.Parameter(torch.zeros(2))


FAULTS = [
    (PaddingLeak, "check_companions_do_not_matter", "of 3 depends on the other bags"),
    (PaddingLeak, "check_weights", "weights of a bag do not sum to one"),
    (BatchSoftmax, "check_companions_do_not_matter", "never over the batch"),
    (BatchCentred, "check_companions_do_not_matter", "(found alone)"),
    (FirstCounts, "check_order_of_instances", "depends on the order of the instances"),
    (FirstCounts, "check_ties", "order of instances that tie"),
    (Unnormalised, "check_weights", "Divide them by segments.broadcast"),
    (Unnormalised, "check_bag_of_one", "the weight in a bag of one is not 1"),
    (Negative, "check_weights", "a weight is -"),
    (NotTheMean, "check_weighted_mean", "Set weighted_mean = False"),
    (Detached, "check_gradients", "no gradient reaches parameter 'score."),
    (NaNGradient, "check_gradients", "the gradient of the input holds NaN"),
    (WrongShape, "check_shapes", "not [(1, 8), (1,)]"),
    (WrongWidth, "check_shapes", "not [(1, 9), (1,)]"),
    (OnlyPooled, "check_shapes", "forward returned a Tensor. Return a tuple of two"),
    (InPlace, "check_input_is_left_alone", "forward changed its input"),
    (Noisy, "check_evaluation_is_deterministic", "only if self.training"),
    (NumpyNoise, "check_seed", "not from numpy's"),
    (RandomStart, "check_seed", "it has different weights"),
    (Cached, "check_functional_call", "store no tensor made of them"),
    (Cached, "check_copies", "parameters and registered buffers"),
    (Overflow, "check_extreme_values", "Subtract the maximum of the bag before exp"),
    (TopThree, "check_shapes", "it raised RuntimeError"),
    (TopThree, "check_bag_of_one", "out of range"),
    (SinglePrecision, "check_precision", "weights is torch.float32 for input"),
    (Viewing, "check_layout_does_not_matter", "view"),
    (Unsaid, "check_attributes", "its attribute weighted_mean is None"),
    (Unused, "check_gradients", "Use it in forward, or remove it"),
    (lambda n: None, "check_shapes", "NoneType"),
    (lambda n: dict, "check_attributes", "Return a torch.nn.Module"),
]


def name_of(value):
    return getattr(value, "__name__", None)


@pytest.mark.parametrize(("factory", "check", "words"), FAULTS, ids=name_of)
def test_faults_are_caught(failures, factory, check, words):
    found = failures("pooling", factory, example={"in_features": 8})
    assert check in found, found
    assert words in found[check]
    assert found[check].startswith(f"pooling 'toy' of 'user' fails {check}: ")
    assert "(Rule: " in found[check]


@pytest.mark.parametrize("factory", [Softmax, MeanPooling, AttentionPooling])
def test_sound_ones_pass(failures, factory):
    assert failures("pooling", factory) == {}


# -- what a pooling may offer beyond --------------------------------------------------


class WithInstances(Softmax):
    weighted_mean = False

    def instances(self, values, segments):
        return values


class InstancesOfTheBatch(WithInstances):
    def instances(self, values, segments):
        return values - values.mean(0)


class InstancesElsewhere(WithInstances):
    def instances(self, values, segments):
        return values + 1


class InstancesTooFew(WithInstances):
    def instances(self, values, segments):
        return values[:, :-1]


class Head(nn.Module):
    """A sound pooling with a head of its own."""

    weighted_mean, owns_head = True, True

    def __init__(self, in_features, n_outputs=1):
        super().__init__()
        self.out_features = in_features
        self.attend, self.head = (
            nn.Linear(in_features, 1),
            nn.Linear(in_features, n_outputs),
        )

    def forward(self, values, segments):
        weights = segments.softmax(self.attend(values).squeeze(1))
        return segments.weighted_sum(values, weights), weights

    def score(self, values, segments):
        pooled, weights = self(values, segments)
        return self.head(pooled), self.head(values), weights

    def auxiliary_loss(self, values, segments, target, criterion):
        return criterion(self.head(segments.max(values)), target)


class HeadForgetsWeights(Head):
    def score(self, values, segments):
        return super().score(values, segments)[:2]


class HeadForgetsInstances(Head):
    def score(self, values, segments):
        raw, instances, weights = super().score(values, segments)
        return raw, instances[:, :1], weights


class HeadSeesTheBatch(Head):
    def score(self, values, segments):
        raw, instances, weights = super().score(values, segments)
        return raw - raw.mean(0), instances, weights


class HeadOtherWeights(Head):
    def score(self, values, segments):
        raw, instances, weights = super().score(values, segments)
        return raw, instances, torch.zeros_like(weights)


class ReducedAuxiliary(Head):
    def auxiliary_loss(self, *args):
        return super().auxiliary_loss(*args).mean()


class AuxiliaryOfNothing(Head):
    def auxiliary_loss(self, values, segments, target, criterion):
        parts = values.split(segments.lengths.tolist())
        rest = torch.stack(
            [part[1:].mean() for part in parts]
        )  # nothing in bags of one
        return super().auxiliary_loss(values, segments, target, criterion) + rest


class Schedule(Softmax):
    progress = 1.0

    def set_progress(self, share):
        self.progress = share

    def weigh(self, values, segments):
        sharpness = self.progress if self.training else 1.0
        return segments.softmax(sharpness * self.score(values).squeeze(1))


class ScheduleInEvaluation(Schedule):
    def weigh(self, values, segments):
        return segments.softmax(self.progress * self.score(values).squeeze(1))


class ScheduleDividesByZero(Schedule):
    def weigh(self, values, segments):
        scale = 1 / self.progress if self.training and self.progress else 1.0
        if self.training and not self.progress:
            scale = float("nan")
        return segments.softmax(scale * self.score(values).squeeze(1))


@pytest.mark.parametrize(
    ("factory", "check", "words"),
    [
        (InstancesOfTheBatch, "check_instances_in_context", "depend on the other bags"),
        (InstancesElsewhere, "check_instances_in_context", "bags of one differ"),
        (InstancesTooFew, "check_instances_in_context", "where (82, 8) is due"),
        (HeadForgetsWeights, "check_own_head", "Return (scores of bags"),
        (HeadForgetsInstances, "check_own_head", "scores of instances: (82, 1)"),
        (HeadSeesTheBatch, "check_own_head", "depends on the other bags"),
        (HeadOtherWeights, "check_own_head", "Compute them once"),
        (ReducedAuxiliary, "check_auxiliary_loss", "auxiliary_loss: (), where (7,)"),
        (AuxiliaryOfNothing, "check_auxiliary_loss", "avoid the mean of nothing"),
        (ScheduleInEvaluation, "check_progress", "Use the schedule only if"),
        (ScheduleDividesByZero, "check_progress", "finite at its ends"),
    ],
    ids=name_of,
)
def test_faults_of_extras_are_caught(failures, factory, check, words):
    found = failures("pooling", factory)
    assert check in found, found
    assert words in found[check]


@pytest.mark.parametrize("factory", [WithInstances, Head, Schedule])
def test_sound_extras_pass(failures, factory):
    assert failures("pooling", factory) == {}
