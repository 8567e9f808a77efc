"""Meta-learning: training steps of MAMLRegressor and MAMLClassifier against loops.

The rival is MAML as one writes it: a loop over tasks, ``torch.func.functional_call``
and ``torch.autograd.grad``, one backward pass, fused Adam. It stands for learn2learn,
which takes as long (it cannot be installed on Python 3.11: its C files need a header
that has moved). Both compute the same gradient, which is checked before timing.

sinusoid
    25 tasks, 10 + 10 points, MLP 1-40-40-1, 1 and 5 inner steps; also compiled.
conv4
    64 filters, 28 x 28 pixels, 5-way 1-shot, 1 query a class, 32 tasks in a step,
    1 and 5 inner steps. A call has several steps, and all that comes with a call:
    statistics of normalisations, and the ordinary model behind ``predict``.
engine alone
    The engine without estimator and skorch, on the same episodes.
memory
    Peak of one step of conv4 above what the process had before it, each in a process
    of its own. The loop takes a backward pass after every task, as one does to save
    memory.

Run: ``make bench`` or ``python benchmarks/bench_meta_speed.py [--rounds 5]``.
"""

from __future__ import annotations

import argparse
import copy
import ctypes
import gc
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from _da import quiet
from _paired import RESULTS, Row, against, in_turns, report
from torch import nn
from torch.func import functional_call
from torch.nn import functional

from mlmi_sklearn import MAMLClassifier, MAMLRegressor
from mlmi_sklearn.datasets import make_sinusoid_tasks
from mlmi_sklearn.meta_learning.episodes import EpisodeBatches, Pace
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
    return sum(plain_losses(net, episode, rate, steps))


def plain_losses(net, episode, rate, steps):
    """Loss of one task after the other, after its inner steps."""
    start = dict(net.named_parameters())
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
        yield loss_of(raw, episode.query.y[t])


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


def sinusoid(steps, rounds, n_tasks, rival, goal):
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
        rival: {"plain loop": plain, "engine alone": engine}[rival],
    }
    units = n_tasks // SINUSOID["meta_batch_size"]
    times = in_turns(contenders, rounds)
    name = f"sinusoid, {steps} steps"
    return against(times, name, rival, units, goal)


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


_OUTER = {1: 8, 5: 2}  # steps of the outer loop in one call, by inner steps


def conv(steps, rounds):
    X, y = characters()
    outer = _OUTER[steps]
    episodes = outer * CONV["meta_batch_size"]
    model = classifier(steps, episodes)
    data = episodes_of(model, lambda: model.fit(X, y))
    assert any(isinstance(m, TaskNorm) for m in model.net_.module_.modules())
    if steps == 1:  # in double precision, the graphs of more steps take gigabytes
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
        against(times, f"conv4, {steps} steps", "plain loop", outer, 1.25),
        against(times, f"conv4, {steps} steps", "engine alone", outer, 1 / 1.1),
    ]


def rss(field):
    """Present ("VmRSS") or largest ("VmHWM") memory of this process, in MB.

    ``ru_maxrss`` would not do: a new process begins with that of its parent.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {field} in /proc/self/status")


def peak(which):
    """Print how much one step takes on top of what there is before it, in MB."""
    X, y = characters()
    # A small fit first: what it leaves behind must not hide what a step takes.
    model = classifier(1, 1).set_params(meta_batch_size=1)
    data = episodes_of(model, lambda: model.fit(X[:100], y[:100]))
    data.pace = Pace(CONV["meta_batch_size"], CONV["meta_batch_size"])
    module, criterion = model.net_.module_, model.net_.criterion_
    module.steps = 5
    net, chunk = PlainNet(module), model.net_._chunk_size()
    batch = next(iter(EpisodeBatches(data, np.random.default_rng(0))))[0]
    assert len(batch) == CONV["meta_batch_size"]
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # forget the largest so far
    before = rss("VmRSS")
    if which == "plain loop":
        for loss in plain_losses(net, batch.parts[0], CONV["inner_lr"], 5):
            loss.backward()
    else:
        parts = batch.chunks(1 if which == "ours, one task at a time" else chunk)
        for part in parts:
            module.episode(part, criterion).objective.sum().backward()
    print(rss("VmHWM") - before)


def memory():
    """Compare peaks of one step."""
    found = {}
    for which in ("plain loop", "ours", "ours, one task at a time"):
        command = [sys.executable, __file__, "--peak", which]
        out = subprocess.run(command, capture_output=True, text=True, check=True)
        found[which] = round(float(out.stdout.split()[-1]), 1)
    ratio = found["ours"] / found["plain loop"]
    print(f"\nconv4, 5 steps, 32 tasks, peak memory of a step in MB: {found}")
    print(f"ratio {ratio:.2f} (goal <= 3) {'reached' if ratio <= 3 else 'MISSED'}")
    return {"peak_mb": found, "ratio": ratio, "goal": 3.0, "reached": ratio <= 3}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--peak", help="of one contender, for the part on memory")
    options = parser.parse_args()
    quiet()
    if options.peak:
        peak(options.peak)
        return
    found = memory()
    rows, n_tasks = [], options.tasks
    for rival, tasks, goal in (
        ("plain loop", n_tasks, 5.0),
        ("engine alone", 5 * n_tasks, 1 / 1.1),  # as many steps as users have
    ):
        rows += [sinusoid(n, options.rounds, tasks, rival, goal) for n in (1, 5)]
    for steps in (1, 5):
        rows += conv(steps, options.rounds)
    path = RESULTS / "meta_speed.json"
    if not options.no_compile:
        rows += compiled(options.rounds, options.tasks)
    elif path.exists():  # those of an earlier run
        old = json.loads(path.read_text())["rows"]
        rows += [Row(**row) for row in old if row["name"].endswith("compiled")]
    report("Meta-learning: steps of MAML", path.name, "step", rows)
    content = json.loads(path.read_text()) | {"memory": found}
    path.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
