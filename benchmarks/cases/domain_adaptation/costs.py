"""Growth of cost, and prediction."""

from __future__ import annotations

import numpy as np
import torch
from suite import Case, Scaling, case

from .training import Task


@case("domain_adaptation", "DANN over rows of both domains", threads=(1,))
def over_rows() -> Scaling:
    task = Task("dann")

    def make(n: int):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((n, 64), dtype=np.float32)
        y, domain = rng.integers(0, 10, n), np.repeat([0, -1], n // 2)
        return lambda: task.estimator(2).fit(X, y, sample_domain=domain)

    return Scaling("instances", (2_000, 4_000, 8_000, 16_000, 32_000), make)


@case("domain_adaptation", "prediction: 50,000 x 64")
def prediction() -> Case:
    task = Task("dann")
    model, net = task.ours(1), task.net().eval()
    values = model.net_.module_.state_dict().values()
    net.load_state_dict(dict(zip(net.state_dict(), values, strict=True)))
    X = np.random.default_rng(0).standard_normal((50_000, 64), dtype=np.float32)

    def limit() -> np.ndarray:
        parts = torch.from_numpy(X).split(1024)
        with torch.no_grad():
            return torch.cat(
                [net.head(net.encoder(part)).softmax(1) for part in parts]
            ).numpy()

    def agree() -> str:
        apart = float(np.abs(model.predict_proba(X) - limit()).max())
        assert apart < 1e-5, f"probabilities differ by {apart}"
        return f"probabilities of ours and the limit differ by {apart:.0e} at most"

    return Case({"ours": lambda: model.predict_proba(X), "limit": limit}, agree, "pass")
