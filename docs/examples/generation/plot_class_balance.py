"""
Rare classes: do synthetic rows help?
=====================================

Of 265 patients in training 15 have the disease. A classifier that minimises its loss
over all of them may well give those few up. To add rows of the rare class is an old
remedy: copies (*random oversampling*), points between neighbours (SMOTE), or samples of
a generator. A free one is to give the rare rows more weight, ``class_weight``, or to
move the threshold.

Parity is what to expect: synthetic rows hold nothing that the 15 real ones do not.
"""

# %%
# A task with 15 rare rows
# ------------------------
#
# Benign and malignant tumours, of which 15 malignant ones are left in training. The
# test part keeps all of its own, and is real, always: **synthetic rows belong into
# training only**, made after the split.

import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import (
    FixedThresholdClassifier,
    StratifiedKFold,
    cross_val_score,
    train_test_split,
)
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn import AugmentedClassifier, CGANSampler
from mlmi_sklearn.inspection import SampleGridDisplay

QUICK = os.environ.get("MLMI_SKLEARN_QUICK") == "1"
STEPS, SEEDS, RARE = (20, 2, 15) if QUICK else (1000, 5, 15)

tumours = load_breast_cancer(as_frame=True)
X, y = tumours.data, 1 - tumours.target  # 1 is malignant


def imbalanced(seed):
    """Return training rows with few of class 1, and test rows."""
    train, test = train_test_split(
        X.index, test_size=0.3, random_state=seed, stratify=y
    )
    rare = np.random.default_rng(seed).permutation(train[y[train] == 1])[:RARE]
    kept = np.concatenate([train[y[train] == 0], rare])
    return X.loc[kept], y.loc[kept], X.loc[test], y.loc[test]


# %%
# What adds rows
# --------------
#
# ``CGANSampler.fit_resample`` follows the convention of imbalanced-learn and can stand
# in its pipelines. SMOTE is taken from there if it is installed, or else written out.


def oversample(X, y, seed):
    """Repeat rows of class 1 at random until there are as many as of class 0."""
    rare = np.flatnonzero(y == 1)
    more = np.random.default_rng(seed).choice(rare, (y == 0).sum() - len(rare))
    return pd.concat([X, X.iloc[more]]), pd.concat([y, y.iloc[more]])


def interpolate(X, y, seed):
    """Add points between rows of class 1 and their neighbours in it (SMOTE)."""
    try:
        from imblearn.over_sampling import SMOTE
    except ImportError:
        rng, rare = np.random.default_rng(seed), X[y == 1].to_numpy()
        n = (y == 0).sum() - len(rare)
        near = NearestNeighbors(n_neighbors=6).fit(rare).kneighbors(rare)[1][:, 1:]
        first = rng.integers(len(rare), size=n)
        second = near[first, rng.integers(5, size=n)]
        made = rare[first] + rng.random((n, 1)) * (rare[second] - rare[first])
        made = pd.DataFrame(made, columns=X.columns)
        return pd.concat([X, made]), np.append(y, np.ones(n, dtype=int))
    return SMOTE(random_state=seed).fit_resample(X, y)


def generate(X, y, seed):
    """Add samples of a conditional GAN that was trained on all rows."""
    return CGANSampler(max_iter=STEPS, random_state=seed).fit_resample(X, y)


# %%
# Six ways, five splits
# ---------------------
#
# Balanced accuracy is the mean of sensitivity and specificity, at one threshold. The
# area under the ROC curve does not depend on a threshold: what moves the first alone
# has not made a better model, but chosen another threshold.


def judge(model, X_test, y_test):
    """Return balanced accuracy and area under the ROC curve."""
    proba = model.predict_proba(X_test)[:, 1]
    return {
        "balanced accuracy": balanced_accuracy_score(y_test, model.predict(X_test)),
        "ROC AUC": roc_auc_score(y_test, proba),
    }


def classifier(**params):
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, **params))


rows = []
for seed in range(SEEDS):
    X_train, y_train, X_test, y_test = imbalanced(seed)
    share = y_train.mean()
    threshold = FixedThresholdClassifier(
        classifier(), threshold=share, response_method="predict_proba"
    )
    ways = {
        "nothing": (classifier(), None),
        "threshold": (threshold, None),
        "class_weight": (classifier(class_weight="balanced"), None),
        "copies": (classifier(), oversample),
        "SMOTE": (classifier(), interpolate),
        "CGANSampler": (classifier(), generate),
    }
    for name, (model, resample) in ways.items():
        data = X_train, y_train
        if resample is not None:
            data = resample(X_train, y_train, seed)
        found = judge(model.fit(*data), X_test, y_test)
        rows.append({"way": name, "seed": seed, **found})

table = pd.DataFrame(rows)
names = list(dict.fromkeys(table["way"]))
by = table.groupby("way")[["balanced accuracy", "ROC AUC"]]
mean, sd = by.mean().loc[names], by.std().loc[names]
print((mean.map("{:.3f}".format) + " ± " + sd.map("{:.3f}".format)).to_string())

# %%
# Nearly all of the differences are one of thresholds: areas under the curve are alike.
# Differences between ways are best taken split by split, since all saw the same rows.

wide = table.pivot(index="seed", columns="way", values="balanced accuracy")
gain = wide.sub(wide["class_weight"], axis=0).drop(columns="class_weight")
print("\nbalanced accuracy, less that of class_weight")
print(gain.agg(["mean", "min", "max"]).T.round(3).to_string())

# %%
# In scikit-learn's own tools
# ---------------------------
#
# A ``Pipeline`` of scikit-learn takes no sampler. ``AugmentedClassifier`` does the same
# inside one estimator: the synthetic rows exist within ``fit`` alone, so that every
# fold is judged by real rows. ``ratio=0`` is the classifier as it is.

X_train, y_train, X_test, y_test = imbalanced(0)
augmented = AugmentedClassifier(
    classifier(), CGANSampler(max_iter=STEPS // 2), balance=True, random_state=0
)
folds = StratifiedKFold(2, shuffle=True, random_state=0)
scores = cross_val_score(
    augmented, X_train, y_train, cv=folds, scoring="balanced_accuracy"
)
print(f"\nAugmentedClassifier, cross-validated: {scores.mean():.3f}")

# %%
# Look at what is added, too: as many of the rare class as of the other. A few rows are
# all the generator knows of it.

sampler = CGANSampler(max_iter=STEPS, random_state=0).fit(X_train, y_train)
made, labels = sampler.sample(y=np.repeat([0, 1], (y_train == 0).sum()), random_state=0)

figure = plt.figure(figsize=(9.6, 6.4), layout="constrained")
above, below = figure.subfigures(2, 1)
axes = above.subplots(1, 2, sharey=True)
for ax, measure in zip(axes, mean.columns, strict=True):
    for place, name in enumerate(names):
        values = table.loc[table["way"] == name, measure]
        ax.plot(values, np.full(len(values), place), "o", color="#9A9A9A", ms=4)
        ax.plot(values.mean(), place, "D", color="#0072B2", ms=7)
    ax.set_xlabel(f"{measure}, by split and mean")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_yticks(range(len(names)), names)
axes[0].set_ylim(len(names) - 0.5, -0.5)
SampleGridDisplay.from_data(
    X_train,
    made,
    y_train.map({0: "benign", 1: "malignant"}),
    pd.Series(labels).map({0: "benign", 1: "malignant"}),
    columns=["mean radius", "mean texture"],
    ax=below.subplots(1, 2),
)
plt.show()

# %%
# What to take home: try ``class_weight="balanced"`` first. Where synthetic rows beat it
# on your data, over several splits, use them; where they do not, there is one thing
# less to explain.
