"""Write the golden files of the present format; run it once for each new format.

Files of earlier formats are never written again: they stand for what users have kept.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn import (
    AttentionPooling,
    Bags,
    CGANSampler,
    CitationKNN,
    DANNClassifier,
    InstanceWise,
    MAMLClassifier,
    MILClassifier,
    MLPBackbone,
    NetClassifier,
    save,
)
from mlmi_sklearn.persistence.manifest import FORMAT

HERE = Path(__file__).parent


def table():
    rng = np.random.default_rng(0)
    y = np.arange(24) % 2
    return (rng.normal(size=(24, 3)) + y[:, None]).round(2), y


def bags():
    rng = np.random.default_rng(1)
    lengths = np.array([2, 1, 3, 4] * 3)
    y = np.arange(12) % 2
    values = rng.normal(size=(lengths.sum(), 3)) + np.repeat(y, lengths)[:, None]
    return Bags(values.round(2), lengths), y


def models():
    """Return name -> fitted estimator, and the method whose output is kept."""
    X, y = table()
    B, z = bags()
    small = {"backbone": MLPBackbone(hidden=(4,)), "random_state": 0, "max_epochs": 2}
    labels = np.array(["benign", "malignant"], dtype=object)[y]
    domain = np.where(np.arange(24) < 12, 1, -1)
    net = make_pipeline(StandardScaler(), NetClassifier(**small))
    mil = MILClassifier(pooling=AttentionPooling(hidden=4), **small)
    maml = MAMLClassifier(n_query=2, episodes_per_epoch=2, finetune_steps=2, **small)
    dann = DANNClassifier(discriminator=(4,), **small)
    cgan = CGANSampler(
        generator="mlp", discriminator="mlp", max_iter=3, latent_dim=2, random_state=0
    ).set_params(generator__hidden=(4,), discriminator__hidden=(4,))
    return {
        "pipeline": (net.fit(X, labels), "predict_proba"),
        "calibrated": (
            CalibratedClassifierCV(NetClassifier(**small), cv=2).fit(X, y),
            "predict_proba",
        ),
        "mil": (
            make_pipeline(InstanceWise(StandardScaler()), mil).fit(B, z),
            "predict_proba",
        ),
        "citation": (CitationKNN().fit(B, z), "predict_proba"),
        "maml": (maml.fit(X, y), "predict_proba"),
        "dann": (dann.fit(X, y, sample_domain=domain), "predict_proba"),
        "cgan": (cgan.fit(X, y), "score_samples"),
    }


def main() -> None:
    folder = HERE / f"format{FORMAT}"
    if folder.exists():
        sys.exit(f"{folder} is there already; golden files are never replaced.")
    folder.mkdir()
    expected = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, (model, method) in models().items():
            save(model, folder / f"{name}.mlmi")
            X = bags()[0] if name in ("mil", "citation") else table()[0]
            values = getattr(model, method)(X)
            expected[name] = {"method": method, "values": values.tolist()}
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")


if __name__ == "__main__":
    main()
