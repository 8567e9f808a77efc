"""Divergences, sound and faulty."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn


def name_of(value):
    return getattr(value, "__name__", None)


class MeanGap(nn.Module):
    """A sound divergence: squared distance of means."""

    adversarial = False

    def __init__(self, in_features):
        super().__init__()

    def forward(self, zs, zt):
        return (zs.mean(0) - zt.mean(0)).square().sum()


class Critic(nn.Module):
    """A sound divergence with a critic."""

    adversarial = True

    def __init__(self, in_features):
        super().__init__()
        self.critic = nn.Linear(in_features, 1)

    def forward(self, zs, zt):
        return F.softplus(-self.critic(zs)).mean() + F.softplus(self.critic(zt)).mean()


class Paired(MeanGap):
    def forward(self, zs, zt):
        n = min(len(zs), len(zt))
        return (zs[:n] - zt[:n]).square().mean()


class NeverZero(MeanGap):
    def forward(self, zs, zt):
        return 100 + super().forward(zs, zt)


class Closeness(MeanGap):
    def forward(self, zs, zt):
        return -super().forward(zs, zt)


class Vector(MeanGap):
    def forward(self, zs, zt):
        return (zs.mean(0) - zt.mean(0)).square()


class SameSize(MeanGap):
    def forward(self, zs, zt):
        return (zs - zt).mean(0).square().sum()


class NoCritic(MeanGap):
    adversarial = True


class OneSided(MeanGap):
    def forward(self, zs, zt):
        return super().forward(zs, zt.detach())


class Unsaid(MeanGap):
    adversarial = None


class Changing(MeanGap):
    def forward(self, zs, zt):
        if not zs.requires_grad:
            zs.sub_(zs.mean(0))
        return super().forward(zs, zt)


class Weighted(MeanGap):
    """A sound divergence with weights."""

    uses = frozenset({"weights"})

    def forward(self, zs, zt, weights=(None, None)):
        pairs = zip((zs, zt), weights, strict=True)
        means = [self.mean(z, torch.ones(len(z)) if w is None else w) for z, w in pairs]
        return (means[0] - means[1]).square().sum()

    def mean(self, z, w):
        return (w / w.sum()).to(z.dtype) @ z


class AbsoluteWeights(Weighted):
    def mean(self, z, w):
        return (w / len(w)).to(z.dtype) @ z


class SquaredWeights(Weighted):
    def mean(self, z, w):
        return super().mean(z, w.square())


class IgnoredSource(Weighted):
    def forward(self, zs, zt, weights=(None, None)):
        return super().forward(zs, zt, (None, weights[1]))


class UnknownUse(MeanGap):
    uses = frozenset({"weight"})


class ListOfUses(MeanGap):
    uses = ("weights",)


class Silent(Critic):
    """The fault of a library: a softmax over one score is always one."""

    def forward(self, zs, zt):
        p = self.critic(torch.cat([zs, zt])).softmax(1)
        labels = torch.cat([torch.zeros(len(zs), 1), torch.ones(len(zt), 1)])
        return F.binary_cross_entropy(p, labels.to(p))


class Judge(Critic):
    """A sound critic that has an accuracy."""

    @torch.no_grad()
    def domain_accuracy(self, zs, zt):
        right = (self.critic(zs) > 0).float().mean() + (
            self.critic(zt) < 0
        ).float().mean()
        return right / 2


class Contrary(Judge):
    def forward(self, zs, zt):
        return -super().forward(zs, zt)


class Stubborn(Critic):
    """Its gradient is reversed already, which is for the caller to do."""

    def forward(self, zs, zt):
        loss = super().forward(zs, zt)
        return loss.detach() * 2 - loss


class Percent(Judge):
    def domain_accuracy(self, zs, zt):
        return 100 * super().domain_accuracy(zs, zt)


class ErrorRate(Judge):
    def domain_accuracy(self, zs, zt):
        return 1 - super().domain_accuracy(zs, zt)


class PlainNumber(Judge):
    def domain_accuracy(self, zs, zt):
        return float(super().domain_accuracy(zs, zt))


class Disagreeing(Judge):
    def loss_and_accuracy(self, zs, zt):
        return 2 * self(zs, zt), self.domain_accuracy(zs, zt)


class Several(nn.Module):
    """A sound critic that sees classes, and several domains."""

    adversarial = True
    uses = frozenset({"probabilities", "domains"})

    def __init__(self, in_features, n_classes=2, n_domains=2):
        super().__init__()
        self.sizes = n_classes, n_domains
        self.critic = nn.Linear(in_features + n_classes, n_domains)

    def forward(self, zs, zt, probabilities=None, domains=None):
        if probabilities is None:
            probabilities = [torch.zeros(len(z), self.sizes[0]) for z in (zs, zt)]
        if domains is None:
            last = self.sizes[1] - 1
            domains = torch.zeros(len(zs)).long(), torch.full((len(zt),), last)
        losses = [
            F.cross_entropy(self.critic(torch.cat([z, self.see(p).to(z)], 1)), d)
            for z, p, d in zip((zs, zt), probabilities, domains, strict=True)
        ]
        return losses[0] + losses[1]

    def see(self, p):
        return p


class BlindToClasses(Several):
    def see(self, p):
        return 0 * p


class LogOfClasses(Several):
    def see(self, p):
        return p.log()


class BlindToDomains(Several):
    def forward(self, zs, zt, probabilities=None, domains=None):
        return super().forward(zs, zt, probabilities)


class NoSizes(Several):
    def __init__(self, in_features):
        super().__init__(in_features)


@pytest.mark.parametrize(
    ("factory", "check", "words"),
    [
        (AbsoluteWeights, "check_weights", "repeated: by"),
        (SquaredWeights, "check_weights", "rows that are repeated"),
        (IgnoredSource, "check_weights", "Divide sums of weighted rows"),
        (UnknownUse, "check_uses", "its uses names ['weight']"),
        (ListOfUses, "check_uses", "its attribute uses is ('weights',)"),
        (Silent, "check_features_feel_it", "with respect to features is zero"),
        (Contrary, "check_critic_learns", "its accuracy is"),
        (Stubborn, "check_critic_learns", "60 steps of its critic"),
        (Percent, "check_domain_accuracy", "Return a share"),
        (ErrorRate, "check_critic_learns", "after training on distant samples"),
        (PlainNumber, "check_domain_accuracy", "no scalar tensor"),
        (Disagreeing, "check_domain_accuracy", "Compute them alike"),
        (BlindToClasses, "check_probabilities", "leave them out of uses"),
        (LogOfClasses, "check_probabilities", "holds NaN or infinity"),
        (BlindToDomains, "check_domains", "whatever the domains"),
        (NoSizes, "check_uses", "TypeError"),
        (Paired, "check_order_of_rows_of_samples", "as sets, not row by row"),
        (NeverZero, "check_zero_for_equal_samples", "for equal samples"),
        (Closeness, "check_zero_for_equal_samples", "should be larger"),
        (Vector, "check_scalar", "a tensor of shape (8,)"),
        (SameSize, "check_scalar", "RuntimeError"),
        (NoCritic, "check_attribute", "it has no parameters"),
        (OneSided, "check_gradients_of_both", "no gradient reaches the input"),
        (Unsaid, "check_attribute", "its attribute adversarial is None"),
        (Changing, "check_samples_are_left_alone", "changed the samples"),
    ],
    ids=name_of,
)
def test_faulty_divergences(failures, factory, check, words):
    found = failures("divergence", factory)
    assert check in found, found
    assert words in found[check]


@pytest.mark.parametrize("factory", [MeanGap, Critic, Judge, Weighted, Several])
def test_sound_divergences(failures, factory):
    assert failures("divergence", factory, example={"in_features": 3}) == {}
