"""The module of two domains, and statistics that are swapped."""

import pytest
import torch
from torch import nn

from mlmi_sklearn.nn.adaptation import (
    DomainPredictor,
    class_probabilities,
    has_batch_statistics,
    set_statistics,
)
from mlmi_sklearn.nn.backbones import MLP
from mlmi_sklearn.nn.norms import BatchNorm1d


def model(**params):
    torch.manual_seed(0)
    return DomainPredictor(
        MLP((4,), hidden=(6,), **params), nn.Linear(6, 3), nn.Identity()
    )


def test_what_is_returned():
    net = model().eval()
    x = torch.randn(5, 4)
    raw, z = net(x, features=True)
    assert torch.equal(net(x), raw)
    assert torch.equal(net.embed(x), z)
    assert torch.equal(net.embed_and_score(x), torch.cat([z, raw], 1))
    assert torch.equal(net.head(z), raw)
    assert net.out_features == 6


def test_has_batch_statistics():
    assert has_batch_statistics(model(norm="batch"))
    assert not has_batch_statistics(model(norm="layer"))
    for part in (nn.BatchNorm2d(2), nn.BatchNorm3d(2), BatchNorm1d(2)):
        assert has_batch_statistics(nn.Sequential(part))
    assert not has_batch_statistics(nn.GroupNorm(1, 2))


def test_statistics_of_several_batches_are_averaged():
    norm = nn.BatchNorm1d(2, momentum=0.3)
    batches = [torch.randn(8, 2) + k for k in range(3)]
    for x in batches:
        norm(x * 9)
    set_statistics(norm, batches)
    torch.testing.assert_close(
        norm.running_mean, torch.stack([x.mean(0) for x in batches]).mean(0)
    )
    torch.testing.assert_close(
        norm.running_var, torch.stack([x.var(0) for x in batches]).mean(0)
    )
    assert norm.momentum == 0.3
    assert not norm.training


def test_the_rest_stays_as_it_is():
    net = nn.Sequential(
        nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5),
        nn.BatchNorm1d(4, track_running_stats=False),
    )  # fmt: skip
    net.train()
    before = {k: v.clone() for k, v in net.named_parameters()}
    state = torch.get_rng_state()
    set_statistics(net, [torch.randn(6, 3, generator=torch.Generator())])
    assert torch.equal(torch.get_rng_state(), state)  # dropout is off
    assert not any(part.training for part in net.modules())
    for name, value in net.named_parameters():
        assert torch.equal(value, before[name])
        assert value.grad is None


def test_deeper_layers_see_normalised_inputs():
    """Each layer is normalised by its own batch, so one pass is enough."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 4), nn.BatchNorm1d(4))
    x = 5 + 3 * torch.randn(50, 3)
    set_statistics(net, [x])
    out = net(x)
    torch.testing.assert_close(out.mean(0), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(out.var(0), torch.ones(4), atol=3e-2, rtol=0)


def test_momentum_comes_back_after_an_error():
    norm = nn.BatchNorm1d(2)
    with pytest.raises(ValueError, match="more than 1 value"):
        set_statistics(norm, [torch.zeros(1, 2)])
    assert norm.momentum == 0.1
    assert not norm.training


@pytest.mark.parametrize("link", ["softmax", "sigmoid", "identity"])
@pytest.mark.parametrize("width", [1, 2, 5])
def test_probabilities(link, width):
    raw = torch.randn(7, width) * 3
    p = class_probabilities(raw, link)
    assert p.shape == (7, max(width, 2))
    torch.testing.assert_close(p.sum(1), torch.ones(7))
    assert (p >= 0).all()
    if width > 1:
        assert torch.equal(p.argmax(1), raw.argmax(1))
    else:
        assert torch.equal(p.argmax(1), (raw[:, 0] > 0).long())
    labels = class_probabilities(raw, "labels")
    torch.testing.assert_close(labels, raw.sigmoid())


def test_probabilities_that_underflow():
    raw = torch.full((2, 3), -200.0)
    assert torch.isfinite(class_probabilities(raw, "sigmoid")).all()
