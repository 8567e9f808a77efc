"""Thousands of fits in one process leave nothing behind: memory, handles, threads.

Slow; with the figures: ``make test-all ARGS="tests/reliability/test_soak.py -n 0 -s"``.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
import warnings

import numpy as np
import psutil
import pytest

from mlmi_sklearn import (
    Bags,
    CGANSampler,
    DANNClassifier,
    MAMLClassifier,
    MILClassifier,
    NetClassifier,
    NetRegressor,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 5)).astype(np.float32)
Y = np.arange(40) % 2
DOMAIN = np.where(np.arange(40) < 20, 1, -1)
BAGS = Bags(X, lengths=[2] * 20)


def net(seed):
    NetClassifier(max_epochs=2, random_state=seed).fit(X, Y).predict(X)


def early(seed):
    NetRegressor(max_epochs=2, early_stopping=True, random_state=seed).fit(X, X[:, 0])


def mil(seed):
    MILClassifier(max_epochs=2, random_state=seed).fit(BAGS, Y[:20]).predict(BAGS)


def dann(seed):
    model = DANNClassifier(max_epochs=1, random_state=seed)
    model.fit(X, Y, sample_domain=DOMAIN).predict(X)


def maml(seed):
    model = MAMLClassifier(
        max_epochs=1, episodes_per_epoch=2, finetune_steps=1, random_state=seed
    )
    model.fit(X, Y).predict(X)


def cgan(seed):
    CGANSampler(max_iter=2, random_state=seed).fit(X, Y).sample(3)


def failing(seed):
    with pytest.raises(ValueError, match="NaN"):
        NetClassifier(random_state=seed).fit(np.full_like(X, np.nan), Y)


KINDS = {
    "net": (net, 2000),
    "early stopping": (early, 400),
    "bags": (mil, 400),
    "domains": (dann, 300),
    "tasks": (maml, 300),
    "generator": (cgan, 300),
    "a fit that fails": (failing, 1000),
}


def held() -> dict[str, float]:
    """Return what this process holds: memory (bytes), file handles, threads."""
    gc.collect()
    if sys.platform == "linux":
        # What glibc keeps for the next fit goes up and down; it is nobody's.
        getattr(ctypes.CDLL(None), "malloc_trim", lambda pad: 0)(0)
    process = psutil.Process()
    return {
        "memory": process.memory_full_info().uss,
        "handles": process.num_fds(),
        "threads": threading.active_count(),
        "system threads": process.num_threads(),
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_fits_leave_nothing_behind(kind):
    run, times = KINDS[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in range(times // 10):  # caches fill, the allocator settles
            run(seed)
        before = held()
        for seed in range(times):
            run(seed)
        after = held()
    growth = after["memory"] / before["memory"] - 1
    print(f"\n{kind}: {times} fits, memory {growth:+.2%}, {before} -> {after}")
    assert growth < 0.05
    assert after["handles"] <= before["handles"]
    assert after["threads"] <= before["threads"]
    assert after["system threads"] <= before["system threads"]
