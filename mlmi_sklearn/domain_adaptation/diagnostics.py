"""Did it adapt? Figures, a verdict in one sentence, and warnings with advice."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils import Bunch

from ..base.plan import Plan
from ..base.targets import Encoded
from ..base.warn import warn_user
from ..exceptions import DomainWarning
from ..metrics import h_divergence, proxy_a_distance
from ..nn.adaptation import set_statistics
from ..training.batches import TensorBatches
from ..training.data import Targets, TrainingData
from .class_shares import estimate_class_shares
from .inputs import DomainRows

__all__ = ["diagnose", "unmeasured"]

Array = NDArray[Any]

# Rows of each side that figures are computed from: enough for two digits.
_ROWS = 500

# A critic this close to chance in every epoch has learnt nothing; in a few epochs it
# has not had the time to.
_EPOCHS = 5
_CHANCE = 0.02
# One this good to the end is not troubled by the features.
_PERFECT = 0.995
# Domains with less between them need no critic.
_APART = 0.5
# Shares of classes that differ by more (total variation) are a shift of labels.
_SHARES = 0.2
# Both ways of estimating them fail, each in its own way, where inputs shift as well.
_AGREED = 0.1
# Nets trained for fewer epochs predict shares of their own making.
_TRAINED = 5


@dataclass
class _Sample:
    """Some rows of one side, as inputs, features and scores."""

    inputs: Any
    features: Array
    raw: Array
    y: Array
    weight: Array | None
    own: Array | None = None


def diagnose(
    estimator: Any, net: Any, rows: DomainRows, encoded: Encoded, plan: Plan
) -> dict[str, Any]:
    """Measure how far the domains are apart, before and after.

    Parameters
    ----------
    estimator : DomainEstimator
        Being fitted.
    net : DomainNet
        Just trained, in evaluation mode.
    rows : DomainRows
        The rows of the fit.
    encoded : Encoded
        Their targets.
    plan : Plan
        Its seeds choose the rows that are looked at.

    Returns
    -------
    dict of str to object
        The fitted attributes ``pad_``, ``discriminator_accuracy_``,
        ``class_shares_`` and ``adaptation_report_``. Warns where something is wrong.
    """
    found = unmeasured(net, encoded)
    report, path = found["adaptation_report_"], _accuracy_path(net)
    if len(path):
        report.discriminator_accuracy = float(path[-1])
        found["discriminator_accuracy_"] = report.discriminator_accuracy
    if rows.is_target.any() and estimator.diagnostics:
        sides = _samples(estimator, net, rows, encoded, plan)
        found |= _figures(estimator, net, sides, encoded, report)
    _judge(estimator, report, path, len(net.history))
    for text in report.warnings:
        warn_user(text, DomainWarning)
    return found


def unmeasured(net: Any, encoded: Encoded) -> dict[str, Any]:
    """Return what :func:`diagnose` does, before anything is known.

    Parameters
    ----------
    net : DomainNet
        Initialised.
    encoded : Encoded
        Targets of the fit.

    Returns
    -------
    dict of str to object
        The fitted attributes, with NaN for numbers.
    """
    nan = float("nan")
    report = Bunch(
        n_source=encoded.attributes["n_source_"],
        n_target=encoded.attributes["n_target_"],
        lambda_=float(net.objective.lambda_),
        pad_input=nan,
        pad_features=nan,
        pad_features_apart=nan,
        discriminator_accuracy=nan,
        label_shift=nan,
        label_shift_is_sure=False,
        warnings=[],
        verdict="Not measured: training diverged.",
    )
    return {
        "pad_": {},
        "discriminator_accuracy_": nan,
        "class_shares_": None,
        "adaptation_report_": report,
    }


def _accuracy_path(net: Any) -> Array:
    """Return the accuracy of the critic in each epoch; empty if it has none."""
    rows = [row.get("discriminator_accuracy") for row in net.history]
    return np.array([a for a in rows if a is not None])


def _samples(
    estimator: Any, net: Any, rows: DomainRows, encoded: Encoded, plan: Plan
) -> tuple[_Sample, _Sample]:
    """Pick rows of both sides and compute features and scores."""
    rng = np.random.default_rng(plan.split_seed)
    dtype, width = plan.dtype, net.module_.out_features
    sides = []
    for is_target in (False, True):
        index = np.flatnonzero(rows.is_target == is_target)
        if len(index) > _ROWS:
            index = np.sort(rng.choice(index, _ROWS, replace=False))
        part = rows[index]
        data = TrainingData(estimator._rows(part, dtype), Targets(None))
        size = estimator._rows_per_prediction(part)
        both = net.raw_outputs(data, size, "embed_and_score").numpy()
        flat = part.values.reshape(len(part), -1)
        weight = None if encoded.weight is None else encoded.weight[index]
        parts = both[:, :width], both[:, width:], encoded.y[index]
        own = None
        if net.apart_ and len(index) > 1:
            batches = TensorBatches(data, size, device=torch.device(net.device))
            own = _own_features(net.module_, [x for x, _ in batches])
        sides.append(_Sample(flat, *parts, weight, own))
    return sides[0], sides[1]


def _own_features(module: Any, batches: list[Any]) -> Array:
    """Return features under the batch statistics of these rows, as in training."""
    module = copy.deepcopy(module)
    set_statistics(module, batches)
    with torch.inference_mode():
        parts = [module.embed(batch).cpu() for batch in batches]
    return np.asarray(torch.cat(parts).numpy())


def _figures(
    estimator: Any,
    net: Any,
    sides: tuple[_Sample, _Sample],
    encoded: Encoded,
    report: Bunch,
) -> dict[str, Any]:
    """Fill in the report; return the attributes."""
    source, target = sides
    pad = {}
    if min(len(source.features), len(target.features)) > 1:  # halves are compared
        pad["input"] = _distance(source.inputs, target.inputs)
        pad["features"] = _distance(source.features, target.features)
        report.pad_input, report.pad_features = pad["input"], pad["features"]
        if source.own is not None and target.own is not None:
            pad["features_apart"] = _distance(source.own, target.own)
            report.pad_features_apart = pad["features_apart"]
    if np.isnan(report.discriminator_accuracy):
        # Of the classifier behind the distance: PAD = 2 (1 - 2 error).
        report.discriminator_accuracy = 0.5 + report.pad_features / 4
    shares = _shares(net, source, target, encoded)
    if shares is not None:
        own, em, bbse = shares
        report.label_shift = _variation(em, own)
        report.label_shift_is_sure = _variation(em, bbse) <= _AGREED
    return {
        "pad_": pad,
        "discriminator_accuracy_": report.discriminator_accuracy,
        "class_shares_": None if shares is None else shares[1],
    }


def _distance(xs: Any, xt: Any) -> float:
    """Return 2 (1 - 2 error) of the better of a linear and a curved boundary.

    A plane cannot tell a domain from the same one turned about its centre.
    """
    scale = StandardScaler(with_mean=not issparse(xs))
    curved = make_pipeline(scale, SVC(cache_size=50))
    return max(proxy_a_distance(xs, xt), h_divergence(xs, xt, curved))


def _shares(
    net: Any, source: _Sample, target: _Sample, encoded: Encoded
) -> tuple[Array, Array, Array] | None:
    """Return shares of classes in the source, and two estimates of the target's."""
    if net.to_probabilities_ is None or encoded.y.ndim != 1:
        return None
    known = source.y >= 0
    if len(np.unique(source.y[known])) < 2:
        return None
    ps, pt = (_probabilities(net, side.raw) for side in (source, target))
    n_classes = ps.shape[1]
    counts = np.bincount(source.y[known], minlength=n_classes)
    em, bbse = (
        estimate_class_shares(
            source.y[known], ps[known], pt, method=method, classes=np.arange(n_classes)
        )
        for method in ("em", "bbse")
    )
    return counts / counts.sum(), np.asarray(em), np.asarray(bbse)


def _variation(p: Array, q: Array) -> float:
    """Return the total variation between two distributions over classes."""
    return float(0.5 * np.abs(p - q).sum())


def _probabilities(net: Any, raw: Array) -> Array:
    return np.asarray(net.to_probabilities_(torch.from_numpy(raw)).numpy())


def _judge(estimator: Any, report: Bunch, path: Array, epochs: int) -> None:
    """Write the verdict and the warnings of a report."""
    if not report.n_target:
        report.verdict = "Trained on the source alone: there were no rows of a target."
        return
    if report.lambda_ == 0:
        report.verdict = "Trained on the source alone: lambda_ is 0."
        return
    apart = not report.pad_input < _APART
    if len(path) >= _EPOCHS and apart and (np.abs(path - 0.5) <= _CHANCE).all():
        report.warnings.append(_STUCK)
    late = path[len(path) // 2 :]
    if len(late) and (late >= _PERFECT).all():
        report.warnings.append(_SATURATED.format(late[-1]))
    if (
        epochs >= _TRAINED
        and report.label_shift > _SHARES
        and report.label_shift_is_sure
        and not getattr(estimator, "label_shift", None)
    ):
        report.warnings.append(_LABEL_SHIFT.format(report.label_shift))
    report.verdict = _verdict(report)


def _verdict(report: Bunch) -> str:
    """Return one sentence on what the figures say."""
    if np.isnan(report.pad_features):
        return "Adapted, not judged: diagnostics=False, or one row in a domain."
    before, after = report.pad_input, report.pad_features
    figures = f"proxy A-distance {before:.2f} of inputs, {after:.2f} of features"
    if not np.isnan(report.pad_features_apart):
        after = min(after, report.pad_features_apart)
        figures += (
            f", {report.pad_features_apart:.2f} of features with batch statistics of "
            "each domain, as in training"
        )
    if before < _APART:
        return f"There was little to adapt: the domains are alike ({figures})."
    if after < before - 0.1:
        return f"Features of source and target are closer than their inputs: {figures}."
    return (
        "A classifier tells the domains apart by the features as well as by the "
        f"inputs: {figures}. That alone says nothing about accuracy; compare with "
        "lambda_=0 by a label-free scorer, or use model_selection.safe_select."
    )


_STUCK = (
    "The discriminator was at chance from the first epoch to the last, though the "
    "domains are not known to be alike, so nothing was adapted. Give it more units "
    "(discriminator=(100, 100)), more epochs, or a larger lr."
)
_SATURATED = (
    "The discriminator tells the domains apart without error to the end (accuracy "
    "{:.3f}), so its gradient teaches little. Raise lambda_, train longer, scale the "
    "inputs, or make it smaller (discriminator=(20,))."
)
_LABEL_SHIFT = (
    "Shares of classes seem to differ between source and target (total variation "
    "{:.2f} by EM and by BBSE). Making features alike then mixes classes: "
    "try label_shift='em' and a smaller lambda_, and compare with lambda_=0."
)
