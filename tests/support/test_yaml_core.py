"""The reader of the examples reads what ruamel.yaml reads."""

import pytest
from ruamel.yaml import YAML

from tests.support.yaml_core import load


def test_values_are_those_of_the_core_schema() -> None:
    words = ["on", "off", "yes", "true", "True", "FALSE", "tRue", "~", "null", "true-ish", "' 1'", "a#b"]
    numbers = ["0", "1", "-12", "+3", "12a", "1:30", "v1.2"]
    text = (
        "on:\n" + "".join(f"- {scalar}\n" for scalar in words + numbers) + "x: |\n  a\n  b\ny: &y {k: [1, b]}\nz: *y\n"
    )
    assert repr(load(text)) == repr(YAML(typ="safe", pure=True).load(text))


def test_a_key_that_is_there_twice_is_an_error() -> None:
    with pytest.raises(AssertionError, match="twice"):
        load("a: {b: 1, b: 2}\n")
