"""A family of parts, from a distribution that is really there."""

from __future__ import annotations

import textwrap

import pytest

ZOO = """
    from mlmi_sklearn.components import hookimpl

    @hookimpl
    def mlmi_register_backbones(register):
        register(
            "zoo:*",
            "zoo_models:factory_of",
            summary="Any network of the zoo.",
            tags={"input": "vector", "members": ("ape",)},
            example={"input_shape": (5,)},
        )
"""

MODELS = """
    from torch import nn

    from mlmi_sklearn.components import did_you_mean
    from mlmi_sklearn.exceptions import ComponentNotFoundError

    WIDTHS = {"ape": 3, "bear": 7}

    class Animal(nn.Linear):
        def __init__(self, input_shape, width):
            super().__init__(input_shape[0], width)

        def forward(self, x):
            return super().forward(x).tanh()

    def factory_of(name):
        if name not in WIDTHS:
            raise ComponentNotFoundError(
                f"the zoo has no {name!r}.{did_you_mean(name, WIDTHS)}"
            )

        def build(input_shape, width=WIDTHS[name]):
            return Animal(input_shape, width)

        return build
"""


@pytest.fixture
def zoo(install, tmp_path):
    """Install the plugin, and the module with its networks."""
    install("mlmi-zoo", ZOO)
    (tmp_path / "zoo_models.py").write_text(textwrap.dedent(MODELS))


def test_listing_imports_no_network(zoo, run):
    done = run(
        """
        import sys
        from mlmi_sklearn import list_components, list_plugins
        part, = [p for p in list_components("backbone") if p.dist == "mlmi-zoo"]
        print(part.name, part.is_family, {"zoo_models", "torch"} & {*sys.modules})
        """
    )
    assert done.stdout == "zoo:* True set()\n", done.stderr


def test_members_are_parts_like_others(zoo, run):
    # In one process: to import torch takes longer than all the rest.
    done = run(
        """
        import pickle, warnings
        import numpy as np
        from mlmi_sklearn import NetClassifier, load, save
        from mlmi_sklearn.testing import check_plugin
        from sklearn.model_selection import GridSearchCV

        warnings.simplefilter("error")
        X = np.random.default_rng(0).normal(size=(20, 5)).astype("float32")
        y = (X[:, 0] > 0).astype(int)
        model = NetClassifier(max_epochs=1, random_state=0)
        grid = [
            {"backbone": ["mlp", "mlmi-zoo:zoo:bear"]},
            {"backbone": ["zoo:bear"], "backbone__width": [4]},
        ]
        search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
        print(len(search.cv_results_["params"]))

        model.set_params(backbone="zoo:bear", backbone__width=4).fit(X, y)
        save(model, "model.mlmi")
        for twin in (pickle.loads(pickle.dumps(model)), load("model.mlmi")):
            same = (twin.predict_proba(X) == model.predict_proba(X)).all()
            print(twin.net_.module_.backbone.out_features, same)

        try:
            NetClassifier(backbone="zoo:baer").fit(X, y)
        except ValueError as error:
            print(error)

        results = check_plugin("mlmi-zoo")
        print(*sorted({f"{r.subject} {r.status}" for r in results}), sep="; ")
        """
    )
    assert done.stdout.splitlines() == [
        "3",
        "4 True",
        "4 True",
        "the zoo has no 'baer'. Did you mean 'bear'?",
        "backbone 'zoo:ape' of 'mlmi-zoo' passed",
    ], done.stderr
