"""One GPU for each worker process, by what joblib and CUDA have.

A fit with ``device="auto"`` takes the first GPU that its process can see. So a worker
is shown one of its own, before it touches any: CUDA reads ``CUDA_VISIBLE_DEVICES``
once.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import torch
from joblib import parallel_config

__all__ = ["one_gpu_per_worker", "show_gpu", "visible_gpus"]

_VISIBLE = "CUDA_VISIBLE_DEVICES"


def visible_gpus() -> list[str]:
    """Return the names of the GPUs that this process can see.

    Returns
    -------
    list of str
        As in ``CUDA_VISIBLE_DEVICES``: numbers, or UUIDs.

    Examples
    --------
    >>> from mlmi_sklearn.training.gpus import visible_gpus
    >>> isinstance(visible_gpus(), list)
    True
    """
    names = os.environ.get(_VISIBLE)
    if names is None:
        return [str(i) for i in range(torch.cuda.device_count())]
    return [name.strip() for name in names.split(",") if name.strip()]


def show_gpu(worker: int, gpus: Sequence[str]) -> str:
    """Let this process see one GPU alone; to be called before it uses any.

    Parameters
    ----------
    worker : int
        Number of the worker, from 0. Those beyond the last GPU begin anew with the
        first.
    gpus : sequence of str
        Names of GPUs, of :func:`visible_gpus`.

    Returns
    -------
    str
        The name of the one that is shown.

    Raises
    ------
    ValueError
        If there are none.
    RuntimeError
        If this process has used a GPU before, after which the choice has no effect.

    Examples
    --------
    >>> from mlmi_sklearn.training.gpus import show_gpu
    >>> show_gpu(0, [])
    Traceback (most recent call last):
    ...
    ValueError: gpus is empty: this process can see no GPU. ...
    """
    if not gpus:
        raise ValueError(
            "gpus is empty: this process can see no GPU. Pass the names of some, or "
            "use joblib.parallel_config(n_jobs=...) for the cores of the processor."
        )
    if torch.cuda.is_initialized():
        raise RuntimeError(
            "This process has used a GPU already, and CUDA reads CUDA_VISIBLE_DEVICES "
            "once. Call show_gpu first thing in a new process."
        )
    os.environ[_VISIBLE] = gpus[worker % len(gpus)]
    return os.environ[_VISIBLE]


@contextmanager
def one_gpu_per_worker(
    gpus: Sequence[str] | None = None, workers_per_gpu: int = 1
) -> Iterator[None]:
    """Run what is parallel within a block in processes with a GPU each.

    Parameters
    ----------
    gpus : sequence of str, default=None
        Names of GPUs, as in ``CUDA_VISIBLE_DEVICES``; None for all that can be seen.
    workers_per_gpu : int, default=1
        Processes that share a GPU. Small nets do not fill one; each process takes some
        hundred megabytes for itself.

    Raises
    ------
    ValueError
        If there is no GPU, or ``workers_per_gpu`` is below 1.

    See Also
    --------
    joblib.parallel_config : What it sets: loky, and as many jobs as workers.

    Examples
    --------
    Whatever is parallel, such as a search, whose ``n_jobs`` stays None:

    >>> from joblib import effective_n_jobs
    >>> from mlmi_sklearn.training.gpus import one_gpu_per_worker
    >>> with one_gpu_per_worker(["0", "1"], workers_per_gpu=2):
    ...     effective_n_jobs(None)  # GridSearchCV(...).fit(X, y)
    4
    """
    names = visible_gpus() if gpus is None else list(gpus)
    if workers_per_gpu < 1:
        raise ValueError(f"workers_per_gpu must be at least 1, got {workers_per_gpu}.")
    if not names:
        raise ValueError(
            "gpus: this process can see no GPU. Use joblib.parallel_config(n_jobs=...) "
            "for the cores of the processor."
        )
    folder = tempfile.mkdtemp(prefix="gpus-")
    n_jobs = workers_per_gpu * len(names)
    try:
        with parallel_config(
            backend="loky",
            n_jobs=n_jobs,
            inner_max_num_threads=1,
            initializer=_claim_gpu,
            initargs=(folder, names),
        ):
            yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _claim_gpu(folder: str, gpus: list[str]) -> None:
    """Show a new worker the GPU whose turn it is."""
    for worker in count():
        try:
            Path(folder, str(worker)).mkdir(parents=True)  # one process alone succeeds
        except FileExistsError:
            continue
        show_gpu(worker, gpus)
        return
