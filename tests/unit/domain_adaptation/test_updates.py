"""The updates of Ganin et al. by hand, and that the adversary is alive."""

import inspect
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skorch.callbacks import Callback
from torch import nn

from mlmi_sklearn import DANNClassifier, list_components
from mlmi_sklearn.components import find_component
from mlmi_sklearn.domain_adaptation.objective import (
    DomainObjective,
    Sides,
    ganin_schedule,
)
from mlmi_sklearn.nn.adaptation import DomainPredictor
from mlmi_sklearn.nn.divergences import DANNDivergence

RATE, LAMBDA = 0.2, 0.7

# The formulas of the papers have no limit on gradients.
KNOWN = DANNClassifier().get_params()
FREE = {"max_grad_norm": None} if "max_grad_norm" in KNOWN else {}


class Net(nn.Module):
    """A backbone with nothing random and nothing that depends on the batch."""

    def __init__(self, shape):
        super().__init__()
        self.layer = nn.Linear(shape[0], 5)
        self.out_features = 5

    def forward(self, x):
        return torch.tanh(self.layer(x))


def one_step(params=None, n_classes=3, weight=None):
    """Return weights before and after one full-batch step, and its data."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(30, 4))
    y, ids = np.arange(30) % n_classes, np.repeat([0, -1], [18, 12])
    options = {
        "backbone": Net,
        "lambda_": LAMBDA,
        "lambda_schedule": "constant",
        "discriminator": (6,),
        "lr": RATE,
        "momentum": 0.0,
        "weight_decay": 0.0,
        "lr_schedule": "constant",
        "max_epochs": 1,
        "batch_size": 100,
        "dtype": "float64",
        "diagnostics": False,
        "random_state": 0,
        **FREE,
        **(params or {}),
    }
    kept = {}

    START.append(kept)
    model = DANNClassifier(**options, callbacks=[Recorder(len(START) - 1)])
    model.fit(X, y, ids, weight)
    after = model.net_.module_.state_dict()
    return kept, after, (torch.tensor(X), torch.tensor(y), ids)


START: list[dict] = []


class Recorder(Callback):
    """Notes the first weights; found by number, since callbacks are copied."""

    def __init__(self, number):
        self.number = number

    def on_train_begin(self, net, **kwargs):
        state = net.module_.state_dict()
        START[self.number].update({k: v.clone() for k, v in state.items()})


def losses(weights, data, ws=None, wt=None):
    """Return L_y and L_d from the formulas alone."""
    X, y, ids = data
    source, target = torch.tensor(ids >= 0), torch.tensor(ids < 0)
    ws = torch.ones(int(source.sum()), dtype=X.dtype) if ws is None else ws
    wt = torch.ones(int(target.sum()), dtype=X.dtype) if wt is None else wt
    z = torch.tanh(
        X @ weights["backbone.layer.weight"].T + weights["backbone.layer.bias"]
    )
    raw = z[source] @ weights["head.weight"].T + weights["head.bias"]
    if raw.shape[1] == 1:
        own = F.binary_cross_entropy_with_logits(
            raw[:, 0], y[source].double(), reduction="none"
        )
    else:
        own = -raw.log_softmax(1).gather(1, y[source][:, None])[:, 0]
    names = sorted({k.rpartition(".")[0] for k in weights if "critic" in k})
    first, last = names[0], names[-1]
    hidden = torch.relu(z @ weights[f"{first}.weight"].T + weights[f"{first}.bias"])
    logit = (hidden @ weights[f"{last}.weight"].T + weights[f"{last}.bias"])[:, 0]
    critic = (ws * -F.logsigmoid(-logit[source])).sum() / ws.sum()
    critic = critic + (wt * -F.logsigmoid(logit[target])).sum() / wt.sum()
    return (ws * own).sum() / ws.sum(), critic


def by_hand(before, data, rate, ws=None, wt=None):
    """theta_f - mu (dLy - lambda dLd), theta_y - mu dLy, theta_d - mu r dLd."""
    weights = {k: v.clone().requires_grad_() for k, v in before.items()}
    names = list(weights)
    ly, ld = losses(weights, data, ws, wt)
    gy, gd = (
        torch.autograd.grad(
            loss, list(weights.values()), retain_graph=True, allow_unused=True
        )
        for loss in (ly, ld)
    )
    after = {}
    for name, y_part, d_part in zip(names, gy, gd, strict=True):
        y_part = 0.0 if y_part is None else y_part
        d_part = 0.0 if d_part is None else d_part
        if name.startswith("backbone"):
            step = y_part - LAMBDA * d_part
        elif name.startswith("head"):
            step = y_part
        else:
            step = (1.0 if rate == "full" else LAMBDA) * d_part
        after[name] = before[name] - RATE * step
    return after


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("rate", ["full", "lambda"])
def test_one_step_is_the_update_of_the_paper(rate, n_classes):
    before, after, data = one_step({"discriminator_rate": rate}, n_classes)
    expected = by_hand(before, data, rate)
    assert set(expected) == set(after)
    for name, value in expected.items():
        assert not torch.equal(value, before[name])  # everything has learnt
        np.testing.assert_allclose(after[name], value, rtol=0, atol=1e-12)


def test_the_two_rates_differ_in_the_discriminator_alone():
    full = one_step({"discriminator_rate": "full"})[1]
    slow = one_step({"discriminator_rate": "lambda"})[1]
    for name in full:
        same = np.allclose(full[name], slow[name], rtol=0, atol=1e-15)
        assert same == (not name.startswith("divergence"))


def test_weights_are_in_both_losses():
    weight = np.random.default_rng(0).uniform(0.5, 2, 30)
    before, after, data = one_step(weight=weight)
    ws, wt = torch.tensor(weight[:18]), torch.tensor(weight[18:])
    for name, value in by_hand(before, data, "full", ws, wt).items():
        np.testing.assert_allclose(after[name], value, rtol=0, atol=1e-12)


def test_labelled_target_rows_keep_float64():
    X = np.random.default_rng(0).normal(size=(20, 3))
    y, ids = np.arange(20) % 2, np.repeat([0, -1], [13, 7])
    model = DANNClassifier(
        Net, lambda_=0, target_labels="use", lr=0.1, momentum=0, weight_decay=0,
        lr_schedule="constant", max_epochs=1, batch_size=50, dtype="float64",
        random_state=0, diagnostics=False, callbacks=[Recorder(len(START))], **FREE,
    )  # fmt: skip
    START.append({})
    model.fit(X, y, ids)
    before = {k: v.clone().requires_grad_() for k, v in START[-1].items()}
    W, B = "backbone.layer.weight", "backbone.layer.bias"
    x, t = torch.tensor(X), torch.tensor(y).double()
    z = torch.tanh(x @ before[W].T + before[B])
    raw = (z @ before["head.weight"].T + before["head.bias"])[:, 0]
    rows = F.binary_cross_entropy_with_logits(raw, t, reduction="none")
    (0.5 * (rows[:13].mean() + rows[13:].mean())).backward()
    for name in ("backbone.layer.weight", "head.weight", "head.bias"):
        expected = before[name].detach() - 0.1 * before[name].grad
        found = model.net_.module_.state_dict()[name]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("factor", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("rate", ["full", "lambda"])
def test_the_reversed_gradient_is_minus_lambda_times_the_plain_one(factor, rate):
    torch.manual_seed(0)
    divergence = DANNDivergence(4, hidden=(5,)).double()
    model = DomainPredictor(Net((4,)), nn.Linear(5, 2), divergence)
    zs, zt = (torch.randn(n, 4, dtype=torch.float64) for n in (6, 9))
    leaves = [z.clone().requires_grad_() for z in (zs, zt)]
    plain = torch.autograd.grad(divergence(*leaves), leaves)
    sides = Sides(*leaves, torch.zeros(6, 2), torch.zeros(9, 2), {})
    objective = DomainObjective(factor or 1.0, lambda p: factor and 1.0, 10.0, rate)
    total = objective.terms(model, sides, 0.5)[1]
    found = torch.autograd.grad(total, leaves)
    for ours, theirs in zip(found, plain, strict=True):
        np.testing.assert_allclose(ours, -factor * theirs, rtol=0, atol=1e-15)


def test_lambda_follows_the_paper(toy, dann):
    model = dann(max_epochs=4, lambda_=0.5, gamma=7.0).fit(*toy)
    p = np.arange(1, 5) / 4
    expected = 0.5 * (2 / (1 + np.exp(-7.0 * p)) - 1)
    np.testing.assert_allclose(model.lambda_path_, expected, rtol=1e-12)
    np.testing.assert_allclose(model.history_["lambda"], expected, rtol=1e-12)
    for p in (0.0, 0.13, 1.0):
        assert ganin_schedule(p, 10) == pytest.approx(2 / (1 + math.exp(-10 * p)) - 1)


def test_lambda_of_a_constant_or_a_callable(toy, dann):
    assert dann(lambda_schedule="constant").fit(*toy).lambda_path_.tolist() == [0.3] * 2
    half = dann(lambda_schedule=lambda p: p / 2).fit(*toy).lambda_path_
    np.testing.assert_allclose(half, [0.3 / 4, 0.3 / 2])


def test_the_learning_rate_follows_the_paper(domains, dann):
    X, y, ids = domains(n=32)
    rates = dann(max_epochs=3, lr=0.05, batch_size=16).fit(X, y, ids).history_["lr"]
    last = (np.arange(3) + 0.5) / 3  # progress before the last of two steps
    np.testing.assert_allclose(rates, 0.05 / (1 + 10 * last) ** 0.75, rtol=1e-6)


class Watch(Callback):
    """Notes the gradient that reaches the features from the critic, every batch."""

    def __init__(self, found):
        self.found = found

    def __deepcopy__(self, memo):
        return self

    def on_train_begin(self, net, **kwargs):
        critic = net.module_.divergence

        def listen(module, args):
            lam = net.objective.factor(net._progress())
            for z in args:
                if z.requires_grad:  # not when accuracy alone is asked for
                    z.register_hook(
                        lambda g, lam=lam: self.found.append((lam, float(g.norm())))
                    )

        critic.register_forward_pre_hook(listen)


ADVERSARIAL = ["dann", "cdan", "wasserstein", "mdd"]
NAMES = [part.name for part in list_components("divergence", builtin=True)]


@pytest.mark.parametrize("name", NAMES)
def test_every_divergence_reaches_the_features_in_every_batch(domains, dann, name):
    X, y, ids = domains(n=64, m=48)
    found = []
    model = dann(divergence=name, callbacks=[Watch(found)], max_epochs=3).fit(X, y, ids)
    assert len(found) >= 2 * 3 * 4
    assert all(g > 0 for lam, g in found if lam > 0)
    assert np.isfinite(model.history_["domain_loss"]).all()


def distance(model, name, X, ids):
    """As the divergence itself sees it: of a critic, minus its least loss."""
    torch.manual_seed(0)
    zs, zt = (torch.tensor(model.transform(X[s])) for s in (ids > 0, ids < 0))
    kind = find_component("divergence", name).load()
    takes = inspect.signature(kind).parameters
    judge = kind(16, **({"n_classes": 2} if "n_classes" in takes else {})).double()
    extra = {}
    if "probabilities" in judge.uses:
        both = (model.predict_proba(X[s]) for s in (ids > 0, ids < 0))
        extra["probabilities"] = tuple(map(torch.tensor, both))
    if not judge.adversarial:
        return float(judge(zs, zt, **extra))
    optimizer = torch.optim.Adam(judge.parameters(), lr=0.01)
    for _ in range(150):
        optimizer.zero_grad()
        loss = judge(zs, zt, **extra)
        loss.backward()
        optimizer.step()
    return -float(loss)


@pytest.mark.parametrize("name", NAMES)
def test_every_divergence_brings_the_domains_together(domains, dann, name):
    X, y, ids = domains(n=120, m=120, n_classes=2, shift=3.0)
    X[ids < 0, 1] *= 2  # for those who compare covariances
    strength = {"coral": 10.0, "mdd": 0.3}.get(name, 1.0)
    options = {
        "max_epochs": 25,
        "batch_size": 40,
        "backbone__norm": "none",
        "backbone": "mlp",
        "backbone__hidden": (16,),
        "lr": 0.02,
        "divergence": name,
        **FREE,
    }
    alone = dann(lambda_=0, **options).fit(X, y, ids)
    ours = dann(lambda_=strength, **options).fit(X, y, ids)
    far, near = (distance(model, name, X, ids) for model in (alone, ours))
    assert near < far - 0.1 * abs(far)


def test_features_of_several_sources_and_targets(domains, dann):
    X, y, _ = domains(n=60, m=60)
    ids = np.array([4, 0, 7, -1, -9])[np.arange(120) % 5]
    model = dann(max_epochs=3).fit(X, y, ids)
    assert model.domains_.tolist()[:3] == [4, 0, 7]
    assert model.domains_.tolist()[3:] == [-1, -9]
    assert model.net_.module_.divergence.n_domains == 5
    assert (model.n_source_, model.n_target_) == (72, 48)
    last = list(model.net_.module_.divergence.critic.children())[-1]
    assert last.out_features == 5
