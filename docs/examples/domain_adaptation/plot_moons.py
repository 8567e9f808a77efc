"""
Two moons, turned: what a domain-adversarial net does to a decision boundary
============================================================================

The smallest picture of domain adaptation, from section 5.1.1 of Ganin et al. (2016):
two moons with labels are the source, and the same moons, turned by 35 degrees and
without labels, are the target. A net that knows the source alone draws its boundary
through the target. A domain-adversarial net (DANN) sees where the points of the target
are, and turns its boundary with them.
"""

# %%
# The data
# --------
#
# Rows of both domains are stacked, and ``sample_domain`` says which is which: 0 for the
# source, -1 for the target. ``y`` holds the labels of the target, too. They are there
# to score with: unless told to, ``DANNClassifier`` does not look at them.

import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap
from sklearn.inspection import DecisionBoundaryDisplay

from mlmi_sklearn import DANNClassifier
from mlmi_sklearn.datasets import make_rotated_moons
from mlmi_sklearn.metrics import proxy_a_distance

QUICK = os.environ.get("MLMI_SKLEARN_QUICK") == "1"

X, y, sample_domain = make_rotated_moons(angle=35, random_state=0)
source, target = sample_domain >= 0, sample_domain < 0
print(f"{source.sum()} points of the source, {target.sum()} of the target")

# %%
# Two nets
# --------
#
# ``hidden_layer_sizes=(15,)`` is the shallow net of the paper: 15 sigmoid units and a
# linear discriminator. ``lambda_=0`` is the same net without the target, the control
# that belongs beside every adapted one.

N_SEEDS, EPOCHS = (1, 20) if QUICK else (5, "auto")


def net(lambda_, seed):
    return DANNClassifier(
        hidden_layer_sizes=(15,),
        lambda_=lambda_,
        max_epochs=EPOCHS,
        diagnostics=False,
        random_state=seed,
    )


strengths = {"source only": 0.0, "DANN": 0.3}
fitted, rows = {}, []
for name, lambda_ in strengths.items():
    for seed in range(N_SEEDS):
        points = make_rotated_moons(angle=35, random_state=seed)
        model = net(lambda_, seed).fit(*points)
        fitted[name, seed] = model
        features = model.transform(points[0])
        pad = proxy_a_distance(features[points[2] >= 0], features[points[2] < 0])
        rows.append(
            {
                "net": name,
                "source": model.score(*[part[source] for part in points]),
                "target": model.score(*points),
                "PAD of features": pad,
            }
        )

# %%
# ``score`` counts the rows of the target where there are any. The proxy A-distance
# (PAD) says how well a linear machine tells source from target by the 15 features: 0
# is not at all, 2 is always.


def mean_and_sd(values):
    return f"{values.mean():.2f} ± {values.std():.2f}"


table = pd.DataFrame(rows).groupby("net", sort=False).agg(mean_and_sd)
print(f"mean ± sd over {N_SEEDS} draws of points and weights")
print(table.to_string())

# %%
# Boundaries
# ----------
#
# Fields are what a net would predict, colours of points the truth. Points of the source
# are faint; those of the target, whose colours no net has seen, have a black edge. Of
# all draws the one is shown where the accuracy of the adapted net is in the middle.

COLOURS = ["#0072B2", "#E69F00"]  # told apart with any colour vision
FIELDS = ListedColormap(["#B7D7EA", "#F9E2B2"])


adapted = [row["target"] for row in rows if row["net"] == "DANN"]
middle = int(np.argsort(adapted)[N_SEEDS // 2])
X, y, sample_domain = make_rotated_moons(angle=35, random_state=middle)


def draw(ax, name, model):
    DecisionBoundaryDisplay.from_estimator(
        model,
        X,
        response_method="predict",
        ax=ax,
        cmap=FIELDS,
        grid_resolution=300,
        eps=0.5,
        plot_method="pcolormesh",
    )
    for label, marker in enumerate("o^"):
        of_class = y == label
        known, unknown = X[source & of_class], X[target & of_class]
        ax.scatter(*known.T, s=13, marker=marker, c=COLOURS[label], alpha=0.45, lw=0)
        ax.scatter(
            *unknown.T,
            s=17,
            marker=marker,
            c=COLOURS[label],
            edgecolors="black",
            linewidths=0.6,
            label=f"target, class {label}",
        )
    accuracy = model.score(X, y, sample_domain)
    ax.set_title(f"{name}: {accuracy:.0%} of the target right")
    ax.set(aspect="equal", xticks=[], yticks=[], xlabel="", ylabel="")


figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.1), layout="constrained")
for ax, name in zip(axes, strengths, strict=True):
    draw(ax, name, fitted[name, middle])
handles, labels = axes[0].get_legend_handles_labels()
figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
plt.show()

# %%
# Two traps
# ---------
#
# A linear machine cannot see a rotation about the mean, so the proxy A-distance of
# *inputs* is near 0 here, though a net of the source alone errs on the target. The
# distance that counts is that of features, beside that of the control's.

inputs = proxy_a_distance(X[source], X[target])
print(f"PAD of inputs: {inputs:.2f}")

# %%
# And labels of the target change nothing: with all of them wrong, the same net is
# learnt.

wrong = np.where(target, 1 - y, y)
again = net(0.3, middle).fit(X, wrong, sample_domain)
same = again.predict_proba(X) == fitted["DANN", middle].predict_proba(X)
print("the same net without true labels of the target:", bool(same.all()))
