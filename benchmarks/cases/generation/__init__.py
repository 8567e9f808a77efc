"""Adversarial training of tables and images, rows drawn in a second, growth of cost.

The raw loop is the same mathematics by hand: two fused Adam optimisers, one pass of the
generator for both updates, real and false rows judged together, R1 in every fourth
step, a running mean of the generator. It begins with the same nets. Runs take 60 to 120
of the 3,000 steps of the default, so that what comes once a fit (encoding, statistics
of the average) counts for more than it ever will. CTGAN has its own encoding of
columns, its own sampler of conditions, and ten rows judged at once; it is given the
same number of steps, of rows a batch and of units.
"""

from . import costs, training

__all__ = ["costs", "training"]
