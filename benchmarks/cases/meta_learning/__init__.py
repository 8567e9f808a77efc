"""MAML of one, five and ten inner steps, first-order MAML, prototypical networks.

The limit is the faster of the two ways in which MAML is written by hand: all tasks of a
step at once by ``torch.func.vmap`` (small nets), or a loop over tasks (conv4, which
vmap turns into grouped convolutions). The other way takes part as a contender of its
own. TorchOpt runs the loop of its documentation in an environment of its own;
learn2learn is on no index for this version of Python.
"""

from . import costs, training

__all__ = ["costs", "training"]
