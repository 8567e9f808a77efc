"""Two domains at once: batches of source and target, and what the target adds.

Raw loops are what one writes by hand: rows gathered batch by batch, sides passed
separately, both schedules of Ganin et al., gradients clipped and fused SGD, as the
estimators do by default. Digits, 900 rows of source and 897 of target, 64 of either a
step, 14 steps an epoch; encoder 64-128 with batch normalisation, critic of 100 units.
"""

from . import costs, training

__all__ = ["costs", "training"]
