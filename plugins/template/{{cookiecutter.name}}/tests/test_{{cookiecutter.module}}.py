"""The contract of its kind, by the checks of mlmi_sklearn; add what is special here."""

from mlmi_sklearn import find_component
from mlmi_sklearn.testing import parametrize_with_component_checks

import {{ cookiecutter.module }}


@parametrize_with_component_checks(distribution="{{ cookiecutter.name }}")
def test_contract(component, check):
    check(component)


def test_it_is_found_by_name():
    part = find_component("{{ cookiecutter.kind }}", "{{ cookiecutter.part }}")
    assert part.dist == "{{ cookiecutter.name }}"
    assert part.version == {{ cookiecutter.module }}.__version__
