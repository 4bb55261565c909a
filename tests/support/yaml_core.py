"""YAML read by its core schema, as GitHub and Azure DevOps read it: `on` is a text, and so is `010`.

libyaml takes a twentieth of the time of ruamel.yaml, and its reader here takes the same values from what tests read.
"""

import re
from typing import Any

import yaml

_OLD = {f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "float")}


class _Loader(yaml.CSafeLoader):  # type: ignore[misc]  # yaml has no types
    """A reader without the words and numbers of YAML 1.1, that takes no key twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        mapping = super().construct_mapping(node, deep=deep)
        assert len(mapping) == len(node.value), f"a key is there twice:\n{node.start_mark}"
        return mapping


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _OLD]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("(?:true|True|TRUE|false|False|FALSE)$"), [*"tTfF"])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?(?:0|[1-9][0-9]*)$"), [*"-+0123456789"])


def load(text: str) -> Any:
    """Return the one document of a text."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506  a safe one
