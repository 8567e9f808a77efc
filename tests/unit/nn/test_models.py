"""Models of bags: which parts see what, and what one training pass offers."""

import pytest
import torch
from torch import nn

from mlmi_sklearn.nn.backbones import MLP
from mlmi_sklearn.nn.models import BagPredictor
from mlmi_sklearn.nn.poolings import (
    AdditivePooling,
    AttentionPooling,
    CLAMPooling,
    DSMILPooling,
    MaxPooling,
    MeanPooling,
    TransformerPooling,
)
from mlmi_sklearn.nn.segments import Segments

POOLINGS = [MaxPooling, MeanPooling, AttentionPooling, AdditivePooling]
POOLINGS += [TransformerPooling, DSMILPooling, CLAMPooling]
LENGTHS = [3, 1, 4]
N, B = sum(LENGTHS), len(LENGTHS)


class Bags:
    def __init__(self, values, lengths):
        self.values = values
        self.segments = Segments(lengths)


class OwnHead(nn.Module):
    """A pooling that scores bags itself: the smallest that follows the protocol."""

    owns_head = True
    weighted_mean = True
    auxiliary_weight = 0.5

    def __init__(self, in_features, n_outputs=1):
        super().__init__()
        self.out_features = in_features
        self.line = nn.Linear(in_features, n_outputs)

    def forward(self, values, segments):
        return MeanPooling(self.out_features)(values, segments)

    def score(self, values, segments):
        scores = self.line(values)
        return segments.mean(scores), scores, self(values, segments)[1]

    def auxiliary_loss(self, values, segments, target, criterion):
        return self.auxiliary_weight * criterion(
            segments.max(self.line(values)), target
        )


class InContext(MeanPooling):
    """A pooling whose instances know their bag."""

    def instances(self, values, segments):
        return values + segments.broadcast(segments.mean(values))

    def forward(self, values, segments):
        return super().forward(self.instances(values, segments), segments)


def squared(raw, target):
    return (raw - target).square().mean(1)


def bags(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Bags(torch.randn(N, 5, generator=generator), LENGTHS)


def model(pooling, level="instance", n_outputs=2):
    torch.manual_seed(0)
    return BagPredictor(MLP((5,), hidden=(6,)), pooling, n_outputs, level)


@pytest.mark.parametrize("level", ["instance", "embedding"])
@pytest.mark.parametrize(
    "pooling",
    [*POOLINGS, OwnHead, InContext],
)
@pytest.mark.parametrize("instances", [True, False])
def test_a_training_pass_agrees_with_the_single_methods(level, pooling, instances):
    net, batch, target = model(pooling, level), bags(), torch.zeros(B, 2)
    found = net.training_pass(batch, target, squared, instances=instances)
    torch.testing.assert_close(found.raw, net(batch))
    if instances:
        torch.testing.assert_close(found.instances, net.instance_scores(batch))
    else:
        assert found.instances is None
    assert (found.auxiliary is None) == (not net.has_auxiliary_loss)


def test_a_pooling_with_a_head_gets_the_number_of_outputs_and_the_target():
    net, batch = model(OwnHead, n_outputs=3), bags()
    target = torch.randn(B, 3)
    assert net.head is None
    assert net.has_auxiliary_loss
    found = net.training_pass(batch, target, squared, instances=True)
    assert found.raw.shape == (B, 3)
    best = batch.segments.max(net.pooling.line(net.backbone(batch.values)))
    torch.testing.assert_close(found.auxiliary, 0.5 * squared(best, target))
    assert net.embed(batch).shape == (B, net.out_features)
    assert net.attend(batch).shape == (N,)


def test_an_auxiliary_loss_of_no_weight_is_not_computed():
    net = model(OwnHead)
    net.pooling.auxiliary_weight = 0.0
    assert not net.has_auxiliary_loss
    found = net.training_pass(bags(), torch.zeros(B, 2), squared, instances=False)
    assert found.auxiliary is None


def test_the_score_of_a_bag_is_the_maximum_to_the_last_bit():
    net, batch = model(MaxPooling, n_outputs=1), bags()
    best = [s.amax(0) for s in net.instance_scores(batch).split(LENGTHS)]
    assert torch.equal(net(batch), torch.stack(best))


@pytest.mark.parametrize("level", ["instance", "embedding"])
def test_a_pooling_in_context_sees_features_and_scores_its_instances(level):
    net, batch = model(InContext, level), bags()
    assert not net.pools_scores
    features = net.backbone(batch.values)
    expected = net.head(net.pooling.instances(features, batch.segments))
    assert torch.equal(net.instance_scores(batch), expected)
    torch.testing.assert_close(batch.segments.mean(expected), net(batch))


@pytest.mark.parametrize("level", ["instance", "embedding"])
@pytest.mark.parametrize(
    "pooling",
    [*POOLINGS, OwnHead, InContext],
)
def test_a_bag_of_one_scores_as_its_instance(level, pooling):
    net = model(pooling, level)
    ones = Bags(torch.randn(4, 5), [1] * 4)
    torch.testing.assert_close(net(ones), net.instance_scores(ones))
