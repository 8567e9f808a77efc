"""Divergences: shared behaviour, and the discriminators of DANN and CDAN."""

import copy
import math
import pickle

import pytest
import torch
import torch.nn.functional as F

import mlmi_sklearn
from mlmi_sklearn import find_component, list_components
from mlmi_sklearn.nn.divergences import (
    CDANDivergence,
    CORALDivergence,
    DANNDivergence,
    MDDDivergence,
    MMDDivergence,
    WassersteinDivergence,
)
from mlmi_sklearn.nn.divergences.contract import USES, accepted
from mlmi_sklearn.nn.divergences.critics import Critic, TwoSamples, weighted_mean
from mlmi_sklearn.nn.gradient_reversal import reverse_gradient

F64 = torch.float64
NAMES = [part.name for part in list_components("divergence", builtin=True)]
names = pytest.mark.parametrize("name", NAMES)


def build(name, width=4, dtype=F64, **params):
    return find_component("divergence", name).build(width, **params).to(dtype)


def samples(n=7, m=5, width=4, dtype=F64):
    return torch.randn(n, width, dtype=dtype), torch.randn(m, width, dtype=dtype) + 1


def log_sigmoid_losses(logits_s, logits_t):
    """Losses of hand: -log(1 - D) of source rows, -log D of target rows."""
    return -torch.log(1 - logits_s.sigmoid()), -torch.log(logits_t.sigmoid())


# -- all of them ---------------------------------------------------------------


def test_all_names_are_here():
    assert set(NAMES) == {"dann", "cdan", "mmd", "coral", "wasserstein", "mdd"}


@names
def test_tag_and_attributes_agree(name):
    part = find_component("divergence", name)
    module = part.build(**part.example)
    assert part.tags["adversarial"] is module.adversarial
    assert module.uses <= USES
    assert "weights" in module.uses


def test_specs_are_found_by_their_class_names():
    spec = mlmi_sklearn.DANNDivergence(hidden=(32,))
    assert repr(spec) == "DANNDivergence(hidden=(32,))"
    assert spec.component().name == "dann"
    assert mlmi_sklearn.MMDDivergence().set_params(n_kernels=3).n_kernels == 3
    with pytest.raises(ValueError, match="margin"):
        mlmi_sklearn.MDDDivergence(margins=2)


@names
def test_copies_give_the_same(name):
    module, (zs, zt) = build(name).eval(), samples()
    expected = module(zs, zt)
    loaded = build(name).eval()
    loaded.load_state_dict(module.state_dict())
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), loaded):
        assert torch.equal(twin(zs, zt), expected)


@names
def test_training_after_inference_mode(name):
    module, (zs, zt) = build(name), samples()
    with torch.inference_mode():
        module(zs, zt)
    zs.requires_grad_()
    module(zs, zt).backward()
    assert zs.grad.abs().sum() > 0


@names
@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_features_of_half_width_are_compared_in_single_precision(name, half):
    module = build(name, dtype=torch.float32).eval()
    zs, zt = (z.to(half) for z in samples())
    expected = module(zs.float(), zt.float())
    assert expected.dtype == torch.float32
    assert torch.equal(module(zs, zt), expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(module(zs.float(), zt.float()), expected)


@names
def test_gradients_are_those_of_finite_differences(name):
    params = {"bandwidth": 2.0} if name == "mmd" else {}
    # Smooth between the samples: no unit of the critic is about to switch.
    params |= {} if name in ("mmd", "coral") else {"hidden": ()}
    module = build(name, **params).eval()
    zs, zt = (z.requires_grad_() for z in samples(4, 3))
    assert torch.autograd.gradcheck(module, (zs, zt))


@names
def test_huge_and_tiny_features_stay_finite(name):
    for size in (1e-12, 1e6):
        module = build(name, dtype=torch.float32).eval()
        zs, zt = (size * z for z in samples(dtype=torch.float32))
        zs.requires_grad_()
        value = module(zs, zt)
        value.backward()
        assert value.isfinite()
        assert zs.grad.isfinite().all()


@names
def test_equal_rows_everywhere(name):
    module = build(name)
    z = torch.full((4, 4), 0.3, dtype=F64, requires_grad=True)
    value = module(z, z[:2])
    value.backward()
    assert value.isfinite()
    assert z.grad.isfinite().all()
    if not module.adversarial:
        assert abs(value.item()) < 1e-12


@names
def test_sample_without_weight_counts_nothing(name):
    module, (zs, zt) = build(name), samples()
    value = module(zs, zt, weights=(torch.zeros(7), torch.ones(5)))
    assert value.isfinite()


@pytest.mark.parametrize("in_features", [0, -1, 2.5, None, True])
@names
def test_bad_width(name, in_features):
    with pytest.raises(ValueError, match="in_features must be an integer"):
        find_component("divergence", name).build(in_features)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: DANNDivergence(4, hidden=(0,)), "every entry of hidden"),
        (lambda: DANNDivergence(4, n_domains=1), "n_domains must be an integer of at"),
        (lambda: CDANDivergence(4, n_classes=0), "n_classes"),
        (lambda: CDANDivergence(4, max_width=0), "max_width"),
        (lambda: CDANDivergence(4, random_width=0.5), "random_width"),
        (lambda: MDDDivergence(4, margin=0), r"margin must be a number in \(0, inf"),
        (lambda: MMDDivergence(4, n_kernels=0), "n_kernels"),
        (lambda: MMDDivergence(4, bandwidth=0.0), "bandwidth"),
        (lambda: WassersteinDivergence(4, penalty=-1), "penalty"),
    ],
)
def test_bad_parameters(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("cls", [CDANDivergence, MDDDivergence])
def test_probabilities_of_other_classes(cls):
    zs, zt = samples(dtype=torch.float32)
    p = torch.ones(7, 3) / 3, torch.ones(5, 3) / 3
    with pytest.raises(ValueError, match=r"made for 2 classes.*pass n_classes=3"):
        cls(4, n_classes=2)(zs, zt, probabilities=p)
    with pytest.raises(ValueError, match=r"made without n_classes"):
        cls(4)(zs, zt, probabilities=p)


def test_accepted_keywords():
    given = {"weights": 1, "probabilities": 2, "domains": None}
    assert accepted(CDANDivergence(2), given) == {"weights": 1, "probabilities": 2}
    assert accepted(MMDDivergence(2), given) == {"weights": 1}
    assert accepted(object(), given) == {}


# -- parts ---------------------------------------------------------------------


def test_critic_layers():
    assert [type(m).__name__ for m in Critic(4)] == ["Linear", "ReLU", "Linear"]
    assert Critic(4, hidden=3, n_outputs=2)(torch.zeros(5, 4)).shape == (5, 2)
    assert len(Critic(4, hidden=())) == 1


def test_what_is_known_of_rows_is_made_once_and_forgotten_in_time():
    rows = TwoSamples()
    zs, zt = samples(3, 2)
    assert rows.labels(zs, zt) is rows.labels(zt[:1].repeat(3, 1), zt)
    assert rows.labels(zs, zt) is not rows.labels(zs.float(), zt.float())
    for n in range(1, 300):
        rows.labels(torch.zeros(n, 1), zt)
    assert len(rows._made) <= 64
    assert copy.deepcopy(rows)._made == {}


def test_shares_sum_to_one_over_each_sample():
    rows, (zs, zt) = TwoSamples(), samples(3, 2)
    ws, wt = torch.tensor([1.0, 3.0, 0.0]), torch.tensor([2.0, 2.0])
    assert rows.shares(zs, zt).tolist() == pytest.approx([1 / 3] * 3 + [0.5] * 2)
    found = rows.shares(zs, zt, (ws, None))
    assert found.tolist() == [0.25, 0.75, 0, 0.5, 0.5]
    assert found.dtype == F64
    assert rows.shares(zs, zt, (ws, wt)).tolist() == [0.25, 0.75, 0, 0.5, 0.5]
    assert rows.shares(zs[:0], zt, None).tolist() == [0.5, 0.5]


def test_weighted_mean():
    values = torch.tensor([[1.0, 2.0], [5.0, 6.0]])
    assert weighted_mean(values, None).tolist() == [3, 4]
    assert weighted_mean(values, torch.tensor([1, 3])).tolist() == [4, 5]
    assert weighted_mean(values, torch.zeros(2)).tolist() == [0, 0]


# -- dann ----------------------------------------------------------------------


def test_dann_is_the_sum_of_both_means():
    module, (zs, zt) = build("dann"), samples()
    source, target = log_sigmoid_losses(module.critic(zs), module.critic(zt))
    assert torch.allclose(module(zs, zt), source.mean() + target.mean())
    ws, wt = torch.rand(7, dtype=F64), torch.rand(5, dtype=F64)
    expected = (source.squeeze(1) * ws).sum() / ws.sum()
    expected = expected + (target.squeeze(1) * wt).sum() / wt.sum()
    assert torch.allclose(module(zs, zt, weights=(ws, wt)), expected)


def test_dann_that_knows_nothing_loses_two_bits():
    module, (zs, zt) = build("dann", hidden=()), samples()
    torch.nn.init.zeros_(module.critic[0].weight)
    torch.nn.init.zeros_(module.critic[0].bias)
    assert module(zs, zt).item() == pytest.approx(2 * math.log(2))
    assert float(module.domain_accuracy(zs, zt)) == 0.5


def test_one_step_of_the_saddle_point_by_hand():
    """Encoder z = Ax, linear discriminator: the gradients of Ganin et al."""
    factor = 0.3
    module = build("dann", 2, hidden=())
    encoder = torch.nn.Linear(3, 2, bias=False, dtype=F64)
    xs, xt = torch.randn(4, 3, dtype=F64), torch.randn(6, 3, dtype=F64)
    value = module(*(reverse_gradient(encoder(x), factor) for x in (xs, xt)))
    value.backward()
    v, b = module.critic[0].weight.detach(), module.critic[0].bias.detach()
    a = encoder.weight.detach()
    p_s, p_t = (torch.sigmoid(x @ a.T @ v.T + b) for x in (xs, xt))
    by_s, by_t = p_s / 4, -(1 - p_t) / 6
    by_v = (by_s * (xs @ a.T)).sum(0) + (by_t * (xt @ a.T)).sum(0)
    by_a = v.T @ (by_s.T @ xs + by_t.T @ xt)
    assert torch.allclose(module.critic[0].weight.grad[0], by_v)
    assert torch.allclose(module.critic[0].bias.grad, by_s.sum(0) + by_t.sum(0))
    assert torch.allclose(encoder.weight.grad, -factor * by_a)


def test_accuracy_is_balanced_and_weighted():
    module = build("dann", 1, hidden=())
    torch.nn.init.ones_(module.critic[0].weight)
    torch.nn.init.zeros_(module.critic[0].bias)
    zs = torch.tensor([[-1.0], [-1.0], [-1.0], [1.0]], dtype=F64)
    zt = torch.tensor([[1.0], [-1.0]], dtype=F64)
    assert float(module.domain_accuracy(zs, zt)) == pytest.approx((0.75 + 0.5) / 2)
    weights = torch.tensor([1.0, 0, 0, 1]), torch.tensor([3.0, 1])
    found = module.domain_accuracy(zs, zt, weights=weights)
    assert float(found) == pytest.approx((0.5 + 0.75) / 2)


def test_loss_and_accuracy_in_one_pass():
    module, (zs, zt) = build("dann"), samples()
    loss, accuracy = module.loss_and_accuracy(zs.requires_grad_(), zt)
    assert torch.equal(loss, module(zs, zt))
    assert torch.equal(accuracy, module.domain_accuracy(zs, zt))
    assert loss.requires_grad
    assert not accuracy.requires_grad


def test_several_domains_are_classes_of_a_softmax():
    module, (zs, zt) = build("dann", n_domains=4), samples()
    ds, dt = torch.tensor([0, 1, 0, 1, 0, 0, 0]), torch.tensor([2, 3, 2, 3, 3])
    expected = F.cross_entropy(module.critic(zs), ds)
    expected = expected + F.cross_entropy(module.critic(zt), dt)
    assert torch.allclose(module(zs, zt, domains=(ds, dt)), expected)
    weights = torch.tensor([1.0, 0, 1, 0, 1, 1, 1]).double(), None
    found = module(zs, zt, domains=(ds, dt), weights=weights)
    keep = ds == 0
    assert torch.allclose(found, module(zs[keep], zt, domains=(ds[keep], dt)))


def test_accuracy_of_several_domains_adds_up_the_targets():
    module = build("dann", 4, hidden=(), n_domains=4)
    with torch.no_grad():
        module.critic[0].weight.copy_(torch.eye(4))
        module.critic[0].bias.zero_()
    # The likeliest single domain is source 0, but the targets are likelier together.
    z = torch.tensor([[1.0, -9.0, 0.9, 0.9]], dtype=F64)
    source = torch.tensor([[9.0, 0.0, 0.0, 0.0]], dtype=F64)
    codes = torch.tensor([0]), torch.tensor([2])
    assert float(module.domain_accuracy(source, z, domains=codes)) == 1.0
    assert float(module.domain_accuracy(z, z, domains=codes)) == 0.5


def test_several_domains_without_codes_are_the_first_and_the_last():
    module, (zs, zt) = build("dann", n_domains=3), samples()
    codes = torch.zeros(7).long(), torch.full((5,), 2)
    assert torch.equal(module(zs, zt), module(zs, zt, domains=codes))


def test_codes_of_two_domains_change_nothing():
    module, (zs, zt) = build("dann", n_domains=2), samples()
    codes = torch.zeros(7).long(), torch.ones(5).long()
    assert torch.equal(module(zs, zt), module(zs, zt, domains=codes))


# -- cdan ----------------------------------------------------------------------


def probabilities(n=7, m=5, c=3):
    p = torch.randn(n + m, c, dtype=F64).softmax(1)
    return p[:n], p[n:]


def test_cdan_without_classes_is_dann():
    module, (zs, zt) = build("cdan"), samples()
    twin = build("dann")
    twin.load_state_dict(module.state_dict())
    assert torch.equal(module(zs, zt), twin(zs, zt))
    assert torch.equal(module.domain_accuracy(zs, zt), twin.domain_accuracy(zs, zt))


def test_cdan_sees_the_outer_product():
    module, (zs, zt), (ps, pt) = build("cdan", n_classes=3), samples(), probabilities()
    twin = build("dann", 12)
    twin.load_state_dict(module.state_dict())
    fs, ft = (
        torch.stack([torch.outer(a, b).flatten() for a, b in zip(p, z, strict=True)])
        for p, z in ((ps, zs), (pt, zt))
    )
    assert torch.allclose(module(zs, zt, probabilities=(ps, pt)), twin(fs, ft))
    found = module.domain_accuracy(zs, zt, probabilities=(ps, pt))
    assert torch.equal(found, twin.domain_accuracy(fs, ft))
    even = torch.full((7, 3), 1 / 3, dtype=F64), torch.full((5, 3), 1 / 3, dtype=F64)
    assert torch.allclose(module(zs, zt), module(zs, zt, probabilities=even))


def test_cdan_lets_sure_rows_count_more():
    module = build("cdan", n_classes=3, entropy_weighting=True)
    plain = build("cdan", n_classes=3)
    plain.load_state_dict(module.state_dict())
    (zs, zt), p = samples(), probabilities()
    w = tuple(1 + torch.exp((q * q.log()).sum(1)) for q in p)
    expected = plain(zs, zt, probabilities=p, weights=w)
    assert torch.allclose(module(zs, zt, probabilities=p), expected)
    ws = torch.rand(7, dtype=F64)
    found = module(zs, zt, probabilities=p, weights=(ws, None))
    expected = plain(zs, zt, probabilities=p, weights=(ws * w[0], w[1]))
    assert torch.allclose(found, expected)
    sure = torch.eye(3, dtype=F64)[[0] * 7], torch.eye(3, dtype=F64)[[1] * 5]
    assert module(zs, zt, probabilities=sure).isfinite()


def test_wide_products_are_mapped_at_random_but_only_once():
    (zs, zt), p = samples(), probabilities()
    module = build("cdan", n_classes=3, max_width=11, random_width=20)
    assert module.map_z.shape == (4, 20)
    assert module.map_p.shape == (3, 20)
    state = torch.random.get_rng_state()
    first = module(zs, zt, probabilities=p)
    assert torch.equal(module(zs, zt, probabilities=p), first)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert {"map_z", "map_p"} <= set(module.state_dict())
    assert build("cdan", n_classes=3, max_width=12).map_z is None


def test_the_random_map_keeps_inner_products():
    module = build("cdan", n_classes=3, max_width=1, random_width=200_000)
    z, p = torch.randn(2, 4, dtype=F64), torch.rand(2, 3, dtype=F64)
    f = module._condition(z, p)
    expected = (z[0] @ z[1]) * (p[0] @ p[1])
    assert float(f[0] @ f[1]) == pytest.approx(float(expected), abs=0.05)


@pytest.mark.parametrize("name", ["coral", "mmd"])
def test_classes_that_are_not_used_are_refused(name):
    zs, zt = samples()
    with pytest.raises(TypeError, match="probabilities"):
        build(name)(zs, zt, probabilities=probabilities())


def test_defaults_are_those_of_the_names():
    assert type(build("coral")) is CORALDivergence
    assert DANNDivergence(4).critic[0].out_features == 100
