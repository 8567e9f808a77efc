"""Meta-learning: training steps of MAMLRegressor and MAMLClassifier against loops.

The rival is MAML as one writes it: a loop over tasks, ``torch.func.functional_call``
and ``torch.autograd.grad``, one backward pass, fused Adam. It stands for learn2learn,
which takes as long (it cannot be installed on Python 3.11: its C files need a header
that has moved). Both compute the same gradient, which is checked before timing.

sinusoid
    25 tasks, 10 + 10 points, MLP 1-40-40-1, 1 and 5 inner steps; also compiled.
conv4
    64 filters, 28 x 28 pixels, 5-way 1-shot, 1 query a class, 32 tasks in a step,
    1 and 5 inner steps.
overhead
    The engine alone, without estimator and skorch, on the same episodes.

Run: ``make bench`` or ``python benchmarks/bench_meta_speed.py [--rounds 5]``.
"""

from __future__ import annotations

import argparse
import copy

import numpy as np
import torch
from _da import quiet
from _paired import against, in_turns, report
from torch import nn
from torch.func import functional_call
from torch.nn import functional

from mlmi_sklearn import MAMLClassifier, MAMLRegressor
from mlmi_sklearn.datasets import make_sinusoid_tasks
from mlmi_sklearn.meta_learning.episodes import EpisodeBatches
from mlmi_sklearn.nn.tasks import Episode, Support
from mlmi_sklearn.nn.tasks.norms import TaskNorm, use_plain_norms

SINUSOID = {"n_shot": 10, "n_query": 10, "meta_batch_size": 25, "inner_lr": 0.01}
CONV = {"n_way": 5, "n_shot": 1, "n_query": 1, "meta_batch_size": 32, "inner_lr": 0.4}
EXACT = {
    "inner_max_norm": None,
    "max_grad_norm": None,
    "finetune_steps": 0,
    "lr": 1e-3,
    "lr_schedule": "constant",
    "random_state": 0,
}


def regressor(steps, **params):
    model = MAMLRegressor(
        backbone="mlp", inner_steps=steps, episodes="groups", **SINUSOID, **EXACT
    )
    return model.set_params(backbone__hidden=(40, 40), **params)


def classifier(steps, episodes, **params):
    return MAMLClassifier(
        backbone="conv4",
        inner_steps=steps,
        episodes="classes",
        episodes_per_epoch=episodes,
        max_epochs=1,
        **CONV,
        **EXACT,
    ).set_params(**params)


class PlainNet(nn.Module):
    """The same layers as a user would write them, with PyTorch's batch norm."""

    def __init__(self, model):
        super().__init__()
        self.backbone = use_plain_norms(copy.deepcopy(model.backbone))
        self.head = nn.Linear(model.head.in_features, model.head.n_outputs)
        self.head.load_state_dict(model.head.state_dict())

    def forward(self, x):
        """Return scores."""
        return self.head(self.backbone(x))


def loss_of(raw, y):
    if y.is_floating_point():
        return functional.mse_loss(raw, y)
    return functional.cross_entropy(raw, y)


def plain_step(net, episode, rate, steps):
    """Sum of the losses of all tasks after their inner steps."""
    start = dict(net.named_parameters())
    total = 0.0
    for t in range(len(episode.support.x)):
        weights = start
        for _ in range(steps):
            raw = functional_call(net, weights, (episode.support.x[t],))
            loss = loss_of(raw, episode.support.y[t])
            slopes = torch.autograd.grad(
                loss, list(weights.values()), create_graph=True
            )
            weights = {
                name: value - rate * slope
                for (name, value), slope in zip(weights.items(), slopes, strict=True)
            }
        raw = functional_call(net, weights, (episode.query.x[t],))
        total = total + loss_of(raw, episode.query.y[t])
    return total


def check_equal(model, data, rate, steps):
    """Both must compute the same gradient."""
    module = copy.deepcopy(model.net_.module_).double()
    batch, net = in_double(first_batch(data)), PlainNet(module).double()
    found = []
    for part, run in (
        (module, lambda: module.episode(batch, model.net_.criterion_).objective.sum()),
        (net, lambda: plain_step(net, batch, rate, steps)),
    ):
        part.zero_grad()
        run().backward()
        found.append([p.grad.clone() for p in part.parameters()])
    largest = max(float(g.abs().max()) for g in found[1])
    gaps = [float((a - b).abs().max()) for a, b in zip(*found, strict=True)]
    print(f"largest difference of gradients: {max(gaps) / largest:.1e} of the largest")
    assert max(gaps) < 1e-9 * largest


def in_double(episode):
    """Return the episode in double precision, in which rounding does not matter."""
    parts = [
        Support(p.x.double(), p.y.double() if p.y.is_floating_point() else p.y)
        for p in (episode.support, episode.query)
    ]
    return Episode(*parts, episode.n_outputs)


def first_batch(data):
    return next(iter(EpisodeBatches(data, np.random.default_rng(0))))[0].parts[0]


def episodes_of(model, fit):
    """Fit and keep the episodes that were trained on."""
    kept = {}
    original = type(model)._episodes_of

    def keep(self, *args):
        kept["data"] = original(self, *args)
        return kept["data"]

    type(model)._episodes_of = keep
    try:
        fit()
    finally:
        type(model)._episodes_of = original
    return kept["data"]


def loops(model, data, rate, steps):
    """Return the plain loop and the bare engine over one epoch of episodes."""
    module, criterion = model.net_.module_, model.net_.criterion_
    chunk = model.net_._chunk_size()

    def optimizer(of):
        return torch.optim.Adam(of.parameters(), lr=1e-3, fused=True)

    def plain():
        net = PlainNet(module)
        adam = optimizer(net)
        for batch, _ in EpisodeBatches(data, np.random.default_rng(0)):
            adam.zero_grad()
            plain_step(net, batch.parts[0], rate, steps).backward()
            adam.step()

    def engine():
        adam = optimizer(module)
        for batch, _ in EpisodeBatches(data, np.random.default_rng(0)):
            adam.zero_grad()
            for part in batch.chunks(chunk):
                module.episode(part, criterion).objective.sum().backward()
            adam.step()

    return plain, engine


def sinusoid(steps, rounds, n_tasks):
    X, y, groups = make_sinusoid_tasks(n_tasks, 20, random_state=0)
    X, y = X.astype(np.float32), y.astype(np.float32)
    model = regressor(steps, max_epochs=1)
    data = episodes_of(model, lambda: model.fit(X, y, groups=groups))
    rate = SINUSOID["inner_lr"]
    check_equal(model, data, rate, steps)
    plain, engine = loops(model, data, rate, steps)
    trained = regressor(steps, max_epochs=1).fit(X, y, groups=groups)
    contenders = {
        "ours": lambda: trained.partial_fit(X, y, groups=groups),
        "plain loop": plain,
        "engine alone": engine,
    }
    units = n_tasks // SINUSOID["meta_batch_size"]
    times = in_turns(contenders, rounds)
    name = f"sinusoid, {steps} steps"
    return [
        against(times, name, "plain loop", units, 5.0),
        against(times, name, "engine alone", units, 1 / 1.1),
    ]


def compiled(rounds, n_tasks):
    X, y, groups = make_sinusoid_tasks(n_tasks, 20, random_state=0)
    X, y = X.astype(np.float32), y.astype(np.float32)
    rows = []
    for steps in (1, 5):
        model = regressor(steps, max_epochs=1)
        data = episodes_of(model, lambda m=model: m.fit(X, y, groups=groups))
        plain, _ = loops(model, data, SINUSOID["inner_lr"], steps)
        module, criterion = model.net_.module_, model.net_.criterion_
        module.compile()
        adam = torch.optim.Adam(module.parameters(), lr=1e-3, fused=True)

        def ours(module=module, criterion=criterion, adam=adam, data=data):
            for batch, _ in EpisodeBatches(data, np.random.default_rng(0)):
                adam.zero_grad()
                module.episode(batch.parts[0], criterion).objective.sum().backward()
                adam.step()

        times = in_turns({"ours": ours, "plain loop": plain}, rounds)
        units = n_tasks // SINUSOID["meta_batch_size"]
        name = f"sinusoid, {steps} steps, compiled"
        rows.append(against(times, name, "plain loop", units, 20.0))
    return rows


def characters(seed=0):
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(50), 20)
    return rng.random((1000, 1, 28, 28), dtype=np.float32), y


_STEPS = 1  # of the outer loop in one call


def conv(steps, rounds):
    X, y = characters()
    episodes = _STEPS * CONV["meta_batch_size"]
    model = classifier(steps, episodes)
    data = episodes_of(model, lambda: model.fit(X, y))
    assert any(isinstance(m, TaskNorm) for m in model.net_.module_.modules())
    check_equal(model, data, CONV["inner_lr"], steps)
    plain, engine = loops(model, data, CONV["inner_lr"], steps)
    trained = classifier(steps, episodes).fit(X, y)
    contenders = {
        "ours": lambda: trained.partial_fit(X, y),
        "plain loop": plain,
        "engine alone": engine,
    }
    times = in_turns(contenders, rounds)
    return [
        against(times, f"conv4, {steps} steps", "plain loop", _STEPS, 1.25),
        against(times, f"conv4, {steps} steps", "engine alone", _STEPS, 1 / 1.1),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--no-compile", action="store_true")
    options = parser.parse_args()
    quiet()
    rows = []
    for steps in (1, 5):
        rows += sinusoid(steps, options.rounds, options.tasks)
    for steps in (1, 5):
        rows += conv(steps, options.rounds)
    if not options.no_compile:
        rows += compiled(options.rounds, options.tasks)
    report("Meta-learning: steps of MAML", "meta_speed.json", "step", rows)


if __name__ == "__main__":
    main()
