"""An epoch of DANNClassifier against a plain torch loop and against skada.

Digits, 900 rows of source and 897 of target, 64 rows of either a step, 14 steps an
epoch; encoder 64-128 with batch normalisation, discriminator 100 units. The plain
loop is what one writes by hand: rows gathered batch by batch, both domains passed
separately, gradient reversal, both schedules of Ganin et al., fused SGD with momentum.
skada's default discriminator is not timed: its gradient is zero (see bench_da_skada),
so it gets one that works.

Run: ``make bench`` or ``python benchmarks/bench_da_speed.py`` (skada: extra ``bench``).
"""

from __future__ import annotations

import argparse

import torch
from _da import Plain, quiet, train_plain
from _paired import against, in_turns, report
from _skada import working_dann

from mlmi_sklearn import DANNClassifier
from mlmi_sklearn.datasets import make_shifted_digits

HIDDEN, CRITIC, BATCH, LR, LAMBDA = (128,), (100,), 64, 0.03, 0.3


def estimator(epochs, **params):
    """Return ours, with the net and the optimiser that all train."""
    params = {"diagnostics": False} | params
    model = DANNClassifier(
        backbone="mlp",
        discriminator=CRITIC,
        lambda_=LAMBDA,
        lr=LR,
        batch_size=BATCH,
        max_epochs=epochs,
        random_state=0,
        **params,
    )
    return model.set_params(backbone__hidden=HIDDEN, backbone__norm="batch")


def check_sizes(model, net):
    """Both sides must train the same number of weights, in as many steps."""
    ours = sum(p.numel() for p in model.net_.module_.parameters())
    rival = sum(p.numel() for p in net.parameters())
    assert ours == rival, f"{ours} weights against {rival}"
    print(f"weights on both sides: {ours}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=30)
    options = parser.parse_args()
    quiet()
    X, y, domain = make_shifted_digits("rotate", random_state=0)
    Xs, ys, Xt = X[domain >= 0], y[domain >= 0], X[domain < 0]
    epochs = options.epochs

    def plain():
        torch.manual_seed(0)
        net = Plain(64, 10, HIDDEN, CRITIC)
        settings = {"epochs": epochs, "batch": BATCH, "lr": LR, "lambda_": LAMBDA}
        return train_plain(net, Xs, ys, Xt, **settings)

    check_sizes(
        estimator(1).fit(X, y, sample_domain=domain), Plain(64, 10, HIDDEN, CRITIC)
    )
    contenders = {
        "ours": lambda: estimator(epochs).fit(X, y, sample_domain=domain),
        "plain torch loop": plain,
    }
    if working_dann is not None:
        contenders["skada"] = lambda: working_dann(
            64, 10, HIDDEN, CRITIC, epochs, batch=BATCH, lr=LR, lambda_=LAMBDA
        ).fit(X, y, sample_domain=domain)
    times = in_turns(contenders, options.rounds)
    goals = {"plain torch loop": 1 / 1.25, "skada": None}
    rows = [
        against(times, "digits, 900 + 897, batch 64", rival, epochs, goals[rival])
        for rival in contenders
        if rival != "ours"
    ]
    whole = {
        "ours": lambda: estimator(epochs, diagnostics=True).fit(X, y, domain),
        "plain torch loop": plain,
    }
    rows.append(
        against(
            in_turns(whole, options.rounds),
            "the same, with diagnostics",
            "plain torch loop",
            epochs,
            None,
        )
    )
    report("Domain adaptation: whole fits", "da_speed.json", "epoch", rows)


if __name__ == "__main__":
    main()
