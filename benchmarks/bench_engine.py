"""An epoch of NetClassifier against a raw torch loop, plain skorch and scikit-learn.

All train the same net (20-64-3, ReLU) with the same batches of 128 on 50,000 x 20
float32 rows, with AdamW (Adam for scikit-learn, which has no other). The raw loop is
what one writes by hand: a permutation an epoch, rows gathered batch by batch, the same
fused optimiser. Before anything is timed, raw loop and estimator must end at the same
weights.

Run: ``make bench`` or ``python benchmarks/bench_engine.py``.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
import torch
from _paired import against, in_turns, report
from sklearn.neural_network import MLPClassifier
from skorch import NeuralNetClassifier
from torch import nn

from mlmi_sklearn import NetClassifier
from mlmi_sklearn.base.netbuild import build_module
from mlmi_sklearn.base.plan import make_plan

N, D, K, HIDDEN, BATCH = 50_000, 20, 3, 64, 128
LR, DECAY = 1e-3, 1e-4


def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, D)).astype(np.float32)
    y = (X @ rng.normal(size=(D, K)) + rng.normal(size=(N, K))).argmax(axis=1)
    return X, y


def estimator(epochs):
    model = NetClassifier(
        max_epochs=epochs, batch_size=BATCH, lr=LR, weight_decay=DECAY, random_state=0
    )
    return model.set_params(backbone__hidden=(HIDDEN,))


def plain_net():
    return nn.Sequential(nn.Linear(D, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, K))


def raw_loop(net, X, y, epochs, generator=None):
    """Train as one writes it by hand."""
    Xt, yt = torch.from_numpy(X), torch.from_numpy(y)
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=LR, weight_decay=DECAY, fused=True
    )
    loss_of = nn.CrossEntropyLoss()
    for _ in range(epochs):
        order = torch.randperm(N, generator=generator)
        for start in range(0, N, BATCH):
            rows = order[start : start + BATCH]
            optimizer.zero_grad()
            loss = loss_of(net(Xt[rows]), yt[rows])
            loss.backward()
            optimizer.step()
    return net


def skorch_net(epochs):
    return NeuralNetClassifier(
        plain_net,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        optimizer__weight_decay=DECAY,
        lr=LR,
        max_epochs=epochs,
        batch_size=BATCH,
        train_split=None,
        iterator_train__shuffle=True,
        verbose=0,
    )


def sklearn_net(epochs):
    return MLPClassifier(
        (HIDDEN,),
        batch_size=BATCH,
        learning_rate_init=LR,
        max_iter=epochs,
        n_iter_no_change=epochs + 1,
        random_state=0,
    )


def check_agreement(X, y):
    """Raw loop and estimator, started alike, must end alike."""
    model = estimator(1).fit(X, y)
    plan = make_plan(estimator(1), torch.float32)
    start = build_module(model, model._recipe, plan.init_seed)
    weights = start.state_dict().values()
    net = plain_net()
    net.load_state_dict(dict(zip(net.state_dict(), weights, strict=True)))
    order = torch.Generator().manual_seed(plan.order_seed)
    raw_loop(net, X, y, 1, order)
    pairs = zip(net.parameters(), model.net_.module_.parameters(), strict=True)
    worst = max(float((a - b).abs().max()) for a, b in pairs)
    assert worst < 1e-4, f"weights differ by {worst}"
    print(f"raw loop and estimator agree: largest difference of a weight {worst:.1e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # scikit-learn: not converged
    X, y = data()
    check_agreement(X, y)
    epochs = options.epochs
    times = in_turns(
        {
            "ours": lambda: estimator(epochs).fit(X, y),
            "raw torch loop": lambda: raw_loop(plain_net(), X, y, epochs),
            "skorch": lambda: skorch_net(epochs).fit(X, y),
            "MLPClassifier": lambda: sklearn_net(epochs).fit(X, y),
        },
        options.rounds,
    )
    case = "50,000 x 20, batch 128"
    rivals = {"raw torch loop": 1 / 1.1, "skorch": 3, "MLPClassifier": 1}
    rows = [against(times, case, r, epochs, goal) for r, goal in rivals.items()]
    report("Training engine: whole fits", "engine.json", "epoch", rows)


if __name__ == "__main__":
    main()
