"""Which nuclei made a field positive? Colon histology with instance truth.

80 fields of colon histology are bags of nuclei; a field is positive if it holds an
epithelial nucleus. Methods learn from labels of fields alone and are judged on fields
they have not seen: AUC of fields, and AUC of nuclei inside positive fields, where
telling positive fields from negative ones earns nothing. Three repetitions of
stratified 5-fold cross-validation (``random_state=0``), scaling inside the fold,
default parameters, nothing chosen by what is reported.

The data are read from ``../shared/data/crc_nuclei_mil`` beside the checkout, or from
the folder in ``MLMI_SKLEARN_NUCLEI``; without it there is nothing to do.

Run: ``python benchmarks/bench_mil_nuclei.py [--repeats 3]``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn import Bags, InstanceWise, MILClassifier, SingleInstanceClassifier
from mlmi_sklearn.metrics import instance_roc_auc

HERE = Path(__file__).resolve().parent
DATA = os.environ.get("MLMI_SKLEARN_NUCLEI")
FOLDER = Path(DATA) if DATA else HERE.parents[1] / "shared" / "data" / "crc_nuclei_mil"
RESULTS = HERE / "results" / "mil_nuclei.json"
EPITHELIAL = 3


def load():
    """Read the fields as bags with coordinates and labels of nuclei."""
    with np.load(FOLDER / "features_all.npz") as file:
        bags = Bags(
            file["X"].astype(np.float32),
            np.bincount(file["bag_id"]),
            coords=file["xy"].astype(np.float64),
            y_instances=(file["inst_y"] == EPITHELIAL).astype(int),
        )
        return bags, file["bag_y"]


def contenders():
    """Return the methods; a name with "weights" is judged by its attention."""
    attention = MILClassifier(pooling="attention", random_state=0)
    return {
        "single-instance logistic": SingleInstanceClassifier(),
        "MILClassifier, default": MILClassifier(random_state=0),
        "MILClassifier, attention": attention,
        "MILClassifier, attention weights": attention,
        "MILClassifier, mean": MILClassifier(pooling="mean", random_state=0),
    }


def evaluate(model, bags, y, splits, by_attention):
    """Return AUC of fields and of nuclei, one row a fold, and seconds a fold."""
    found, start = [], time.process_time()
    for train, test in splits.split(np.zeros(len(y)), y):
        scaler = InstanceWise(StandardScaler()).fit(bags[train])
        model.fit(scaler.transform(bags[train]), y[train])
        held_out = scaler.transform(bags[test])
        of_bags = roc_auc_score(y[test], model.decision_function(held_out))
        method = model.attention if by_attention else model.instance_scores
        of_nuclei = instance_roc_auc(
            held_out.y_instances, method(held_out), bags=held_out, within_positive=True
        )
        found.append((of_bags, of_nuclei))
    return np.array(found), (time.process_time() - start) / len(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    if not FOLDER.is_dir():
        sys.exit(f"{FOLDER} is not there; set MLMI_SKLEARN_NUCLEI.")
    bags, y = load()
    splits = RepeatedStratifiedKFold(
        n_splits=5, n_repeats=options.repeats, random_state=0
    )
    print("| method | AUC of fields | AUC of nuclei in positive fields | CPU s |")
    print("|---|---|---|---|")
    rows = []
    for name, model in contenders().items():
        found, seconds = evaluate(model, bags, y, splits, "weights" in name)
        (fields, nuclei), (sd_fields, sd_nuclei) = found.mean(0), found.std(0)
        print(
            f"| {name} | {fields:.3f} ± {sd_fields:.3f} | {nuclei:.3f} ± "
            f"{sd_nuclei:.3f} | {seconds:.1f} |",
            flush=True,
        )
        rows.append(
            {
                "method": name,
                "bag_auc": fields,
                "bag_auc_sd": sd_fields,
                "instance_auc": nuclei,
                "instance_auc_sd": sd_nuclei,
                "folds": len(found),
                "cpu_seconds_per_fold": seconds,
            }
        )
    if options.repeats == 3:
        RESULTS.write_text(json.dumps({"rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
