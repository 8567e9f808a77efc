"""An epoch of deep MIL against torchmil, on bags of different size.

Four nets, each on the features of a layer of 64 ReLU units: attention, gated
attention, a transformer and DSMIL. Both sides train the same net with AdamW on the
same bags, ours through ``MILClassifier``; torchmil's gets its own ``collate_fn`` and a
bare training loop, which is faster than its ``Trainer``.

Before anything is timed, both nets must give the same scores from the same weights.
The transformers cannot: torchmil's has no biases and no output layer in its attention
and adds its input to its output. Widths, heads, layers and feed-forward units are the
same, and ours must not have fewer parameters, so that it has no less to compute.
DSMIL's bags are scored alike; of its two losses torchmil's takes the score of the
second stream alone where ours takes the mean of both, which costs the same.

Run: ``make bench`` or ``python benchmarks/bench_mil.py`` (extra ``bench``).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from _paired import against, in_turns, report
from torch import nn

from mlmi_sklearn import Bags, MILClassifier

try:
    from tensordict import TensorDict  # noqa: F401 - torchmil needs it
    from torchmil.data import collate_fn
    from torchmil.models import ABMIL, DSMIL, TransformerABMIL
except ImportError:
    sys.exit("torchmil is not installed: pip install 'mlmi-sklearn[bench]'")

D = H = 64
HEADS, FEEDFORWARD = 4, 4 * H  # torchmil's feed-forward factor is fixed
LR = 1e-3
# Sizes of bags, number of bags, batch, epochs, goal; sizes as measured for the design.
CASES = [
    ("mild", 400, 1, 2, 1 / 1.1),
    ("mild", 400, 16, 6, 1.5),
    ("mild", 400, 64, 6, 1.5),
    ("wide", 200, 1, 2, 1 / 1.1),
    ("wide", 200, 16, 4, 5.0),
    ("wide", 200, 64, 4, 5.0),
]
# Padded to 968, attention of all to all takes torchmil seconds a batch.
EPOCHS_OF_TRANSFORMERS = 1


@dataclass
class Pair:
    """One net on both sides.

    Parameters
    ----------
    pooling : str
        Ours.
    params : dict
        Its parameters.
    rival : callable
        Feature extractor -> torchmil's net.
    layers : dict
        Names of torchmil's layers -> names of the same of ours; empty where the two
        are not one function.
    """

    pooling: str
    params: dict[str, Any]
    rival: Callable[[nn.Module], nn.Module]
    layers: dict[str, str] = field(default_factory=dict)


_ATTENTION = {
    "feat_ext.0": "backbone.0",
    "pool.fc1": "pooling.project",
    "pool.fc2": "pooling.score",
    "classifier": "head",
}
_DSMIL = {
    "feat_ext.0": "backbone.0",
    "inst_classifier": "pooling.first",
    "q_nn": "pooling.reduce",
    "bag_classifier": "pooling.second",
}
PAIRS = {
    "attention": Pair(
        "attention",
        {"hidden": H},
        lambda f: ABMIL((D,), att_dim=H, feat_ext=f),
        _ATTENTION,
    ),
    "gated attention": Pair(
        "gated-attention",
        {"hidden": H},
        lambda f: ABMIL((D,), att_dim=H, gated=True, feat_ext=f),
        _ATTENTION | {"pool.fc_gated": "pooling.gate"},
    ),
    "transformer": Pair(
        "transformer",
        {"width": H, "heads": HEADS, "n_layers": 1, "feedforward": FEEDFORWARD},
        lambda f: TransformerABMIL(
            (D,),
            pool_att_dim=H,
            pool_gated=True,
            feat_ext=f,
            transf_att_dim=H,
            transf_n_layers=1,
            transf_n_heads=HEADS,
        ),
    ),
    "DSMIL": Pair(
        "dsmil",
        {"hidden": H, "nonlinear": False},
        lambda f: DSMIL((D,), att_dim=H, feat_ext=f),
        _DSMIL,
    ),
}


def make_bags(sizes: str, n_bags: int) -> tuple[Bags, np.ndarray]:
    """Return bags of noise with labels of noise."""
    rng = np.random.default_rng(0)
    if sizes == "mild":
        lengths = rng.integers(20, 40, n_bags)
    else:
        # Median 54; a padded batch of 16 holds 4.3 times the instances, as in the case
        # for which the goal was set.
        lengths = np.exp(rng.normal(np.log(54), 1.3, n_bags)).astype(int)
        lengths = lengths.clip(5, 968)
        lengths[:2] = 5, 968
    values = rng.normal(size=(lengths.sum(), D)).astype(np.float32)
    return Bags(values, lengths), rng.integers(0, 2, n_bags)


def padding_factor(bags: Bags, batch: int) -> float:
    """Rows of padded batches over real instances, for random batches."""
    rng, rows = np.random.default_rng(1), []
    for _ in range(30):
        order = rng.permutation(len(bags))
        parts = [bags.lengths[order[i : i + batch]] for i in range(0, len(bags), batch)]
        rows.append(sum(part.max() * len(part) for part in parts))
    return float(np.mean(rows) / bags.n_instances)


def ours(pair: Pair, batch: int, epochs: int) -> MILClassifier:
    """Return our estimator."""
    inner = {f"pooling__{name}": value for name, value in pair.params.items()}
    return MILClassifier(
        backbone="mlp",
        pooling=pair.pooling,
        batch_size=batch,
        max_epochs=epochs,
        lr=LR,
        scale_inputs=False,  # torchmil's net does not
        random_state=0,
    ).set_params(backbone__hidden=(H,), **inner)


def torchmil_net(pair: Pair) -> nn.Module:
    """Return torchmil's net."""
    return pair.rival(nn.Sequential(nn.Linear(D, H), nn.ReLU()))


def train_torchmil(
    pair: Pair, bags: Bags, y: np.ndarray, batch: int, epochs: int
) -> None:
    """Train torchmil's net in a bare loop over a DataLoader that pads."""
    rows = [
        {"X": torch.from_numpy(np.array(bag)), "Y": torch.tensor(label)}
        for bag, label in zip(bags, y, strict=True)
    ]
    loader = torch.utils.data.DataLoader(
        rows, batch_size=batch, shuffle=True, collate_fn=collate_fn
    )
    net = torchmil_net(pair).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=LR, fused=True)
    for _ in range(epochs):
        for part in loader:
            optimizer.zero_grad()
            _, losses = net.compute_loss(part["Y"], part["X"], part["mask"])
            sum(losses.values()).backward()
            optimizer.step()


def check_agreement(name: str, pair: Pair) -> str:
    """Check that both nets are one function, or of one size; say which."""
    bags, y = make_bags("mild", 40)
    model = ours(pair, 16, 1).fit(bags, y)
    mine, theirs = model.net_.module_, torchmil_net(pair).eval()
    n_mine, n_theirs = n_parameters(mine), n_parameters(theirs)
    if not pair.layers:
        assert n_mine >= n_theirs, f"ours is the smaller net: {n_mine}, {n_theirs}"
        return f"{name}: {n_mine} parameters, torchmil's {n_theirs}; not one function"
    for target, source in pair.layers.items():
        layer = theirs.get_submodule(target)
        inner = getattr(layer, "module", layer)
        inner.load_state_dict(mine.get_submodule(source).state_dict())
    with torch.no_grad():
        one_by_one = [
            float(_score(theirs, torch.from_numpy(np.array(bag))[None])) for bag in bags
        ]
    worst = np.abs(model.decision_function(bags) - one_by_one).max()
    assert worst < 1e-4, f"{name}: scores differ by {worst}"
    assert n_mine == n_theirs, f"{name}: {n_mine} and {n_theirs} parameters"
    return f"{name}: {n_mine} parameters each, same scores to {worst:.0e}"


def n_parameters(net: nn.Module) -> int:
    """Count what is trained."""
    return sum(p.numel() for p in net.parameters())


def _score(net: nn.Module, bag: torch.Tensor) -> torch.Tensor:
    # Only predict() of torchmil's DSMIL joins the two streams.
    return net.predict(bag) if isinstance(net, DSMIL) else net(bag)


def compare(
    pair: Pair, bags: Bags, y: np.ndarray, batch: int, epochs: int, rounds: int
) -> dict:
    """Time whole fits of both sides in turns."""
    contenders = {
        "ours": lambda: ours(pair, batch, epochs).fit(bags, y),
        "torchmil": lambda: train_torchmil(pair, bags, y, batch, epochs),
    }
    return in_turns(contenders, rounds)


def main() -> None:
    """Time every net in every case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--nets", nargs="*", choices=list(PAIRS), default=list(PAIRS))
    parser.add_argument("--no-write", action="store_true", help="leave the results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.nets:
        print(check_agreement(name, PAIRS[name]))
    rows = []
    for sizes, n_bags, batch, epochs, goal in CASES:
        bags, y = make_bags(sizes, n_bags)
        print(f"{sizes}, batch {batch}: padding x {padding_factor(bags, batch):.2f}")
        for name in options.nets:
            some = EPOCHS_OF_TRANSFORMERS if name == "transformer" else epochs
            times = compare(PAIRS[name], bags, y, batch, some, options.rounds)
            case = f"{name}: {sizes}, batch {batch}"
            rows.append(against(times, case, "torchmil", some, goal))
    title = "Deep MIL, whole fits; bags of 20-39 (mild) and 5-968 instances (wide)"
    report(title, None if options.no_write else "mil.json", "epoch", rows)


if __name__ == "__main__":
    main()
