"""The engine of every estimator: tables, wide sparse counts, images, tiny fits.

Raw loop and estimator train the same net with the same batches and the same fused
AdamW. Loops are what one writes by hand: a permutation an epoch, rows gathered batch by
batch. ``MLPClassifier`` has Adam, without decay of the weights.
"""

from . import costs, prediction, training

__all__ = ["costs", "prediction", "training"]
