"""
New characters from a few drawings: four ways to use what one knows already
===========================================================================

Omniglot has 964 characters of thirty alphabets, each drawn by twenty people. A method
may practise on 713 of them. Then it is shown one or five drawings of each of five new
characters, and has to tell which of the five the next drawings are.

Meta-learning practises by playing that very game with the known characters. Fine-tuning
learns to tell all 713 apart, as any classifier would, and then fits a new last layer.
It is the rival that counts: it is simple, and often no worse.
"""

# %%
# The data
# --------
#
# The split is by character: those to be judged by, turned ones included, were never
# seen.

import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from mlmi_sklearn import FineTuneClassifier, MAMLClassifier, ProtoNetClassifier
from mlmi_sklearn.datasets import load_omniglot_small
from mlmi_sklearn.model_selection import EpisodeSplit, few_shot_score

QUICK = os.environ.get("MLMI_SKLEARN_QUICK") == "1"
N_MAML, N_PROTO, EPOCHS, N_EPISODES = (32, 5, 1, 10) if QUICK else (900, 150, 4, 100)

known = load_omniglot_small(subset="train")
new = load_omniglot_small(subset="test")
print(f"{known.data.shape} to practise on, {new.data.shape} to be judged by")
assert not set(known.base_character) & set(new.base_character)

# %%
# Practice
# --------
#
# Training is short here, so that all of it takes a minute. ``finetune_steps=0`` leaves
# out the ordinary model of the known characters that would stand behind ``predict``.

methods = {
    "MAML": MAMLClassifier(
        n_shot=1,
        n_query=5,
        inner_lr=0.4,
        inner_steps=1,
        inner_steps_eval=3,
        finetune_steps=0,
        max_epochs=1,
        episodes_per_epoch=N_MAML,
        random_state=0,
    ),
    "prototypical network": ProtoNetClassifier(
        n_shot=1, n_query=5, max_epochs=1, episodes_per_epoch=N_PROTO, random_state=0
    ),
    "fine-tuning": FineTuneClassifier(max_epochs=EPOCHS, random_state=0),
}
for model in methods.values():
    model.fit(known.data, known.target)

# %%
# Without practice there is logistic regression on the pixels: no ``adapt``, so that
# ``few_shot_score`` trains it from scratch on each task.


def flattened(images):
    return images.reshape(len(images), -1)


methods["logistic regression"] = make_pipeline(
    FunctionTransformer(flattened), LogisticRegression(max_iter=200)
)

# %%
# Five new characters, again and again
# ------------------------------------
#
# With one ``random_state`` all methods see the same tasks. The interval is that of the
# mean over tasks, of one training each. How long to train was settled by a look at
# accuracy on such characters, for all methods alike.

rows = []
for name, model in methods.items():
    for shots in (1, 5):
        score = few_shot_score(
            model,
            new.data,
            new.target,
            n_shot=shots,
            n_episodes=N_EPISODES,
            random_state=0,
        )
        rows.append({"method": name, "shots": shots, "score": score})
table = pd.DataFrame(rows).pivot(index="method", columns="shots", values="score")
table = table.loc[list(methods)]
print(table.map(lambda s: f"{s.mean:.3f} ± {s.ci95:.3f}").to_string())

# %%
# One task
# --------
#
# The first of these tasks, with one drawing a character: what was shown, and what the
# prototypical network makes of five other drawings of each. Wrong answers are framed.

support, query = next(EpisodeSplit(1, random_state=0).split(new.data, new.target))
answers = methods["prototypical network"].adapt(new.data[support], new.target[support])
guess = answers.predict(new.data[query])
characters = np.unique(new.target[support])

figure = plt.figure(figsize=(9.6, 4.2), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=(1.25, 1))

ax = left.subplots()
styles = {1: ("o", "#0072B2"), 5: ("D", "#D55E00")}
for row, name in enumerate(methods):
    for shots, (marker, colour) in styles.items():
        score = table.loc[name, shots]
        ax.errorbar(
            score.mean,
            row,
            xerr=score.ci95,
            marker=marker,
            color=colour,
            linestyle="none",
            label=f"{shots} drawing{'s' * (shots > 1)} of each" if row == 0 else None,
        )
ax.axvline(0.2, color="black", linestyle=":", linewidth=1)
ax.annotate("guessing", (0.2, 3.35), xytext=(4, 0), textcoords="offset points", size=9)
ax.set_yticks(range(len(methods)), methods)
ax.set(xlabel="accuracy, mean and 95 % interval", xlim=(0.15, 1), ylim=(3.6, -0.6))
ax.spines[["top", "right"]].set_visible(False)
ax.legend(loc="upper left", frameon=False, fontsize=9)

grid = right.subplots(len(characters), 6)
for line, character in zip(grid, characters, strict=True):
    shown = support[new.target[support] == character][:1]
    asked = query[new.target[query] == character][:5]
    for ax, drawing in zip(line, [*shown, *asked], strict=True):
        ax.imshow(new.data[drawing, 0], cmap="gray_r")
        ax.set(xticks=[], yticks=[])
        wrong = drawing in query and guess[query == drawing][0] != character
        for spine in ax.spines.values():
            spine.set(color="#D55E00" if wrong else "0.85", linewidth=2 if wrong else 1)
grid[0, 0].set_title("shown", fontsize=9)
grid[0, 3].set_title("asked", fontsize=9)
plt.show()

# %%
# What to take home: report fine-tuning beside every meta-learner, with the same
# backbone and about the same time to train. What meta-learning is better at depends on
# how many known classes there are, on the shots, and on how far the new ones are from
# the known.
