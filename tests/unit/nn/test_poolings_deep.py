"""Poolings with nets inside: additive, transformer, CLAM, DSMIL."""

import pytest
import torch
import torch.nn.functional as F

from mlmi_sklearn.nn.losses import BCE, MSE, CrossEntropy
from mlmi_sklearn.nn.poolings import (
    AdditivePooling,
    CLAMPooling,
    DSMILPooling,
    TransformerPooling,
    dsmil,
)
from mlmi_sklearn.nn.segments import Segments

LENGTHS = [30, 1, 4, 9]
N, B = sum(LENGTHS), len(LENGTHS)


def draw(width=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(N, width, generator=generator, dtype=torch.float64)


def fixed(Pooling, *args, **params):
    torch.manual_seed(0)
    return Pooling(*args, **params).double()


# -- additive --------------------------------------------------------------------------


def test_contributions_add_up_to_the_bag():
    pool, bags = fixed(AdditivePooling, 5), Segments(LENGTHS)
    pooled, weights = pool(draw(), bags)
    assert torch.equal(bags.sum(pool.instances(draw(), bags)), pooled)
    expected = pool.attention.attend(draw(), bags)
    assert torch.equal(weights, expected)


def test_an_instance_without_attention_contributes_nothing():
    pool = fixed(AdditivePooling, 5)
    nothing = pool._contributions(draw(), torch.zeros(N, dtype=torch.float64))
    assert torch.equal(nothing, torch.zeros_like(nothing))


# -- transformer -----------------------------------------------------------------------


def naive_layer(layer, h):
    """One bag through one layer, head by head."""
    q, k, v = layer.project(layer.norm(h)).chunk(3, 1)
    heads = []
    for a, b, c in zip(*(t.chunk(layer.heads, 1) for t in (q, k, v)), strict=True):
        heads.append((a @ b.T / a.shape[1] ** 0.5).softmax(1) @ c)
    h = h + layer.join(torch.cat(heads, 1))
    return h + layer.feedforward(h)


@pytest.mark.parametrize("lengths", [LENGTHS, [22, 22], [44], [11, 12, 21], [1] * 44])
def test_the_transformer_is_attention_bag_by_bag(lengths):
    pool = fixed(TransformerPooling, 5, width=8, n_layers=2, heads=2)
    found = pool.instances(draw(), Segments(lengths))
    for part, bag in zip(found.split(lengths), draw().split(lengths), strict=True):
        h = pool.embed(bag)
        for layer in pool.layers:
            h = naive_layer(layer, h)
        torch.testing.assert_close(part, pool.norm(h))


@pytest.mark.parametrize("kind", ["full", "linear"])
def test_groups_of_bags_change_nothing(kind, monkeypatch):
    pool, bags = fixed(TransformerPooling, 5, kind=kind), Segments(LENGTHS)
    expected = pool(draw(), bags)
    for slack in (0.0, 1e9):  # each size on its own; all bags together
        monkeypatch.setattr(
            "mlmi_sklearn.nn.poolings._set_attention._PAIRS_FOR_A_GROUP", slack
        )
        for a, b in zip(pool(draw(), bags), expected, strict=True):
            torch.testing.assert_close(a, b)


def test_the_pooled_vector_is_a_mean_of_instances_in_context():
    pool, bags = fixed(TransformerPooling, 5), Segments(LENGTHS)
    instances, pooled, weights = pool.pool_with_instances(draw(), bags)
    torch.testing.assert_close(bags.sum(weights[:, None] * instances), pooled)
    assert torch.equal(instances, pool.instances(draw(), bags))
    assert torch.equal(pooled, pool(draw(), bags)[0])


def test_a_large_bag_through_the_linear_kind():
    pool = TransformerPooling(4, width=8, heads=2, kind="linear", n_inducing=4)
    values = torch.randn(100_003, 4, requires_grad=True)
    pooled, weights = pool(values, Segments([100_000, 3]))
    pooled.sum().backward()
    assert torch.isfinite(pooled).all()
    assert torch.isfinite(values.grad).all()
    assert float(weights[:100_000].sum()) == pytest.approx(1.0, abs=1e-3)


def test_dropout_is_for_training():
    pool = fixed(TransformerPooling, 5, dropout=0.5)
    bags = Segments(LENGTHS)
    assert not torch.equal(pool(draw(), bags)[0], pool(draw(), bags)[0])
    pool.eval()
    assert torch.equal(pool(draw(), bags)[0], pool(draw(), bags)[0])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"width": 6, "heads": 4}, "width=6 must be a multiple of heads=4"),
        ({"kind": "ful"}, "kind='ful' is unknown. Did you mean"),
        ({"n_layers": 0}, "n_layers must be an integer"),
        ({"dropout": 1.0}, "dropout must be a number"),
        ({"kind": "linear", "n_inducing": 0}, "n_inducing must be"),
        ({"feedforward": 0}, "feedforward must be"),
    ],
)
def test_the_transformer_refuses_wrong_sizes(params, message):
    with pytest.raises(ValueError, match=message):
        TransformerPooling(5, **params)


# -- CLAM ------------------------------------------------------------------------------


@pytest.mark.parametrize("branches", ["single", "multi"])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_clam_scores_a_bag_by_attention_weighted_scores(branches, n_outputs):
    pool = fixed(CLAMPooling, 5, n_outputs=n_outputs, branches=branches)
    bags = Segments(LENGTHS)
    raw, instances, weights = pool.score(draw(), bags)
    attention = pool.attend(draw(), bags)
    classes = pool.head(draw())
    pairs = zip(attention.split(LENGTHS), classes.split(LENGTHS), strict=True)
    expected = torch.stack([(a * s).sum(0) for a, s in pairs])
    if n_outputs == 1:
        expected, classes = expected[:, 1:] - expected[:, :1], classes.diff(dim=1)
    torch.testing.assert_close(raw, expected)
    torch.testing.assert_close(instances, classes)
    torch.testing.assert_close(weights, attention.mean(1))


def naive_clam_loss(pool, bag, label):
    """Of one bag of one class, as in the paper."""
    attention = pool.attend(bag, Segments([len(bag)])).expand(-1, pool.n_classes)
    logits, terms = pool.evidence(bag), []
    top, low = (len(bag) + 1) // 2, len(bag) // 2
    top, low = min(top, pool.n_sampled), min(low, pool.n_sampled)
    for c in range(pool.n_classes):
        ranked = logits[attention[:, c].argsort(descending=True), c]
        if c == label:
            most, least = ranked[:top], ranked[len(bag) - low :]
            right = torch.cat((most, -least))
            terms.append(F.softplus(pool.margin - right).mean())
        elif pool.out_of_class:
            terms.append(F.softplus(pool.margin + ranked[:top]).mean())
    return pool.auxiliary_weight * torch.stack(terms).mean()


@pytest.mark.parametrize("branches", ["single", "multi"])
@pytest.mark.parametrize("n_outputs", [1, 4])
@pytest.mark.parametrize("out_of_class", [True, False])
@pytest.mark.parametrize("instance_loss", ["svm", "cross-entropy"])
def test_the_clustering_loss_follows_the_paper(
    branches, n_outputs, out_of_class, instance_loss
):
    pool = fixed(
        CLAMPooling,
        5,
        n_outputs=n_outputs,
        branches=branches,
        n_sampled=6,
        out_of_class=out_of_class,
        instance_loss=instance_loss,
    )
    target = torch.tensor([0, 1, 1, 0])
    found = pool.auxiliary_loss(draw(), Segments(LENGTHS), target, CrossEntropy())
    bags = zip(draw().split(LENGTHS), target.tolist(), strict=True)
    expected = torch.stack([naive_clam_loss(pool, *bag) for bag in bags])
    torch.testing.assert_close(found, expected)


def test_the_clustering_loss_of_several_labels():
    pool = fixed(CLAMPooling, 5, n_outputs=3, out_of_class=False)
    codes = torch.tensor([0, 1, 2, 1])
    bags = Segments(LENGTHS)
    members = F.one_hot(codes, 3).double()
    found = pool.auxiliary_loss(draw(), bags, members, BCE())
    expected = pool.auxiliary_loss(draw(), bags, codes, CrossEntropy())
    torch.testing.assert_close(found, expected)
    none = pool.auxiliary_loss(draw(), bags, torch.zeros(B, 3), BCE())
    assert torch.equal(none, torch.zeros(B, dtype=torch.float64))


def test_the_clustering_loss_leaves_attention_alone():
    pool = fixed(CLAMPooling, 5)
    target = torch.tensor([0, 1, 1, 0])
    pool.auxiliary_loss(draw(), Segments(LENGTHS), target, None).sum().backward()
    assert pool.attention.weight.grad is None
    assert pool.evidence.weight.grad.abs().sum() > 0


def test_clam_refuses_numbers():
    pool = fixed(CLAMPooling, 5)
    with pytest.raises(ValueError, match="looks for evidence of classes"):
        pool.auxiliary_loss(draw(), Segments(LENGTHS), torch.full((B, 1), 7.5), MSE())


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"branches": "many"}, "branches='many' is unknown"),
        ({"n_sampled": 0}, "n_sampled must be"),
        ({"instance_loss": "mse"}, "instance_loss='mse' is unknown"),
        ({"auxiliary_weight": -1}, "auxiliary_weight must be a number"),
    ],
)
def test_clam_refuses_wrong_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        CLAMPooling(5, **params)


# -- DSMIL -----------------------------------------------------------------------------


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("nonlinear", [True, False])
@pytest.mark.parametrize("project", [True, False])
def test_dsmil_follows_the_paper(n_outputs, nonlinear, project):
    params = {"hidden": 7, "nonlinear": nonlinear, "project": project}
    pool = fixed(DSMILPooling, 5, n_outputs=n_outputs, **params)
    assert pool.weighted_mean == (not project)
    raw, _, weights = pool.score(draw(), Segments(LENGTHS))
    found = zip(raw, weights.split(LENGTHS), draw().split(LENGTHS), strict=True)
    for row, its_weights, bag in found:
        scores = pool.first(bag)
        queries = pool.reduce(bag)
        if nonlinear:
            queries = torch.tanh(pool.query(torch.relu(queries)))
        projected = torch.relu(pool.value(bag)) if project else bag
        critical = queries[scores.argmax(0)]
        attention = (queries @ critical.T / 7**0.5).softmax(0)
        vectors = attention.T @ projected
        second = pool.second(vectors.flatten())
        torch.testing.assert_close(row, (scores.amax(0) + second) / 2)
        torch.testing.assert_close(its_weights, attention.mean(1))


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("project", [True, False])
def test_dsmil_scores_an_instance_as_a_bag_of_one(n_outputs, project):
    pool = fixed(DSMILPooling, 5, n_outputs=n_outputs, project=project)
    instances = pool.score(draw(), Segments(LENGTHS))[1]
    torch.testing.assert_close(pool.score(draw(), Segments([1] * N))[0], instances)


@pytest.mark.parametrize(
    ("criterion", "target"),
    [
        (CrossEntropy(), torch.tensor([0, 2, 1, 0])),
        (BCE(), torch.ones(B, 3)),
        (MSE(), torch.full((B, 3), 7.5, dtype=torch.float64)),
    ],
)
def test_the_loss_of_the_first_stream(criterion, target):
    pool = fixed(DSMILPooling, 5, n_outputs=3, auxiliary_weight=0.5)
    found = pool.auxiliary_loss(draw(), Segments(LENGTHS), target, criterion)
    best = torch.stack([s.amax(0) for s in pool.first(draw()).split(LENGTHS)])
    torch.testing.assert_close(found, 0.5 * criterion(best, target))


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("nonlinear", [True, False])
@pytest.mark.parametrize("lengths", [LENGTHS, [N], [11] * B])
def test_dsmil_by_matrix_is_dsmil_by_segment(
    monkeypatch, n_outputs, nonlinear, lengths
):
    pool = fixed(DSMILPooling, 5, n_outputs=n_outputs, nonlinear=nonlinear)
    found = {}
    for most in (1000, 0):
        monkeypatch.setattr(dsmil, "_FEW_ROWS", most)
        values = draw().requires_grad_()
        raw, instances, weights = pool.score(values, Segments(lengths))
        pooled, _ = pool(values, Segments(lengths))
        total = raw.square().sum() + pooled.square().sum() + weights.square().sum()
        gradients = torch.autograd.grad(total, [values, *pool.parameters()])
        found[most] = [raw, instances, weights, pooled, *gradients]
    torch.testing.assert_close(found[1000], found[0])


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_dsmil_scores_bags_alone_or_with_their_loss(n_outputs):
    pool = fixed(DSMILPooling, 5, n_outputs=n_outputs, auxiliary_weight=0.5)
    bags, target = Segments(LENGTHS), torch.ones(B, n_outputs, dtype=torch.float64)
    raw, auxiliary = pool.score_with_loss(draw(), bags, target, BCE())
    torch.testing.assert_close(raw, pool.score(draw(), bags)[0])
    torch.testing.assert_close(pool.score_bags(draw(), bags), raw)
    expected = pool.auxiliary_loss(draw(), bags, target, BCE())
    torch.testing.assert_close(auxiliary, expected)
