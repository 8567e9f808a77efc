"""``backbone__hidden`` on an estimator whose ``backbone`` is still a string."""

from __future__ import annotations

from typing import Any, ClassVar

from ..components import did_you_mean
from ..specs import ComponentSpec, as_spec

__all__ = ["NestedParams"]


class NestedParams:
    """Mixin: nested parameters promote a component's name to its spec.

    Strings are the defaults because scikit-learn's checks do not allow objects there.
    """

    _components: ClassVar[dict[str, str]] = {}
    # Those that are not parts of the model, such as changes of its data.
    _further_components: ClassVar[dict[str, str]] = {}
    _param_names: ClassVar[list[str]]

    @classmethod
    def _get_param_names(cls) -> list[str]:
        """Read the signature of a class once, not at every clone and every fit."""
        if "_param_names" not in vars(cls):
            cls._param_names = super()._get_param_names()  # type: ignore[misc]
        return list(cls._param_names)

    def set_params(self, **params: Any) -> Any:
        """Set parameters of this estimator and of its components.

        Parameters
        ----------
        **params
            ``name=value`` or ``component__name=value``. A plain ``component=`` in the
            same call is set first.

        Returns
        -------
        estimator
            The estimator itself.

        Raises
        ------
        ValueError
            If a parameter does not exist; close matches are named.
        """
        self._require_known([key.partition("__")[0] for key in params])
        plain = {k: v for k, v in params.items() if "__" not in k}
        nested = {k: v for k, v in params.items() if "__" in k}
        super().set_params(**plain)  # type: ignore[misc]
        for key in nested:
            owner = key.partition("__")[0]
            self._promote(owner)
        return super().set_params(**nested)  # type: ignore[misc]

    def _require_known(self, names: list[str]) -> None:
        """Raise a ValueError with close matches for a name that does not exist."""
        known = self.get_params(deep=False)  # type: ignore[attr-defined]
        for name in names:
            if name not in known:
                raise ValueError(
                    f"Invalid parameter {name!r} for estimator "
                    f"{type(self).__name__}.{did_you_mean(name, known)} Valid "
                    f"parameters are: {sorted(known)}."
                )

    def _promote(self, owner: str) -> None:
        """Replace the name of a component by a spec of its own."""
        kind = {**self._further_components, **self._components}.get(owner)
        if kind is None:
            return
        value = getattr(self, owner)
        if not isinstance(value, ComponentSpec):
            setattr(self, owner, as_spec(kind, value))
