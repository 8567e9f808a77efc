"""
Training images in the look of another scanner
==============================================

A classifier was trained on images of one scanner, and now gets those of another,
without labels. One way out is to change the *images*: translate the labelled ones to
the look of the new scanner, which takes no pairs and no labels, and train an ordinary
classifier on the result. The other way is to change the *features*, as DANN does. This
example tries both, and shows where the first does not help.
"""

# %%
# A duller scanner
# ----------------
#
# The source are handwritten digits. The target are other digits with less contrast, a
# grey background and noise. Its labels are used for nothing but the scores.

import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC

from mlmi_sklearn import DANNClassifier, ImageTranslator
from mlmi_sklearn.datasets import make_shifted_digits

QUICK = os.environ.get("MLMI_SKLEARN_QUICK") == "1"


def flat(images):
    """Return one row of pixels for each image."""
    return images.reshape(len(images), -1)


def load(shift):
    """Return images and labels of the source and of the target."""
    X, y, sample_domain = make_shifted_digits(shift, as_images=True, random_state=0)
    X = X.astype(np.float32)
    source = sample_domain >= 0
    return X[source], y[source], X[~source], y[~source]


# %%
# Translate, and look
# -------------------
#
# Two nets learn from the two heaps of images, one there and one back. The images must
# look right to a discriminator, and return as they were.

X_source, y_source, X_target, y_target = load("gain")
translator = ImageTranslator(max_iter=20 if QUICK else 200, random_state=0)
translator.fit(X_source, X_target=X_target)
translated = translator.transform(X_source)

examples = {
    "source": X_source,
    "source, translated": translated,
    "target": X_target,
    "target, back": translator.inverse_transform(X_target),
}
figure, axes = plt.subplots(4, 10, figsize=(7, 3.4), layout="constrained")
for row, (name, images) in zip(axes, examples.items(), strict=True):
    for ax, image in zip(row, images, strict=False):
        ax.imshow(image, cmap="gray", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name, rotation=0, ha="right", va="center")
plt.show()

# %%
# Does it help the classifier?
# ----------------------------
#
# The translator stands in front of the classifier at training time only: target images
# are classified as they are. "Labels of the target" is what a classifier reaches that
# is trained on labelled target images (5-fold cross-validation): the price of having no
# labels. Two more shifts are less a matter of look: ``blend`` has a structured
# background and swaps dark and bright at places, ``rotate`` turns digits by 35 degrees.


def compare(shift):
    """Return accuracies on the target by what was trained how."""
    Xs, ys, Xt, yt = load(shift)
    moved = translated
    if shift != "gain":
        moved = translator.fit(Xs, X_target=Xt).transform(Xs)
    X, y = np.concatenate([flat(Xs), flat(Xt)]), np.concatenate([ys, yt])
    sample_domain = np.repeat([0, -1], [len(Xs), len(Xt)])
    dann = DANNClassifier(diagnostics=False, random_state=0)
    if QUICK:
        dann.set_params(max_epochs=2)
    return {
        "SVC on the source": SVC(C=10).fit(flat(Xs), ys).score(flat(Xt), yt),
        "SVC on translations": SVC(C=10).fit(flat(moved), ys).score(flat(Xt), yt),
        "DANN": dann.fit(X, y, sample_domain).score(X, y, sample_domain),
        "labels of the target": cross_val_score(SVC(C=10), flat(Xt), yt).mean(),
    }


table = pd.DataFrame({shift: compare(shift) for shift in ("gain", "blend", "rotate")})
print(table.round(3).to_string())

# %%
# What to take from it
# --------------------
#
# Where domains differ in their look alone, as with ``gain``, translated images come
# near to labelled images of the target, any classifier can use them, and one can *see*
# whether a translation is right. With ``blend`` the gain is small, and DANN, which
# learns features for the labels at the same time, is better. With ``rotate`` neither is
# of much use: nothing says that a turned digit is to become that digit and not another
# one that looks as right. A translation that looks right may still change the class of
# an image, since nothing in its training reads a label.

figure, ax = plt.subplots(figsize=(6.4, 3), layout="constrained")
colours = ["#999999", "#0072B2", "#E69F00", "#009E73"]
for k, (name, values) in enumerate(table.iterrows()):
    place = np.arange(len(values)) + 0.2 * (k - 1.5)
    ax.bar(place, values, width=0.18, label=name, color=colours[k])
ax.set_xticks(np.arange(table.shape[1]), table.columns)
ax.set(ylabel="accuracy on the target", ylim=(0, 1))
ax.spines[["top", "right"]].set_visible(False)
figure.legend(loc="outside upper center", ncols=2, frameon=False)
plt.show()
