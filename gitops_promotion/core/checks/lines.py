"""The lines of the configuration's entries, for findings that are about an environment, a key or an application."""

from dataclasses import dataclass, field
from typing import Self

from gitops_promotion.core.config.document import Document, Node, line_of
from gitops_promotion.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigLines:
    """Lines, counted from 1: of top-level keys, environments by name, and groups and applications by their names."""

    keys: dict[str, int] = field(default_factory=dict)
    environments: dict[str, int] = field(default_factory=dict)
    groups: dict[tuple[str, ...], int] = field(default_factory=dict)

    @classmethod
    def parse(cls, source: bytes, file: str) -> Self:
        """Return the lines of a configuration, none for a text that is not YAML."""
        lines = cls()
        try:
            root = Document.parse(source, file).root
        except ConfigError:
            return lines
        for key, line, node in _entries(root):
            lines.keys.setdefault(key, line)
            if key == "environments" and node.id == "sequence":
                for item in node.value:
                    names = (value.value for name, _, value in _entries(item) if name == "name")
                    lines.environments.setdefault(str(next(names, "")), line_of(item))
            if key == "groups":
                lines._add_groups(node)
        return lines

    def _add_groups(self, groups: Node) -> None:
        for group, line, settings in _entries(groups):
            self.groups[group,] = line
            for key, _, applications in _entries(settings):
                for name, application_line, _ in _entries(applications) if key == "applications" else ():
                    self.groups[group, name] = application_line

    def of_key(self, key: str) -> int:
        """Return the line of a top-level key, 1 if it is not there."""
        return self.keys.get(key, 1)

    def of_environment(self, name: str) -> int:
        """Return the line of an environment, 1 if it is not there."""
        return self.environments.get(name, 1)

    def of_group(self, group: str, application: str = "") -> int:
        """Return the line of a group or of its application, 1 if it is not there."""
        return self.groups.get((group, application) if application else (group,), 1)


def item_lines(source: bytes, file: str, key: str) -> list[int]:
    """Return the lines of the items of a list below a top-level key; none of a text that is not YAML."""
    try:
        root = Document.parse(source, file).root
    except ConfigError:
        return []
    lists = [node for name, _, node in _entries(root) if name == key and node.id == "sequence"]
    return [line_of(item) for node in lists for item in node.value]


def _entries(node: Node) -> list[tuple[str, int, Node]]:
    """Return key, line and value of a mapping's entries; none for another node."""
    if node.id != "mapping":
        return []
    return [(str(key.value), line_of(key), value) for key, value in node.value if key.id == "scalar"]
