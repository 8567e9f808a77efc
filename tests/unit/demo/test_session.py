"""One thread, and a Ctrl-C that cannot get lost."""

from __future__ import annotations

import contextlib
import signal
import warnings

import pytest
import torch
from skorch.callbacks import Callback

from mlmi_sklearn import NetClassifier
from mlmi_sklearn.demo.session import one_thread, progress, stop_on_ctrl_c
from mlmi_sklearn.exceptions import FitInterruptedWarning

pytestmark = pytest.mark.usefixtures("usual_sigint")


class PressKey(Callback):
    """Presses Ctrl-C at some moment of the third epoch."""

    def __init__(self, moment):
        self.moment = moment

    def _press(self, net, moment):
        if moment == self.moment and len(net.history) == 3:
            signal.raise_signal(signal.SIGINT)

    def on_epoch_begin(self, net, **kwargs):
        self._press(net, "begin")

    def on_epoch_end(self, net, **kwargs):
        self._press(net, "end")


def fit_and_press(moment):
    """Fit a net during which somebody presses Ctrl-C."""
    X = [[0.0], [1.0], [2.0], [3.0]]
    NetClassifier(max_epochs=5, callbacks=[PressKey(moment)]).fit(X, [0, 0, 1, 1])


@pytest.fixture
def four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("four_threads")
def test_one_thread_inside_and_as_many_as_before_outside():
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 4


@pytest.mark.usefixtures("four_threads")
def test_threads_come_back_after_an_error():
    with pytest.raises(ZeroDivisionError), one_thread():
        _ = 1 / 0
    assert torch.get_num_threads() == 4


@pytest.mark.parametrize("moment", ["begin", "end"])
def test_an_interrupted_fit_stops_the_run(moment):
    reached = []
    bar = progress("Test", 2)
    with pytest.raises(KeyboardInterrupt), stop_on_ctrl_c(), bar as step:
        fit_and_press(moment)
        step("fit")
        reached.append("next step")
    assert reached == []


def test_a_swallowed_key_counts_at_the_end_at_the_latest():
    swallowed = contextlib.suppress(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt), stop_on_ctrl_c(), swallowed:
        signal.raise_signal(signal.SIGINT)


def test_the_key_is_forgotten_by_the_next_run():
    with pytest.raises(KeyboardInterrupt), stop_on_ctrl_c():
        signal.raise_signal(signal.SIGINT)
    with stop_on_ctrl_c(), progress("Test", 1) as step:
        step("fine")


def test_outside_an_interrupted_fit_only_warns_as_ever():
    with stop_on_ctrl_c():
        pass
    with pytest.warns(FitInterruptedWarning):
        fit_and_press("begin")


def test_handler_and_warning_filters_are_restored():
    filters = list(warnings.filters)
    with stop_on_ctrl_c():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert warnings.filters == filters


@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda number, frame: None])
def test_a_handler_of_the_caller_s_is_left_alone(handler):
    signal.signal(signal.SIGINT, handler)
    with stop_on_ctrl_c():
        assert signal.getsignal(signal.SIGINT) is handler
        signal.raise_signal(signal.SIGINT)


def test_progress_goes_to_standard_error(capfd):
    with progress("Baking", 2) as step:
        step("bread")
        step("cake")
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "Baking: 100%" in shown.err
    assert "cake" in shown.err
    assert max(map(len, shown.err.replace("\r", "\n").split("\n"))) <= 100
