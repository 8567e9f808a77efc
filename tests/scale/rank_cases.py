"""Fits that one process and several must do alike; also the script that these run.

As a script, every rank writes what came out of each case to ``FOLDER/<rank>.npz``:

    torchrun --nproc-per-node 2 rank_cases.py FOLDER [CASE ...]
"""

import os
import sys
from pathlib import Path

import numpy as np
import torch
from skorch.callbacks import Callback

from mlmi_sklearn import (
    Bags,
    DANNClassifier,
    FineTuneClassifier,
    MAMLRegressor,
    MILClassifier,
    MILRegressor,
    NetClassifier,
    NetRegressor,
    Stream,
)
from mlmi_sklearn.datasets import make_sinusoid_tasks

GLOBAL_BATCH = 24  # rows of a batch over all ranks
N = 101  # four batches, and a ragged one


def size(ranks):
    assert GLOBAL_BATCH % ranks == 0
    return GLOBAL_BATCH // ranks


def table(n=N):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 5)).astype(np.float32)
    return X, (X[:, 0] + 0.3 * rng.normal(size=n) > 0.4).astype(int)


def bags(n=61):
    rng = np.random.default_rng(1)
    parts = [rng.normal(size=(rng.integers(1, 7), 3)).astype("f4") for _ in range(n)]
    y = np.array([part[:, 0].max() > 0.8 for part in parts]).astype(int)
    return Bags.from_list(parts), y


def rows_of(X, model):
    """Predictions, as one array."""
    name = "predict_proba" if hasattr(model, "predict_proba") else "predict"
    return np.asarray(getattr(model, name)(X))


def net(ranks, n=N, weight=False, divide=1, **params):
    X, y = table(n)
    model = NetClassifier("mlp", max_epochs=3, random_state=0)
    model.set_params(batch_size=size(ranks) // divide, **params)
    weights = np.random.default_rng(2).uniform(0.1, 3.0, n) if weight else None
    model.fit(X, y, sample_weight=weights)
    return model, rows_of(X, model)


def images(ranks):
    X = np.random.default_rng(3).normal(size=(50, 1, 8, 8)).astype(np.float32)
    y = (X.mean((1, 2, 3)) > 0).astype(int)
    model = NetClassifier(max_epochs=2, random_state=0, batch_size=size(ranks))
    model.fit(X, y)
    return model, rows_of(X, model)


def regression(ranks):
    X, _ = table()
    model = NetRegressor(max_epochs=3, random_state=0, batch_size=size(ranks))
    model.set_params(backbone="mlp", lr_schedule="cosine", optimizer="sgd", lr=0.05)
    model.fit(X, X[:, :2])
    return model, rows_of(X, model)


def mil(ranks, kind=MILClassifier, **params):
    X, y = bags()
    y = y if kind is MILClassifier else y + 0.5
    model = kind(max_epochs=3, random_state=0, batch_size=size(ranks))
    model.set_params(**params).fit(X, y)
    return model, rows_of(X, model)


def dann(ranks, **params):
    X, y = table()
    domain = np.where(np.arange(N) % 3 == 0, -1, 1)
    model = DANNClassifier(max_epochs=3, random_state=0, batch_size=size(ranks))
    model.set_params(**params).fit(X, y, sample_domain=domain)
    return model, rows_of(X, model)


def maml(ranks, **params):
    X, y, groups = make_sinusoid_tasks(n_tasks=27, n_samples=16, random_state=0)
    model = MAMLRegressor(max_epochs=2, random_state=0, **params)
    model.set_params(meta_batch_size=size(ranks) // 4 or 1).fit(X, y, groups=groups)
    return model, rows_of(X, model)


def stream(ranks, **options):
    X, y = table()
    model = NetClassifier("mlp", max_epochs=2, random_state=0, batch_size=size(ranks))
    model.fit(Stream(X, **options), y)
    return model, rows_of(X, model)


def partial(ranks):
    X, y = table()
    model = NetClassifier("mlp", random_state=0, batch_size=size(ranks))
    model.partial_fit(X, y, classes=[0, 1]).partial_fit(X, y).partial_fit(X, y)
    return model, rows_of(X, model)


class Listener(Callback):
    """Makes the loop notify each batch."""

    def on_batch_end(self, net, **kwargs):
        self.seen_ = True


class Impatient(Callback):
    """Asks the first rank alone to stop after two epochs."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2 and os.environ.get("RANK", "0") == "0":
            raise KeyboardInterrupt


def head(ranks):
    source, _ = net(ranks)
    X, y = table()
    model = FineTuneClassifier(pretrained=source, max_steps=9, random_state=0)
    model.set_params(batch_size=size(ranks)).fit(X, y)
    return model, rows_of(X, model)


# A bias before a normalisation has no gradient but rounding, which Adam would blow up.
NORMALISED = {"backbone__norm": "batch", "optimizer": "sgd", "lr": 0.05}

# Those in which ranks of two and three processes come to what one comes to.
CASES = {
    "plain": net,
    "fewer rows than ranks": lambda r: net(r, n=GLOBAL_BATCH + 2),
    "batch normalisation": lambda r: net(r, **NORMALISED),
    "class weights": lambda r: net(r, class_weight="balanced"),
    "sample weights": lambda r: net(r, weight=True, **NORMALISED),
    "early stopping": lambda r: net(r, early_stopping=True, max_epochs=6),
    "a listener": lambda r: net(r, callbacks=[Listener()]),
    "a request to stop": lambda r: net(r, callbacks=[Impatient()], max_epochs=9),
    "images": images,
    "regression": regression,
    "partial_fit": partial,
    "bags": mil,
    "bags, class weights": lambda r: mil(r, class_weight="balanced"),
    "bags, attention": lambda r: mil(r, pooling="attention", level="embedding"),
    "bags, regression": lambda r: mil(r, MILRegressor, pooling="mean"),
    "domains": dann,
    "tasks": maml,
    "fine-tuning": head,
    "stream": stream,
    "stream of blocks": lambda r: stream(r, block_rows=10),
}
# Those that depend on the number of processes, and yet are the same on all ranks.
OWN = {
    "dropout": lambda r: net(r, backbone__dropout=0.5),
    "no seed": lambda r: net(r, random_state=None),
    "parts of bags": lambda r: mil(r, max_instances=2),
    "domains, mmd": lambda r: dann(r, divergence="mmd"),
}


def outcome(case, ranks):
    """Return the loss curve, all weights and buffers, and predictions."""
    model, predictions = (CASES | OWN)[case](ranks)
    module = model.net_.module_
    tensors = (*module.parameters(), *module.buffers())
    weights = torch.cat([t.detach().flatten().double() for t in tensors]).numpy()
    return {"loss": model.loss_curve_, "weights": weights, "predictions": predictions}


def main():
    folder, *cases = sys.argv[1:]
    found = {}
    # Another state on each rank, for what must not depend on it.
    np.random.seed(int(os.environ["RANK"]))
    for case in cases or [*CASES, *OWN]:
        result = outcome(case, int(os.environ["WORLD_SIZE"]))
        found |= {f"{case}/{name}": value for name, value in result.items()}
    np.savez(Path(folder) / f"{os.environ['RANK']}.npz", **found)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
