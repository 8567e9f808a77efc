"""
Which instances made this bag positive?
=======================================

A bag holds about ten handwritten digits and is positive if one of them is a nine. The
model sees labels of bags only. This example asks it for the nines, in three ways, and
measures how often each is right.
"""

# %%
# The data
# --------
#
# ``y_instances`` of the bags says which digits are nines. Nothing is trained on it: it
# is the truth to compare with. The test bags are made of other images than the training
# bags.

import os

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.model_selection import cross_val_score

from mlmi_sklearn import MILClassifier
from mlmi_sklearn.datasets import make_digit_bags
from mlmi_sklearn.inspection import TopInstancesDisplay, top_instances
from mlmi_sklearn.metrics import (
    hit_rate_at_k,
    instance_average_precision,
    instance_roc_auc,
    make_instance_scorer,
)

QUICK = os.environ.get("MLMI_SKLEARN_QUICK") == "1"

train, y_train = make_digit_bags(n_bags=40 if QUICK else 100, random_state=0)
test, y_test = make_digit_bags(
    n_bags=40 if QUICK else 200, split="test", random_state=1
)
print(train)

# %%
# Two poolings
# ------------
#
# With max pooling the score of a bag *is* that of its best digit, so the question in
# the title has an exact answer. With attention the score is a weighted mean, and there
# are two answers: how much a digit weighs, and how it scores on its own.

epochs = 20 if QUICK else 100
by_max = MILClassifier(pooling="max", max_epochs=epochs, random_state=0)
by_attention = MILClassifier(pooling="attention", max_epochs=epochs, random_state=0)
by_max.fit(train, y_train)
by_attention.fit(train, y_train)

scores = by_max.instance_scores(test)  # one array a bag
same = [s.max() for s in scores] == by_max.decision_function(test)
print("bag score equals best instance, exactly:", bool(same.all()))
print(
    "attention sums to", by_attention.attention(test)[0].sum().round(6), "in each bag"
)

# %%
# How well they find the nines
# ----------------------------
#
# All figures are for positive bags: telling positive bags from negative ones earns
# nothing. AUC and average precision rank the digits within each bag; the hit rate asks
# whether the one or three best digits hold a nine.

answers = {
    "max: scores": scores,
    "attention: scores": by_attention.instance_scores(test),
    "attention: weights": by_attention.attention(test),
}
rows = {}
for name, values in answers.items():
    given = (test.y_instances, values)
    rows[name] = {
        "AUC": instance_roc_auc(*given, bags=test, within_positive=True, average="bag"),
        "average precision": instance_average_precision(
            *given, bags=test, within_positive=True, average="bag"
        ),
        "hit rate at 1": hit_rate_at_k(*given, k=1, bags=test),
        "hit rate at 3": hit_rate_at_k(*given, k=3, bags=test),
    }
models = {"max": by_max, "attention": by_attention}
accuracy = {name: model.score(test, y_test) for name, model in models.items()}
print("accuracy on bags:", {name: round(value, 3) for name, value in accuracy.items()})
print(pd.DataFrame(rows).T.round(3).to_string())

# %%
# Two positive bags and two negative ones
# ---------------------------------------
#
# The best digits of each bag, best first. In a negative bag something is best, too:
# what matters is on which side of zero it lies.

positive = [number for number in range(len(y_test)) if y_test[number] == 1][:2]
negative = [number for number in range(len(y_test)) if y_test[number] == 0][:2]
shown = positive + negative
TopInstancesDisplay.from_estimator(
    by_max, test, k=5, indices=shown, y=y_test, image_shape=(8, 8)
)
plt.show()

# %%
# The same as a table, for a report:

print(top_instances(by_max, test, k=2, indices=shown).round(3).to_string(index=False))

# %%
# Choosing a model by what it finds
# ---------------------------------
#
# If labels of some instances are known, a search can optimise localisation instead of
# accuracy. The labels travel inside the bags, so splitters keep them in place.

finds = make_instance_scorer(instance_roc_auc, within_positive=True)
for name, model in models.items():
    found = cross_val_score(model, train, y_train, scoring=finds, cv=3)
    print(f"{name}: instance AUC {found.mean():.3f} ± {found.std(ddof=1):.3f}, 3 folds")
