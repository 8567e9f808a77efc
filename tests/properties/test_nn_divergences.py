"""Properties of every built-in divergence: order, weights, companions, gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmi_sklearn import find_component, list_components
from mlmi_sklearn.nn.gradient_reversal import reverse_gradient

F64 = torch.float64
NAMES = [part.name for part in list_components("divergence", builtin=True)]
# Further kinds of one name, which are other functions.
VARIANTS = {
    "linear dann": ("dann", {"hidden": ()}),
    "dann of domains": ("dann", {"n_domains": 5}),
    "cdan of classes": ("cdan", {"n_classes": 3}),
    "cdan of sure classes": ("cdan", {"n_classes": 3, "entropy_weighting": True}),
    "random cdan": ("cdan", {"n_classes": 3, "max_width": 2, "random_width": 6}),
    "mdd of classes": ("mdd", {"n_classes": 3}),
    "one kernel": ("mmd", {"n_kernels": 1, "bandwidth": 2.0}),
}
ALL = [*NAMES, *VARIANTS]
DISTANCES = ["mmd", "one kernel", "coral"]

every = pytest.mark.parametrize("name", ALL)
distances = pytest.mark.parametrize("name", DISTANCES)
seeds = st.integers(0, 2**32)
sizes = st.integers(1, 8)
few = settings(max_examples=20)


def setting(name, n, m, seed):
    """A divergence, two samples, and all that it takes by keyword."""
    kind, params = VARIANTS.get(name, (name, {}))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = find_component("divergence", kind).build(3, **params).to(F64).eval()
        z = torch.randn(n + m, 3, dtype=F64)
        p = torch.randn(n + m, 3, dtype=F64).softmax(1)
    zs, zt = (z * 4).round().div(4).split([n, m])
    keywords = {}
    if "n_classes" in params:
        keywords["probabilities"] = tuple(p.split([n, m]))
    if "n_domains" in params:
        keywords["domains"] = torch.arange(n) % 3, 3 + torch.arange(m) % 2
    return module, zs, zt, keywords


def take(keywords, source, target):
    """Choose rows of all keywords."""
    return {k: (a[source], b[target]) for k, (a, b) in keywords.items()}


def close(a, b):
    return torch.allclose(a, b, rtol=1e-9, atol=1e-11)


@every
@given(n=sizes, m=sizes, seed=seeds)
@few
def test_order_of_rows_does_not_matter(name, n, m, seed):
    module, zs, zt, keywords = setting(name, n, m, seed)
    g = torch.Generator().manual_seed(seed)
    i, j = torch.randperm(n, generator=g), torch.randperm(m, generator=g)
    found = module(zs[i], zt[j], **take(keywords, i, j))
    assert close(found, module(zs, zt, **keywords))


@every
@given(data=st.data(), n=sizes, m=sizes, seed=seeds)
@few
def test_a_weight_is_a_number_of_rows(name, data, n, m, seed):
    module, zs, zt, keywords = setting(name, n, m, seed)
    counts = []
    for size in (n, m):
        some = st.lists(st.integers(0, 3), min_size=size, max_size=size).filter(any)
        counts.append(torch.tensor(data.draw(some)))
    i, j = (torch.arange(len(c)).repeat_interleave(c) for c in counts)
    expected = module(zs[i], zt[j], **take(keywords, i, j))
    for factor in (1.0, 7.5):
        weights = tuple(factor * c for c in counts)
        assert close(module(zs, zt, weights=weights, **keywords), expected)
    if hasattr(module, "domain_accuracy"):
        accuracy = module.domain_accuracy(zs, zt, weights=weights, **keywords)
        expected = module.domain_accuracy(zs[i], zt[j], **take(keywords, i, j))
        assert close(accuracy, expected)
        assert 0 <= accuracy <= 1 + 1e-12


@every
@given(n=sizes, m=sizes, seed=seeds, factor=st.floats(0, 10))
@few
def test_reversal_reaches_features_and_not_the_critic(name, n, m, seed, factor):
    module, zs, zt, keywords = setting(name, n, m, seed)
    zs, zt = zs.requires_grad_(), zt.requires_grad_()
    inputs = [zs, zt, *module.parameters()]
    plain = torch.autograd.grad(module(zs, zt, **keywords), inputs)
    turned = [reverse_gradient(z, factor) for z in (zs, zt)]
    found = torch.autograd.grad(module(*turned, **keywords), inputs)
    for k, (a, b) in enumerate(zip(found, plain, strict=True)):
        assert torch.equal(a, -factor * b if k < 2 else b)


@distances
@given(n=sizes, m=sizes, seed=seeds)
@few
def test_distances_are_symmetric_and_zero_for_equal_samples(name, n, m, seed):
    module, zs, zt, _ = setting(name, n, m, seed)
    value = module(zs, zt)
    assert value >= -1e-12
    assert close(module(zt, zs), value)
    assert abs(float(module(zs, zs.flip(0)))) < 1e-12
    # Every row twice is the same distribution.
    assert abs(float(module(zs, zs.repeat(2, 1)))) < 1e-12


@distances
@given(n=sizes, m=sizes, seed=seeds, shift=st.floats(-100, 100))
@few
def test_distances_do_not_depend_on_the_origin(name, n, m, seed, shift):
    module, zs, zt, _ = setting(name, n, m, seed)
    assert torch.allclose(
        module(zs + shift, zt + shift), module(zs, zt), rtol=1e-6, atol=1e-9
    )


@given(n=st.integers(2, 8), m=st.integers(2, 8), seed=seeds, scale=st.floats(0.01, 100))
@few
def test_mmd_does_not_depend_on_the_scale(n, m, seed, scale):
    module, zs, zt, _ = setting("mmd", n, m, seed)
    assert torch.allclose(module(scale * zs, scale * zt), module(zs, zt))


@given(n=sizes, m=sizes, seed=seeds)
@few
def test_names_of_domains_do_not_matter_as_long_as_sources_come_first(n, m, seed):
    module, zs, zt, keywords = setting("dann of domains", n, m, seed)
    order = torch.tensor([2, 0, 1, 4, 3])
    renamed = tuple(order[d] for d in keywords["domains"])
    last = module.critic[-1]
    before = module(zs, zt, **keywords)
    with torch.no_grad():
        for tensor in (last.weight, last.bias):
            tensor.copy_(tensor[torch.argsort(order)].clone())
    assert close(module(zs, zt, domains=renamed), before)
