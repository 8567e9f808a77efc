"""Errors and warnings that users of mlmi_sklearn may catch.

Errors about bad input also derive from :class:`ValueError`, so code written for
scikit-learn keeps working without importing anything from here.
"""

from __future__ import annotations

__all__ = [
    "BagError",
    "ComponentConflictError",
    "ComponentNotFoundError",
    "DomainWarning",
    "FitInterruptedWarning",
    "PersistenceError",
    "PersistenceWarning",
    "PluginError",
    "PluginWarning",
    "TaskError",
    "TaskWarning",
    "TrainingDivergedError",
]


class TrainingDivergedError(RuntimeError):
    """Raised when the training loss becomes NaN or infinite.

    An estimator that was not fitted before keeps the last finite weights and can
    predict; one that was fitted before keeps its earlier model untouched.

    Parameters
    ----------
    message : str
        What happened and what to try.
    epoch : int, default=0
        Epoch, counted from 1, in which the loss stopped being finite.
    step : int, default=0
        Batch of that epoch, counted from 1.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn import NetRegressor
    >>> from mlmi_sklearn.exceptions import TrainingDivergedError
    >>> X = np.random.default_rng(0).normal(size=(40, 4))
    >>> try:
    ...     NetRegressor(lr=1e20, optimizer="sgd", random_state=0).fit(1e4 * X, X[:, 0])
    ... except TrainingDivergedError as error:
    ...     print(str(error)[:56], error.epoch > 0)
    Training diverged: the loss became NaN or infinite in ep True
    """

    def __init__(self, message: str, epoch: int = 0, step: int = 0) -> None:
        super().__init__(message)
        self.epoch = epoch
        self.step = step

    def __reduce__(self) -> tuple[type, tuple[str, int, int]]:
        # Without this, an error raised in a joblib worker cannot come back.
        return type(self), (str(self), self.epoch, self.step)


class PluginError(RuntimeError):
    """Raised when a plugin or one of its components cannot be used.

    It names the distribution that the part came from and the switch that keeps the
    plugin off; nothing else of the library is affected.

    Examples
    --------
    >>> from mlmi_sklearn import register_component
    >>> from mlmi_sklearn.components import unregister_component
    >>> from mlmi_sklearn.exceptions import PluginError
    >>> part = register_component("loss", "lost", "no_package:Lost", summary="Lost.")
    >>> try:
    ...     part.load()
    ... except PluginError as error:
    ...     print("no_package" in str(error))
    True
    >>> unregister_component("loss", "lost")
    """


class ComponentNotFoundError(PluginError, ValueError):
    """Raised when no component of that kind and name is registered.

    The message lists names that are close, and those that there are.

    Examples
    --------
    >>> from mlmi_sklearn import find_component
    >>> from mlmi_sklearn.exceptions import ComponentNotFoundError
    >>> try:
    ...     find_component("backbone", "mpl")
    ... except ComponentNotFoundError as error:
    ...     print(str(error).partition(" Available")[0])
    no backbone is called 'mpl'. Did you mean 'mlp'?
    """


class ComponentConflictError(PluginError, ValueError):
    """Raised when a name is taken, or is claimed by several distributions.

    Examples
    --------
    >>> from mlmi_sklearn import register_component
    >>> from mlmi_sklearn.exceptions import ComponentConflictError
    >>> try:
    ...     register_component("backbone", "mlp", "mine:MLP", summary="My own.")
    ... except ComponentConflictError as error:
    ...     print(error)
    backbone 'mlp' is built in and cannot be replaced; take another name.
    """


class BagError(ValueError):
    """Raised when the input cannot be read as bags of instances.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn import check_bags
    >>> from mlmi_sklearn.exceptions import BagError
    >>> try:
    ...     check_bags([np.ones((2, 3)), np.ones((2, 4))])
    ... except BagError as error:
    ...     print(str(error)[:75])
    X[1] has instances of shape (4,), but those of X[0] have shape (3,). All ba
    """


class TaskError(ValueError):
    """Raised when the input cannot be read as a set of learning tasks.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn import MAMLClassifier
    >>> from mlmi_sklearn.exceptions import TaskError
    >>> X, y = np.ones((4, 2)), [0, 1, 0, 1]
    >>> try:
    ...     MAMLClassifier(episodes="groups").fit(X, y)
    ... except TaskError as error:
    ...     print(str(error).partition(". ")[0])
    episodes='groups', but no row names its task
    """


class PersistenceError(ValueError):
    """Raised when an estimator cannot be saved, or a file cannot be loaded.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from mlmi_sklearn import load
    >>> from mlmi_sklearn.exceptions import PersistenceError
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "model.mlmi"
    ...     size = path.write_bytes(b"not a model")
    ...     try:
    ...         load(path)
    ...     except PersistenceError as error:
    ...         print("model.mlmi" in str(error))
    True
    """


class PersistenceWarning(UserWarning):
    """Issued when a file was written with another version of what it needs.

    Examples
    --------
    A program that must predict as on the day of training makes it an error:

    >>> import warnings
    >>> from mlmi_sklearn.exceptions import PersistenceWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", PersistenceWarning)
    ...     issubclass(PersistenceWarning, UserWarning)
    True
    """


class DomainWarning(UserWarning):
    """Issued when domain adaptation is in doubt.

    It is issued where the caller plainly meant adaptation, and the data do not allow it
    or speak against it.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> from mlmi_sklearn import DANNClassifier
    >>> from mlmi_sklearn.exceptions import DomainWarning
    >>> X, y = np.random.default_rng(0).normal(size=(20, 2)), [0, 1] * 10
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     model = DANNClassifier(max_epochs=1).fit(X, y, sample_domain=[1] * 20)
    >>> caught[0].category is DomainWarning
    True
    >>> str(caught[0].message)[:38]
    'sample_domain names no row of a target'
    """


class TaskWarning(UserWarning):
    """Issued when meta-learning has no tasks to learn from.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> from mlmi_sklearn import MAMLClassifier
    >>> from mlmi_sklearn.exceptions import TaskWarning
    >>> X, y = np.random.default_rng(0).normal(size=(20, 2)), [0, 1] * 10
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     model = MAMLClassifier(max_epochs=1, episodes_per_epoch=1).fit(X, y)
    >>> caught[0].category is TaskWarning
    True
    >>> str(caught[0].message).partition(":")[0]
    'MAMLClassifier has no tasks to learn from'
    """


class PluginWarning(UserWarning):
    """Issued once for each plugin that could not be loaded.

    Make it an error to be told at once, or ignore it once you know.

    Examples
    --------
    >>> import warnings
    >>> from mlmi_sklearn import list_plugins
    >>> from mlmi_sklearn.exceptions import PluginWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", PluginWarning)
    ...     broken = [plugin.dist for plugin in list_plugins() if plugin.error]
    >>> isinstance(broken, list)
    True
    """


class FitInterruptedWarning(UserWarning):
    """Issued when Ctrl-C ended a fit early and the model so far was kept.

    A program of many fits may rather end as a whole, as here.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> from mlmi_sklearn import NetRegressor
    >>> from mlmi_sklearn.exceptions import FitInterruptedWarning
    >>> X = np.random.default_rng(0).normal(size=(20, 2))
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", FitInterruptedWarning)
    ...     model = NetRegressor(max_epochs=2).fit(X, X[:, 0])
    >>> model.n_iter_
    2
    """
