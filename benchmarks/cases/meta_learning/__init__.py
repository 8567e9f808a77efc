"""MAML of one, five and ten inner steps, first-order MAML, prototypical networks.

The limit is the fastest of the ways in which MAML is written by hand: all tasks of a
step at once by ``torch.func.vmap`` (small nets), or a loop over tasks (conv4, which
vmap turns into grouped convolutions), by ``functional_call`` or in clones of the net,
which race before each row. The way that does not suit the net takes part as a contender
of its own. Runs of conv4 are of 3 to 16 steps, where a real training takes thousands,
so that what comes once a fit counts for more than it ever will. TorchOpt runs the loop
of its documentation in an environment of its own; learn2learn is on no index for this
version of Python.
"""

from . import costs, rows

__all__ = ["costs", "rows"]
