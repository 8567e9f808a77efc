"""
Choosing lambda without labels of the target
============================================

Too small a lambda does not adapt, too large a one destroys what was learnt, and without
labels of the target the accuracy there cannot be looked at. Scores that need no such
labels stand in for it. Some follow the accuracy well. The one that everybody has at
hand, the accuracy on the source, is highest where nothing was adapted.

Here the labels of the target exist, so each score can be held against the truth.
"""

# %%
# One net for each lambda
# -----------------------
#
# The source are handwritten digits, the target are other ones before a blurred
# background.

import os
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone

from mlmi_sklearn import DANNClassifier
from mlmi_sklearn.datasets import make_shifted_digits
from mlmi_sklearn.exceptions import DomainWarning
from mlmi_sklearn.metrics import make_domain_scorer, reverse_validation_score
from mlmi_sklearn.model_selection import safe_select

QUICK = os.environ.get("MLMI_SKLEARN_QUICK") == "1"

X, y, sample_domain = make_shifted_digits("blend", random_state=0)
if QUICK:
    few = np.flatnonzero(np.arange(len(y)) % 6 == 0)
    X, y, sample_domain = X[few], y[few], sample_domain[few]

lambdas = [0, 0.1, 0.3, 1.0, 3.0, 10.0]
dann = DANNClassifier(max_epochs=2 if QUICK else 25, diagnostics=False, random_state=0)
nets = [
    clone(dann).set_params(lambda_=value).fit(X, y, sample_domain) for value in lambdas
]
truth = [net.score(X, y, sample_domain) for net in nets]

# %%
# Four scores that read no label of the target
# --------------------------------------------
#
# - ``im``, the mutual information of row and predicted class: predictions on the target
#   should be sure, and together use all classes;
# - ``bnm``, the nuclear norm of the matrix of predictions, which asks for the same;
# - ``reverse``: the net labels the target, a second net learns from that and adapts
#   *back*, and is scored on the source. It trains two nets, and is the slowest;
# - ``source``: the accuracy on the source, what a plain cross-validation would see.
#
# Larger is better in each. A scorer is called like one of scikit-learn's.

scores = {
    name: [make_domain_scorer(name)(net, X, y, sample_domain) for net in nets]
    for name in ("im", "bnm", "source")
}
scores["reverse"] = [
    reverse_validation_score(net, X, y, sample_domain, random_state=0) for net in nets
]
table = pd.DataFrame({"accuracy on the target": truth, **scores}, index=lambdas)
print(table.rename_axis("lambda").round(3).to_string())

# %%
# What each would choose
# ----------------------
#
# "Lost" is what the choice costs against the best of the six, the oracle, which only a
# test like this one has. ``rho`` is the rank correlation with the truth.

choices = pd.DataFrame(
    {
        name: {
            "chooses": lambdas[int(np.argmax(values))],
            "accuracy there": truth[int(np.argmax(values))],
            "lost": max(truth) - truth[int(np.argmax(values))],
            "rho": pd.Series(values).corr(pd.Series(truth), method="spearman"),
        }
        for name, values in {"oracle": truth, **scores}.items()
    }
).T
print(choices.round(2).to_string())

# %%
# Scores have units of their own, so each is drawn from its smallest to its largest
# value; the ring marks the largest.

STYLE = {
    "im": ("#0072B2", "o"),
    "bnm": ("#E69F00", "s"),
    "reverse": ("#009E73", "^"),
    "source": ("#CC79A7", "v"),
}
figure, (top, below) = plt.subplots(
    2, 1, figsize=(6.4, 5.2), layout="constrained", sharex=True
)
place = np.arange(len(lambdas))
top.plot(place, truth, "o-", color="black")
top.axhline(truth[0], color="black", linestyle=":", linewidth=1)
top.annotate(
    "source only",
    (place[0], truth[0]),
    xytext=(10, -4),
    textcoords="offset points",
    va="top",
)
top.set_ylabel("accuracy on the target\n(unknown in real life)")
for number, (name, (colour, marker)) in enumerate(STYLE.items()):
    values = np.array(scores[name])
    spread = (values - values.min()) / (np.ptp(values) or 1)
    # The first is drawn wide, since im and bnm often agree.
    width = 4 if number == 0 else 1.5
    below.plot(place, spread, marker, ls="-", lw=width, color=colour, label=name)
    best = int(np.argmax(values))
    below.plot(
        place[best], spread[best], "o", ms=8 + 4 * number, mfc="none", mec=colour
    )
below.set(xlabel="lambda", ylabel="score without target labels\n(lowest 0, highest 1)")
below.set_ylim(-0.1, 1.2)
below.set_xticks(place, [f"{value:g}" for value in lambdas])
for ax in (top, below):
    ax.spines[["top", "right"]].set_visible(False)
figure.legend(loc="outside lower center", ncols=4, frameon=False)
plt.show()

# %%
# The safe way
# ------------
#
# ``safe_select`` scores every candidate on several splits beside the net without
# adaptation, and adapts only where that wins by more than the noise. With
# ``scoring="im"`` it also asks reverse validation whether the winner does harm.

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DomainWarning)
    chosen = safe_select(
        dann,
        {"lambda_": [0.3, 3.0]},
        X,
        y,
        sample_domain,
        scoring="im",
        n_repeats=2,
        random_state=0,
    )
print(chosen.verdict)
print(chosen.table.drop(columns=["control"]).round(3).to_string(index=False))
print(
    f"accuracy on the target: {chosen.best_estimator_.score(X, y, sample_domain):.3f}"
)
