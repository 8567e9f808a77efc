"""
A few points of a new sine wave: what a step of MAML is worth
=============================================================

The classic picture of Finn, Abbeel and Levine (2017). Every task is a sine wave of
another height and phase. One net for all of them can only learn their mean. MAML learns
weights that are no good themselves, but from which a step or two, on a few points, lead
to any of the waves.
"""

# %%
# Many tasks
# ----------
#
# ``groups`` says which curve a row is of: that is all that makes a set of rows a set of
# tasks.

import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from mlmi_sklearn import FineTuneRegressor, MAMLRegressor, MLPBackbone
from mlmi_sklearn.datasets import make_sinusoid_tasks
from mlmi_sklearn.model_selection import few_shot_score

QUICK = os.environ.get("MLMI_SKLEARN_QUICK") == "1"
N_CURVES, EPOCHS, N_NEW = (40, 3, 5) if QUICK else (500, 60, 100)

X, y, groups = make_sinusoid_tasks(N_CURVES, 20, random_state=0)
print(f"{len(X)} points of {groups.max() + 1} curves")

# %%
# Two nets of the same size
# -------------------------
#
# MAML, and ordinary training on all points together.

net = MLPBackbone(hidden=(40, 40))
maml = MAMLRegressor(
    backbone=net, n_query=10, finetune_steps=0, max_epochs=EPOCHS, random_state=0
).fit(X, y, groups=groups)
pretrained = FineTuneRegressor(net, max_epochs=20, random_state=0).fit(X, y)

# %%
# New curves
# ----------
#
# Squared error on 100 other points of each new curve, after so many steps on ten of its
# points. The number of steps is a parameter of what adapts, not of what was trained.

new_X, new_y, new_groups = make_sinusoid_tasks(N_NEW, 110, random_state=1)
STEPS = (0, 1, 2, 3, 5, 10)


def error(model):
    score = few_shot_score(
        model,
        new_X,
        new_y,
        new_groups,
        n_shot=10,
        n_query=100,
        n_episodes=N_NEW,
        scoring="neg_mean_squared_error",
        random_state=0,
    )
    return -score.mean, score.ci95


found = {
    "MAML": [error(maml.set_params(inner_steps_eval=k)) for k in STEPS],
    "pre-training": [
        error(pretrained.set_params(adapt_epochs=max(k, 1), adapt_lr=lr))
        for k in STEPS
        # No step is a step of no length.
        for lr in [1e-12 if k == 0 else 1e-2]
    ],
}
table = pd.DataFrame(
    {name: [f"{m:.2f} ± {c:.2f}" for m, c in rows] for name, rows in found.items()},
    index=pd.Index(STEPS, name="steps"),
)
print(table.to_string())

# %%
# One of them
# -----------

grid = np.linspace(-5, 5, 201)[:, None]
_, _, _, height, phase = make_sinusoid_tasks(
    N_NEW, 110, random_state=1, return_params=True
)
which = int(np.argsort(height)[len(height) // 2])  # of middling height
points = np.flatnonzero(new_groups == which)[:10]
few = new_X[points], new_y[points]
pretrained.set_params(adapt_lr=1e-2)
drawn = {
    "MAML": {k: maml.adapt(*few, inner_steps=k).predict(grid) for k in (0, 1, 5)},
    "pre-training": {
        0: pretrained.predict(grid),
        **{k: pretrained.adapt(*few, max_epochs=k).predict(grid) for k in (1, 5)},
    },
}

COLOURS = {0: "#999999", 1: "#56B4E9", 5: "#0072B2"}
figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.6), layout="constrained")
for ax, (name, lines) in zip(axes, drawn.items(), strict=False):
    truth = height[which] * np.sin(grid[:, 0] - phase[which])
    ax.plot(grid, truth, "k--", linewidth=1.2, label="truth")
    for k, line in lines.items():
        text = "no step" if k == 0 else f"{k} step{'s' * (k > 1)}"
        ax.plot(grid, line, color=COLOURS[k], linewidth=1 + 0.2 * k, label=text)
    ax.plot(*few, "o", color="#D55E00", markersize=5, label="points")
    ax.set(title=name, xlabel="x", ylim=(-5, 5))
for (name, rows), colour in zip(found.items(), ("#0072B2", "#999999"), strict=True):
    mean, reach = np.array(rows).T
    axes[2].errorbar(STEPS, mean, yerr=reach, marker="o", color=colour, label=name)
axes[2].set(title="squared error, new curves", xlabel="steps", ylim=(0, None))
axes[2].legend(frameon=False, fontsize=8)
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
handles, labels = axes[0].get_legend_handles_labels()
figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
plt.show()

# %%
# The article trains for 70,000 steps, and is better for it. And the picture is not an
# argument against simpler methods: a Gaussian process that knows no other curve draws
# smooth ones through ten clean points very well. Other tasks count where points are few
# or noisy.
