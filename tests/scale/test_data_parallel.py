"""Several processes that share each batch come to the weights of one."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch

from . import rank_cases

SCRIPT = Path(__file__).with_name("rank_cases.py")
TORCHRUN = ("torch.distributed.run", "--standalone", "--nproc-per-node")
# With --cpu, accelerate starts one process, unless there is MPI.
ACCELERATE = (
    *("accelerate.commands.launch", "--multi_gpu", "--mixed_precision", "no"),
    *("--num_machines", "1", "--dynamo_backend", "no", "--main_process_port", "0"),
    "--num_processes",
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not torch.distributed.is_available(), reason="this PyTorch is built without"
    ),
]


def launch(launcher, ranks, *arguments, seconds=300, check=True):
    """Run a script on several processes; return what it printed."""
    hidden = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", *launcher, str(ranks), *map(str, arguments)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
        env=os.environ | hidden,
    )
    if check:
        assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout + done.stderr


def outcomes(folder, ranks):
    return [dict(np.load(folder / f"{rank}.npz")) for rank in range(ranks)]


@pytest.fixture(scope="module", params=[2, 3])
def together(request, tmp_path_factory):
    """Return the outcomes of all ranks."""
    folder = tmp_path_factory.mktemp("ranks")
    launch(TORCHRUN, request.param, SCRIPT, folder)
    return outcomes(folder, request.param)


@pytest.fixture(scope="module")
def alone():
    """Return case -> its outcome in this process, with batches as large as of all."""
    kept = {}

    def result(case):
        if case not in kept:
            kept[case] = rank_cases.outcome(case, ranks=1)
        return kept[case]

    return result


@pytest.mark.parametrize("case", [*rank_cases.CASES, *rank_cases.OWN])
def test_all_ranks_have_the_same_model(together, case):
    for name in ("loss", "weights", "predictions"):
        first, *others = (rank[f"{case}/{name}"] for rank in together)
        assert np.isfinite(first).all()
        for other in others:
            np.testing.assert_array_equal(first, other)


@pytest.mark.parametrize("case", rank_cases.CASES)
def test_it_is_the_model_of_one_process(together, alone, case):
    expected = alone(case)
    found = {name: together[0][f"{case}/{name}"] for name in expected}
    # Sources of a ragged batch are shared out unequally, and rows of the target are
    # not: each counts by what it is beside.
    tolerance = 2e-3 if case == "domains" else 1e-5
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=tolerance)
    tolerance = 5e-3 if case == "domains" else 1e-4
    np.testing.assert_allclose(
        found["predictions"], expected["predictions"], rtol=tolerance, atol=tolerance
    )


def test_the_comparison_can_tell_batches_apart(alone):
    half = rank_cases.net(1, divide=2)[0]
    assert not np.allclose(half.loss_curve_, alone("plain")["loss"], rtol=1e-3)


def test_ranks_draw_noise_of_their_own(together, alone):
    for case in ("dropout", "parts of bags"):
        found, one = together[0][f"{case}/loss"], alone(case)["loss"]
        assert not np.allclose(found, one, rtol=1e-6)
        np.testing.assert_allclose(found, one, rtol=0.3)


@pytest.mark.parametrize("case", ["plain", "bags, class weights"])
def test_accelerate_launch(tmp_path, alone, case):
    pytest.importorskip("accelerate")
    launch(ACCELERATE, 2, SCRIPT, tmp_path, case)
    first, second = outcomes(tmp_path, 2)
    np.testing.assert_array_equal(first[f"{case}/weights"], second[f"{case}/weights"])
    np.testing.assert_allclose(first[f"{case}/loss"], alone(case)["loss"], rtol=1e-5)


def script(folder, text):
    path = folder / "script.py"
    path.write_text(HEAD + textwrap.dedent(text))
    return path


HEAD = """
import datetime, os, sys, time
import numpy as np
import torch
from torch import distributed

from mlmi_sklearn import CGANSampler, NetClassifier
from mlmi_sklearn.training.distributed import (
    current_ranks, is_main_process, separate_fits
)

rank = int(os.environ["RANK"])
X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
y = (X[:, 0] > 0).astype(int)
net = NetClassifier("mlp", max_epochs=2, random_state=0)
"""


def test_without_accelerate(tmp_path):
    text = """
    sys.modules["accelerate"] = None
    loss = net.fit(X, y).loss_curve_
    assert distributed.get_backend() == "gloo"
    assert len(set(map(str, current_ranks().each(loss)))) == 1
    if is_main_process():
        print("written once")
    """
    said = launch(TORCHRUN, 2, script(tmp_path, text))
    assert said.count("written once") == 1


def test_a_group_that_is_there_is_taken(tmp_path):
    text = """
    distributed.init_process_group("gloo")
    net.set_params(verbose=1).fit(X, y)
    print(f"rank {current_ranks().rank} of {current_ranks().size}")
    """
    said = launch(TORCHRUN, 2, script(tmp_path, text))
    assert "rank 0 of 2" in said
    assert "rank 1 of 2" in said
    assert said.count("NetClassifier:   0%") == 1  # one progress bar


def test_different_fits_are_refused_and_can_be_kept_apart(tmp_path):
    text = """
    for what, data, model in [
        ("rows", X + rank, net),
        ("targets", X, net),
        ("lr", X, NetClassifier("mlp", lr=0.01 * (rank + 1))),
        ("net", X, CGANSampler(max_iter=2)),
    ]:
        try:
            model.fit(data, (y + rank) % 2 if what == "targets" else y)
        except ValueError as error:
            print(f"{what}: {error}", flush=True)
    with separate_fits():
        losses = net.fit(X + rank, y).loss_curve_
        CGANSampler(max_iter=2).fit(X, y)
    assert len(set(current_ranks().each(losses[-1]))) == 2
    net.fit(X, y)  # still in step
    """
    said = launch(TORCHRUN, 2, script(tmp_path, text))
    assert said.count("rows: The ranks do not fit the same: the checksum of some") == 2
    assert said.count("targets: The ranks do not fit the same: the checksum of y") == 2
    assert said.count("lr: The ranks do not fit the same: lr is 0.01 on rank 0") == 2
    assert said.count("net: Several processes cannot share a fit of GANNet") == 2


def test_workers_and_threads_of_a_rank_fit_on_their_own(tmp_path):
    text = """
    from joblib import Parallel, delayed, parallel_config

    def loss(seed):
        model = NetClassifier("mlp", max_epochs=1, random_state=seed)
        return model.fit(X, y).loss_curve_[-1], os.getpid()

    if __name__ == "__main__":
        with separate_fits():
            expected = [loss(seed)[0] for seed in range(2)]
        for backend in ("loky", "threading"):
            with parallel_config(backend, n_jobs=2):
                found = Parallel()(delayed(loss)(seed) for seed in range(2))
            assert [one for one, _ in found] == expected, backend
    """
    launch(TORCHRUN, 2, script(tmp_path, text))


WAIT = 'distributed.init_process_group("gloo", timeout=datetime.timedelta(seconds=15))'


def test_a_rank_that_never_comes_is_not_waited_for_for_ever(tmp_path):
    text = f"""
    {WAIT}
    if rank == 0:
        try:
            net.fit(X, y)
        except RuntimeError as error:
            print(error, flush=True)
    else:
        time.sleep(25)
    """
    said = launch(TORCHRUN, 2, script(tmp_path, text))
    assert "Another rank did not take part in this step of fit (" in said
    assert "with separate_fits():" in said


def test_a_rank_that_fails_alone_is_out_of_step(tmp_path):
    text = f"""
    from skorch.callbacks import Callback

    class Fails(Callback):
        def on_epoch_end(self, net, **kwargs):
            if rank == 1 and len(net.history) == 1:
                raise OSError("no space left")

    {WAIT}
    net.set_params(callbacks=[Fails()])
    for attempt in range(2):
        try:
            net.fit(X, y)
        except (OSError, RuntimeError) as error:
            print(f"{{rank}}-{{attempt}}: {{error}}", flush=True)
    time.sleep(20 * rank)
    """
    said = launch(TORCHRUN, 2, script(tmp_path, text))
    assert "1-0: no space left" in said
    assert "1-1: This rank lost the others in an earlier fit (OSError" in said
    assert "0-0: Another rank did not take part" in said
    assert "0-1: This rank lost the others" in said


def test_divergence_ends_all_ranks_with_the_same_weights(tmp_path):
    text = """
    from mlmi_sklearn.exceptions import TrainingDivergedError

    model = NetClassifier("mlp", max_epochs=4, lr=1e30, optimizer="sgd", batch_size=4)
    try:
        model.fit(1e4 * X, y)
    except TrainingDivergedError as error:
        where = error.epoch, error.step
    total = float(sum(p.double().sum() for p in model.net_.module_.parameters()))
    assert len(set(current_ranks().each((where, total)))) == 1
    assert np.isfinite(total)
    net.fit(X, y)  # still in step
    """
    launch(TORCHRUN, 2, script(tmp_path, text))
