"""A training whose process dies goes on where it was, to the same last bit."""

from __future__ import annotations

import os
import pickle
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback, LRScheduler

from mlmi_sklearn import (
    Bags,
    CGANSampler,
    DANNClassifier,
    FineTuneClassifier,
    MILClassifier,
    NetClassifier,
    all_estimators,
)
from mlmi_sklearn.base import TorchEstimator

DEEP = {name: cls for name, cls in all_estimators() if issubclass(cls, TorchEstimator)}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 6)).astype(np.float32)
Y = np.arange(48) % 2
DOMAIN = np.where(np.arange(48) < 24, 1, -1)
BAGS = Bags(X, lengths=[1, 3] * 12)
IMAGES = RNG.normal(size=(24, 1, 12, 12)).astype(np.float32)


class Death(BaseException):
    """Ends a training as nothing in it expects."""


class Dying(Callback):
    """Raise after so many epochs of this process; 0 for never."""

    def __init__(self, after=0):
        self.after = after

    def on_epoch_begin(self, net, **kwargs):
        if self.after and len(net.history) > self.after:
            raise Death


def data_of(name, model):
    regresses = model.__sklearn_tags__().estimator_type == "regressor"
    y = X[:, 0] + X[:, 1] if regresses else Y
    if name == "ImageTranslator":
        return (IMAGES, IMAGES[:, :, ::-1].copy())
    return X, y


def short(name, **params):
    model = DEEP[name](random_state=0, device="cpu")
    known = model.get_params(deep=False)
    brief = {"max_epochs": 5, "max_iter": 450, "episodes_per_epoch": 4}
    brief |= {"batch_size": 16, "diagnostics": False, "finetune_steps": 2, **params}
    if name == "ImageTranslator":
        brief |= {"max_iter": 220, "batch_size": 2, "generator": "unet"}
    return model.set_params(**{k: v for k, v in brief.items() if k in known})


def weights(model):
    return [t.detach().clone() for t in model.net_.module_.state_dict().values()]


def same(one, other):
    pairs = zip(weights(one), weights(other), strict=True)
    left = one.history_.drop(columns="dur", errors="ignore")
    right = other.history_.drop(columns="dur", errors="ignore")
    return all(torch.equal(a, b) for a, b in pairs) and left.equals(right)


def revived(model, data, folder, after, **fit_params):
    """Fit, die after some epochs, fit again."""
    dying = pickle.loads(pickle.dumps(model)).set_params(checkpoint=folder)
    with pytest.raises(Death):
        dying.set_params(callbacks=[Dying(after)]).fit(*data, **fit_params)
    assert len(list(folder.iterdir())) == 1
    assert not hasattr(dying, "net_")
    dying.set_params(callbacks=[Dying()]).fit(*data, **fit_params)
    assert list(folder.iterdir()) == []
    return dying


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", DEEP)
def test_every_deep_estimator_goes_on_where_it_was(name, tmp_path):
    model = short(name)
    data = data_of(name, model)
    expected = short(name).set_params(callbacks=[Dying()]).fit(*data)
    assert len(expected.history_) >= 3
    found = revived(model, data, tmp_path, 2)
    assert same(found, expected)


CASES = {
    "dropout": (NetClassifier().set_params(backbone__dropout=0.3), (X, Y), {}),
    "best weights": (NetClassifier(early_stopping=True, lr=0.1), (X, Y), {}),
    "sgd": (NetClassifier(optimizer="sgd", lr_schedule="cosine"), (X, Y), {}),
    "convolutions": (NetClassifier("conv"), (IMAGES, Y[:24]), {}),
    "progress": (NetClassifier(verbose=1), (X, Y), {}),
    "bags": (
        MILClassifier(max_instances=2, balanced_batches=True, batch_size=4),
        (BAGS, Y[:24]),
        {},
    ),
    "domains": (
        DANNClassifier(diagnostics=False, batch_size=8),
        (X, np.where(DOMAIN > 0, Y, -1)),
        {"sample_domain": DOMAIN},
    ),
    "partial": (
        DANNClassifier(diagnostics=False, batch_size=8, partial=True),
        (X, np.where(DOMAIN > 0, Y, -1)),
        {"sample_domain": DOMAIN},
    ),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("after", [1, 3])
def test_whatever_changes_in_training_is_there_again(case, after, tmp_path):
    model, data, fit_params = CASES[case]
    model = pickle.loads(pickle.dumps(model))
    model.set_params(max_epochs=5, random_state=0, device="cpu")
    expected = pickle.loads(pickle.dumps(model)).set_params(callbacks=[Dying()])
    expected.fit(*data, **fit_params)
    found = revived(model, data, tmp_path, after, **fit_params)
    assert same(found, expected)


def test_a_module_is_known_by_its_weights_as_the_next_process_makes_it(tmp_path):
    def model(after=0):
        torch.manual_seed(0)
        module = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.ReLU())
        callbacks = [Dying(after)]
        return NetClassifier(module, max_epochs=4, random_state=0, callbacks=callbacks)

    with pytest.raises(Death):
        model(2).set_params(checkpoint=tmp_path).fit(X, Y)
    found = model().set_params(checkpoint=tmp_path).fit(X, Y)
    assert list(tmp_path.iterdir()) == []
    assert same(found, model().fit(X, Y))


def test_layers_that_were_unfrozen_are_so_again(tmp_path):
    source = NetClassifier(max_epochs=1, random_state=0).set_params(
        backbone__hidden=(8, 8)
    )
    source.fit(X, Y)
    model = FineTuneClassifier(
        pretrained=source,
        freeze="backbone.*",
        unfreeze={2: "backbone.2.*", 4: "backbone.*"},
    )
    model.set_params(max_epochs=6, random_state=0)
    expected = pickle.loads(pickle.dumps(model)).set_params(callbacks=[Dying()])
    expected.fit(X, Y)
    for after in (1, 3, 5):
        found = revived(model, (X, Y), tmp_path, after)
        assert same(found, expected)


class Killed(Exception):
    """The process went on to its end before it was killed."""


SCRIPT = """
import sys, numpy as np
from test_checkpoints import CASES, weights
import pickle, torch
case, folder, out = sys.argv[1:]
model, data, fit_params = CASES[case]
model.set_params(max_epochs=40, random_state=0, device="cpu")
model.set_params(checkpoint=None if folder == "-" else folder)
print("ready", flush=True)
model.fit(*data, **fit_params)
torch.save(weights(model), out)
"""


def started(case, folder, out):
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
    }
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(SCRIPT)]
    process = subprocess.Popen(
        [*command, case, str(folder), str(out)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def killed_and_revived(case, folder, times, rng):
    """Kill a training at random moments; return what it comes to, and the kills."""
    expected, out = folder / "expected.pt", folder / "out.pt"
    begun = time.perf_counter()
    assert started(case, "-", expected).wait() == 0
    whole = time.perf_counter() - begun
    kills = 0
    while kills < times:
        out.unlink(missing_ok=True)
        process = started(case, folder / "state", out)
        while kills < times and process.poll() is None:
            time.sleep(rng.uniform(0, whole / 3))
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
                process = started(case, folder / "state", out)
        assert process.wait() == 0
        found, wanted = torch.load(out), torch.load(expected)
        pairs = zip(found, wanted, strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)
        assert list((folder / "state").iterdir()) == []
    return kills


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of POSIX")
def test_a_killed_process_loses_nothing(tmp_path):
    assert killed_and_revived("dropout", tmp_path, 1, random.Random(0)) == 1


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of POSIX")
@pytest.mark.parametrize(
    "case", ["dropout", "best weights", "bags", "domains", "partial"]
)
def test_ten_kills_of_each_family(case, tmp_path):
    assert killed_and_revived(case, tmp_path, 10, random.Random(1)) == 10


def test_a_model_saved_in_between_is_never_half_a_file(tmp_path, monkeypatch):
    """Death while a checkpoint is written leaves the one before."""
    from mlmi_sklearn.persistence import api

    frame, seen = api.frame, []

    def torn(contents):
        seen.append(1)
        pieces = frame(contents)
        yield next(pieces)
        if len(seen) == 3:
            raise Death
        yield from pieces

    monkeypatch.setattr(api, "frame", torn)
    model = NetClassifier(max_epochs=5, random_state=0)
    expected = NetClassifier(max_epochs=5, random_state=0).fit(X, Y)
    model.set_params(checkpoint=tmp_path)
    with pytest.raises(Death):
        model.fit(X, Y)
    [file] = tmp_path.iterdir()  # and a killed process cannot tidy up
    (tmp_path / f".{file.name}.0123456789ab.tmp").write_bytes(b"PK")
    assert same(model.fit(X, Y), expected)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_does_not_end_the_training(tmp_path, monkeypatch):
    from mlmi_sklearn.persistence import files

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    model = NetClassifier(max_epochs=3, random_state=0, checkpoint=tmp_path)
    with pytest.warns(RuntimeWarning, match="No space left"):
        model.fit(X, Y)
    assert model.n_iter_ == 3
    assert list(tmp_path.iterdir()) == []  # no part of a file either


def test_a_path_that_cannot_be_written_to_is_refused_before_training(tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    for path in (file, file / "below"):
        model = NetClassifier(max_epochs=1, random_state=0, checkpoint=path)
        with pytest.raises(ValueError, match=r"checkpoint=.*no folder"):
            model.fit(X, Y)
    assert file.read_text() == "mine"


def test_without_a_seed_there_is_nothing_to_go_on_with(tmp_path):
    with pytest.raises(ValueError, match="random_state=None"):
        NetClassifier(checkpoint=tmp_path).fit(X, Y)


@pytest.mark.parametrize("change", ["data", "labels", "weights", "lr", "seed"])
def test_another_fit_does_not_go_on_with_it(change, tmp_path):
    model = NetClassifier(max_epochs=4, random_state=0, checkpoint=tmp_path)
    with pytest.raises(Death):
        model.set_params(callbacks=[Dying(2)]).fit(X, Y)
    x, y, weight = X, Y, None
    params = {"lr": {"lr": 0.02}, "seed": {"random_state": 1}}.get(change, {})
    if change == "data":
        x = X.copy()
        x[3, 2] += 1
    if change == "labels":
        y = Y[::-1].copy()
    if change == "weights":
        weight = np.ones(48)
        weight[5] = 2
    model.set_params(callbacks=[Dying()], **params).fit(x, y, sample_weight=weight)
    alone = NetClassifier(max_epochs=4, random_state=0).set_params(**params)
    alone.set_params(callbacks=[Dying()]).fit(x, y, sample_weight=weight)
    assert same(model, alone)
    assert len(list(tmp_path.iterdir())) == 1  # that of the other fit is still there


def test_a_damaged_file_is_told_of_and_not_used(tmp_path):
    model = NetClassifier(max_epochs=4, random_state=0, checkpoint=tmp_path)
    with pytest.raises(Death):
        model.set_params(callbacks=[Dying(2)]).fit(X, Y)
    [file] = tmp_path.iterdir()
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    with pytest.warns(RuntimeWarning, match="begins anew"):
        model.set_params(callbacks=[Dying()]).fit(X, Y)
    expected = NetClassifier(max_epochs=4, random_state=0, callbacks=[Dying()])
    assert same(model, expected.fit(X, Y))


def test_a_search_that_died_goes_on(tmp_path):
    grid = {"lr": [1e-3, 1e-2]}
    plain = NetClassifier(max_epochs=4, random_state=0)
    expected = GridSearchCV(plain, grid, cv=2).fit(X, Y)
    model = NetClassifier(max_epochs=4, random_state=0, checkpoint=tmp_path)
    dying = GridSearchCV(model.set_params(callbacks=[Dying(2)]), grid, cv=2)
    with pytest.raises(Death):
        dying.fit(X, Y)
    assert len(list(tmp_path.iterdir())) == 1
    again = GridSearchCV(model.set_params(callbacks=None), grid, cv=2).fit(X, Y)
    key = "mean_test_score"
    assert (again.cv_results_[key] == expected.cv_results_[key]).all()


def test_callbacks_of_skorch_go_on(tmp_path):
    def model():
        scheduler = LRScheduler(torch.optim.lr_scheduler.StepLR, step_size=2, gamma=0.3)
        return NetClassifier(
            max_epochs=6, random_state=0, callbacks=[scheduler, Dying()]
        )

    expected = model().fit(X, Y)
    dying = model().set_params(checkpoint=tmp_path)
    dying.callbacks[1].after = 3
    with pytest.raises(Death):
        dying.fit(X, Y)
    assert same(model().set_params(checkpoint=tmp_path).fit(X, Y), expected)


def test_a_callback_that_cannot_be_written_down_is_named(tmp_path):
    class Odd(Callback):
        def on_train_begin(self, net, **kwargs):
            self.file_ = object()

    model = NetClassifier(max_epochs=2, random_state=0, checkpoint=tmp_path)
    with pytest.raises(TypeError, match=r"Odd.file_ is a object"):
        model.set_params(callbacks=[Odd()]).fit(X, Y)


def test_ctrl_c_keeps_the_model_and_the_checkpoint(tmp_path):
    class Impatient(Callback):
        def __init__(self, after=0):
            self.after = after

        def on_epoch_begin(self, net, **kwargs):
            if self.after and len(net.history) > self.after:
                raise KeyboardInterrupt

    model = NetClassifier(max_epochs=5, random_state=0, checkpoint=tmp_path)
    with pytest.warns(UserWarning, match="interrupted"):
        model.set_params(callbacks=[Impatient(3)]).fit(X, Y)
    assert model.predict(X).shape == (48,)
    model.set_params(callbacks=[Impatient()]).fit(X, Y)
    expected = NetClassifier(max_epochs=5, random_state=0, callbacks=[Impatient()])
    assert same(model, expected.fit(X, Y))
    assert list(tmp_path.iterdir()) == []


def test_every_so_many_epochs(tmp_path):
    class Watching(Callback):
        def __init__(self, folder=None):
            self.folder = folder

        def on_epoch_begin(self, net, **kwargs):
            found.append([f.stat().st_mtime_ns for f in self.folder.iterdir()])

    found: list = []
    model = NetClassifier(max_epochs=6, random_state=0, checkpoint=tmp_path)
    model.set_params(checkpoint_every=2, callbacks=[Watching(tmp_path)]).fit(X, Y)
    assert [len(times) for times in found] == [0, 0, 1, 1, 1, 1]
    assert found[2] == found[3] != found[4]


def test_a_sampler_takes_a_path_as_well_as_best_and_last(tmp_path):
    model = CGANSampler(max_iter=210, random_state=0, checkpoint=tmp_path)
    plain = CGANSampler(max_iter=210, random_state=0).fit(X, Y)
    assert same(model.fit(X, Y), plain)
    with pytest.raises(ValueError, match="checkpoint"):
        CGANSampler(checkpoint="lats").fit(X, Y)
