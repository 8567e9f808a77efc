"""
What did the model look at? Nuclei of colon tissue
==================================================

A pathologist labels fields of view: does this one hold epithelium? A model learns from
those labels alone, and is then asked which nuclei made it say yes. Here every nucleus
has a known type, so the answer can be marked.

The data are those of Sirinukunwattana et al. (2016) in the setting of Ilse et al.
(2018): 80 fields, the nuclei in them as instances with 67 features of colour and
texture. A field is positive if it holds an epithelial nucleus. They may be used for
research only and are not part of this package. Where they are missing, a synthetic
tissue takes their place, and its numbers say nothing about pathology.
"""

# %%
# The data
# --------
#
# The position of a nucleus goes into ``coords``, its type into ``y_instances``. The
# latter are for marking only: ``MILClassifier`` ignores them unless asked.

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn import Bags, InstanceWise, MILClassifier, SingleInstanceClassifier
from mlmi_sklearn.inspection import BagHeatmapDisplay
from mlmi_sklearn.metrics import hit_rate_at_k, instance_roc_auc

QUICK = os.environ.get("MLMI_SKLEARN_QUICK") == "1"
FOLDER = Path(os.environ.get("MLMI_SKLEARN_NUCLEI", "crc_nuclei_mil"))


def load_nuclei():
    """Read the 80 fields."""
    with np.load(FOLDER / "features_all.npz") as data:
        order = np.argsort(data["bag_id"], kind="stable")
        bags = Bags(
            data["X"][order].astype(np.float32),
            lengths=np.bincount(data["bag_id"]),
            bag_ids=[f"field {number}" for number in data["image_no"]],
            groups=data["image_no"],
            coords=data["xy"][order],
            y_instances=(data["inst_y"][order] == 3).astype(int),
        )
        return bags, data["bag_y"].astype(int)


def make_tissue(n_fields=40, n_nuclei=120, seed=0):
    """Draw fields of nuclei; in every other one those within a disc look different."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_fields) % 2
    coords = rng.uniform(0, 500, (n_fields, n_nuclei, 2))
    centres = rng.uniform(100, 400, (n_fields, 1, 2))
    inside = (np.linalg.norm(coords - centres, axis=2) < 110) & (y[:, None] == 1)
    values = rng.normal(size=(n_fields, n_nuclei, 10)) + 1.2 * inside[..., None]
    return Bags.from_padded(
        values.astype(np.float32),
        groups=np.arange(n_fields),
        coords=coords.reshape(-1, 2),
        y_instances=inside.ravel().astype(int),
    ), y


if (FOLDER / "features_all.npz").exists():
    bags, y = load_nuclei()
else:
    print(f"No nuclei in {FOLDER}: using a synthetic tissue instead.")
    bags, y = make_tissue()
if QUICK:  # small fields only
    small = bags.lengths < 200
    bags, y = bags[small], y[small]

print(bags)
print(f"{y.mean():.0%} of the fields are positive")
print(f"{bags.y_instances.mean():.0%} of the nuclei are epithelial")

# %%
# Scores of fields the model has not seen
# ---------------------------------------
#
# Whatever belongs together must not be split. ``groups`` of the bags hold the number of
# the field; were it known which patient a field is from, it would go there, and nothing
# below would change. (It is not known here. Fields of one patient may lie on both sides
# of a split, so read the figures as those for new fields of known patients.)

N_FOLDS, EPOCHS = (3, 5) if QUICK else (5, 20)


def out_of_fold(model):
    """Score every field, and its nuclei, by a model that was trained on others."""
    cv = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=0)
    fold = np.empty(len(y), dtype=int)
    of_bags = np.empty(len(y))
    of_nuclei, attended = [None] * len(y), [None] * len(y)
    for number, (train, test) in enumerate(cv.split(bags, y, bags.groups)):
        model.fit(bags[train], y[train])
        fold[test] = number
        of_bags[test] = model.decision_function(bags[test])
        scaled = model[:-1].transform(bags[test])
        for index, scores in zip(test, model[-1].instance_scores(scaled), strict=True):
            of_nuclei[index] = scores
        if hasattr(model[-1], "attention"):
            for index, weights in zip(test, model[-1].attention(scaled), strict=True):
                attended[index] = weights
    return fold, of_bags, of_nuclei, attended


net = MILClassifier(max_epochs=EPOCHS, random_state=0)
models = {
    "single-instance logistic": SingleInstanceClassifier(),
    "net, max": net,
    "net, attention": MILClassifier(
        pooling="attention", max_epochs=EPOCHS, random_state=0
    ),
}
results = {
    name: out_of_fold(make_pipeline(InstanceWise(StandardScaler()), model))
    for name, model in models.items()
}

# %%
# Three questions to each model: which fields are positive (bag AUC); which nuclei of a
# positive field are epithelial (instance AUC, field by field); and is the nucleus it
# trusts most an epithelial one (hit rate). The first is averaged over the folds, whose
# models need not share a scale.

truth = np.split(bags.y_instances, bags.offsets[1:-1])


def bag_auc(fold, scores):
    return [
        roc_auc_score(y[fold == k], scores[fold == k]) for k in range(fold.max() + 1)
    ]


def localisation(scores):
    return {
        "instance AUC in positive fields": instance_roc_auc(
            truth, scores, within_positive=True, average="bag"
        ),
        "hit rate": hit_rate_at_k(truth, scores),
    }


rows = {}
for name, (fold, of_bags, of_nuclei, _) in results.items():
    aucs = bag_auc(fold, of_bags)
    said = {"bag AUC": f"{np.mean(aucs):.3f} ± {np.std(aucs, ddof=1):.3f}"}
    rows[name] = said | localisation(of_nuclei)
fold, of_bags, _, attended = results["net, attention"]
rows["net, attention weights"] = {"bag AUC": "as above"} | localisation(attended)
print(f"bag AUC: mean ± sd over {N_FOLDS} folds")
print(pd.DataFrame(rows).T.to_string(float_format="{:.3f}".format))

# %%
# The last two rows are one model. Its weights say how much it looked at a nucleus, its
# scores what it saw there. Weights are often the poorer map: a model may look hard at
# what speaks *against* a class.
#
# One field
# ---------
#
# The model is trained on all folds but the one of the field that is drawn: the positive
# field that has the most even mixture of nuclei.

mixed = [
    np.inf if label == 0 else abs(t.mean() - 0.5)
    for label, t in zip(y, truth, strict=True)
]
index = int(np.argmin(mixed))
train = results["net, max"][0] != results["net, max"][0][index]

model = make_pipeline(InstanceWise(StandardScaler()), net).fit(bags[train], y[train])
looks = make_pipeline(InstanceWise(StandardScaler()), models["net, attention"])
looks.fit(bags[train], y[train])

figure, axes = plt.subplots(1, 2, figsize=(10.4, 4.6), layout="constrained")
scores = BagHeatmapDisplay.from_estimator(model, bags, index, y=y, ax=axes[0])
weights = BagHeatmapDisplay.from_estimator(
    looks, bags, index, method="attention", ax=axes[1]
)
scores.ax_.set_title("max pooling: scores")
weights.ax_.set_title("attention pooling: weights")
plt.show()

# %%
# Rings mark the nuclei that are epithelial. Every dot has the score its nucleus would
# have as a field of its own, so red says "this alone would make the field positive".
