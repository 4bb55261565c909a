"""Which markers belong to which environment: patterns of files and forms of markers.

A pattern names folders, or files where it ends in `.yaml` or `.yml`. `{group}`, `{app}` and `{env}` stand for names,
`*` for text within one segment, `**` for any number of segments. The keys are those of `docs/configuration.md`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from gitops_promotion.core.branch_names import fill, template_problem
from gitops_promotion.core.environments import Environment
from gitops_promotion.core.names import Application, Site, is_name
from gitops_promotion.errors import UsageError

PATH = "{group}/{env}"
MARKER = "{group}:{app}"

_FILE_ENDINGS = (".yaml", ".yml")
_MANIFESTS = ("*.yaml", "*.yml", "Kustomization")
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_TOKEN = re.compile(r"\{(group|app|env|file)\}|\*\*/|\*")
_ANY_FILE = "{file}"
_WILDCARDS = 3


@dataclass(frozen=True, slots=True, order=True)
class MarkerName:
    """The two parts of a marker as they are written: `{"$imagepolicy": "group:app"}`."""

    group: str
    app: str

    def __str__(self) -> str:
        return f"{self.group}:{self.app}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The patterns and marker forms of all environments; the defaults are those of the configuration's top level."""

    environments: tuple[Environment, ...]
    path: str = PATH
    marker: str = MARKER

    def claims(self, path: str, name: MarkerName) -> tuple[Site, ...]:
        """Return the sites that a marker of this name in this file belongs to: one or none; several are a fault."""
        claims: dict[Site, None] = {}
        for environment in self.environments:
            bound = _marker_bindings(self.marker_form(environment.name), environment.name, name)
            if bound is None:
                continue
            for pattern in self.patterns(environment.name):
                names = _path_bindings(pattern, environment.name, path, bound)
                if names is None:
                    continue
                application = Application(names.get("group", name.group), names.get("app", name.app))
                if is_name(application.group) and is_name(application.name):
                    claims[Site(application, environment.name)] = None
        return tuple(claims)

    def patterns(self, environment: str) -> tuple[str, ...]:
        """Return the path patterns of an environment, with their placeholders."""
        return self._environment(environment).paths or (self.path,)

    def marker_form(self, environment: str) -> str:
        """Return the form of an environment's markers, with its placeholders."""
        return self._environment(environment).marker or self.marker

    def filled_patterns(self, environment: str) -> tuple[str, ...]:
        """Return the path patterns of an environment with its name put in."""
        return tuple(fill(pattern, env=environment) for pattern in self.patterns(environment))

    def filled_marker(self, environment: str) -> str:
        """Return the form of an environment's markers with its name put in."""
        return fill(self.marker_form(environment), env=environment)

    def forms_in(self, path: str, environment: str) -> list[str]:
        """Return the forms of an environment's markers in one file, with the names that the path gives."""
        form = self.marker_form(environment)
        bindings = [_path_bindings(pattern, environment, path, {}) for pattern in self.patterns(environment)]
        forms = [fill(form, **{**names, "env": environment}) for names in bindings if names is not None]
        return list(dict.fromkeys(forms))

    def path_key(self, environment: str) -> str:
        """Return the key of the configuration that has an environment's path patterns."""
        return self.own_key(environment, "path") if self._environment(environment).paths else "pathTemplate"

    def marker_key(self, environment: str) -> str:
        """Return the key of the configuration that has the form of an environment's markers."""
        return self.own_key(environment, "marker") if self._environment(environment).marker else "markerTemplate"

    def own_key(self, environment: str, key: str) -> str:
        """Return the full name of a key of one environment, such as `environments[1].path`."""
        names = [candidate.name for candidate in self.environments]
        return f"environments[{names.index(environment)}].{key}"

    def with_environment(self, environment: Environment) -> "Layout":
        """Return the layout in which this environment replaces the one of the same name."""
        return replace(
            self,
            environments=tuple(environment if e.name == environment.name else e for e in self.environments),
        )

    def marker_name(self, application: Application, environment: str) -> MarkerName:
        """Return the name that an application's markers have in an environment."""
        form = fill(self.marker_form(environment), group=application.group, app=application.name, env=environment)
        group, _, app = form.partition(":")
        return MarkerName(group, app)

    def holds(self, path: str, application: Application, environment: str) -> bool:
        """Return True if a file of this path may have the application's markers of an environment."""
        names = {"group": application.group, "app": application.name}
        return any(
            _path_bindings(pattern, environment, path, names) is not None for pattern in self.patterns(environment)
        )

    def holds_group(self, path: str, group: str, environment: str) -> bool:
        """Return True if a file of this path may have markers of a group's applications in an environment."""
        patterns = self.patterns(environment)
        return any(_path_bindings(pattern, environment, path, {"group": group}) is not None for pattern in patterns)

    def in_reach(self, path: str) -> tuple[str, ...]:
        """Return the environments whose patterns match a path, whatever names its markers have."""
        return tuple(
            environment.name
            for environment in self.environments
            if any(_compiled(pattern, environment.name).fullmatch(path) for pattern in self.patterns(environment.name))
        )

    def names_in(self, path: str, environment: str) -> Mapping[str, str] | None:
        """Return the names in a path for the placeholders of an environment, None if no pattern of it matches."""
        bindings = (_path_bindings(pattern, environment, path, {}) for pattern in self.patterns(environment))
        return next((names for names in bindings if names is not None), None)

    def pathspecs(self, application: Application | None, environments: Iterable[str]) -> list[str]:
        """Return git's pathspecs of the manifests of an application (None: of all) in these environments."""
        names = {"group": application.group, "app": application.name} if application else {}
        return self._pathspecs(names, environments)

    def group_pathspecs(self, group: str, environment: str) -> list[str]:
        """Return git's pathspecs of the manifests of all applications of a group in an environment."""
        return self._pathspecs({"group": group}, [environment])

    def _pathspecs(self, names: Mapping[str, str], environments: Iterable[str]) -> list[str]:
        specs: dict[str, None] = {}
        for environment in environments:
            for pattern in self.patterns(environment):
                specs |= dict.fromkeys(_pathspecs(pattern, {**names, "env": environment}))
        return list(specs)

    def where(self, application: Application, environment: str) -> str:
        """Return the patterns of an application's files in an environment, for messages."""
        names = {"group": application.group, "app": application.name, "env": environment}
        return " or ".join(fill(pattern, **names) for pattern in self.patterns(environment))

    def folder(self, application: Application, environment: str) -> str:
        """Return the one folder of an application in an environment, without a final slash.

        Raises UsageError if the patterns name files or may name several folders.
        """
        names = {"group": application.group, "app": application.name, "env": environment}
        folders = [fill(pattern, **names) for pattern in self.patterns(environment)]
        if len(folders) != 1 or is_file_pattern(folders[0]) or "*" in folders[0]:
            raise UsageError(
                f"a feature needs one folder of {application} in {environment}, and the path of {environment} is "
                f"{' or '.join(self.patterns(environment))}: give {environment} one folder as its path, such as {PATH}"
            )
        return folders[0]

    def _environment(self, name: str) -> Environment:
        return next(environment for environment in self.environments if environment.name == name)


def is_file_pattern(pattern: str) -> bool:
    """Return True if a pattern names files, False if it names folders."""
    return pattern.endswith(_FILE_ENDINGS)


def path_problem(text: str) -> str:
    """Return the problem with a path pattern, "" if there is none."""
    if problem := template_problem(text, ("group", "app", "env"), ()):
        return problem
    segments = text.split("/")
    if not segments[0]:
        return f"it must be relative to the repository's root, such as {PATH}"
    if "\\" in text or any(part in ("", ".", "..") or part.lower() == ".git" for part in segments):
        return f"it must not have empty, '.', '..' or '.git' parts, nor a backslash; write it as {PATH}"
    if any("**" in part and part != "**" for part in segments):
        return "`**` must be a segment of its own, such as components/**/{env}"
    # Each wildcard multiplies the ways in which a path can be read, and a pull request chooses the paths.
    if segments.count("**") > _WILDCARDS or any(part != "**" and part.count("*") > _WILDCARDS for part in segments):
        return f"it must not have more than {_WILDCARDS} `**`, nor more than {_WILDCARDS} `*` in one segment"
    return ""


def marker_problem(text: str) -> str:
    """Return the problem with the form of markers, "" if there is none."""
    if problem := template_problem(text, ("group", "app", "env"), ()):
        return problem
    parts = fill(text, group="g", app="a", env="e").split(":")
    if len(parts) != 2 or not all(map(is_name, parts)):
        return f"it must be two names with a colon between them, without :tag, such as {MARKER} or flux-system:{{app}}"
    return ""


def _marker_bindings(form: str, environment: str, name: MarkerName) -> Mapping[str, str] | None:
    """Return the names that a marker gives to the placeholders of a form, None if it does not fit."""
    match = _expression(form, environment).fullmatch(str(name))
    return match.groupdict() if match else None


def _path_bindings(
    pattern: str, environment: str, path: str, fixed_names: Mapping[str, str]
) -> Mapping[str, str] | None:
    """Return the names in a path for its placeholders, and the fixed names; None if the path does not match them."""
    match = _compiled(pattern, environment).fullmatch(path)
    if match is None:
        return None
    names = match.groupdict()
    if all(names[key] == name for key, name in fixed_names.items() if key in names):
        return {**names, **fixed_names}
    # Two placeholders in one segment can be read in several ways: `{group}-{app}.yaml`.
    used = {key: name for key, name in fixed_names.items() if f"{{{key}}}" in pattern}
    match = _compiled(fill(pattern, **used), environment).fullmatch(path)
    return {**match.groupdict(), **fixed_names} if match else None


def _compiled(pattern: str, environment: str) -> re.Pattern[str]:
    return _expression(_files(pattern), environment)


def _files(pattern: str) -> str:
    """Return the pattern of the files that a pattern names; for a folder, all files in it at any depth."""
    if is_file_pattern(pattern):
        return pattern
    folder = f"{pattern}/".removesuffix("**/")
    return f"{folder}**/{_ANY_FILE}"


@lru_cache(maxsize=4096)
def _expression(text: str, environment: str) -> re.Pattern[str]:
    """Return the regular expression of a template; a placeholder that occurs twice has one value."""
    pieces: list[str] = []
    names: set[str] = set()
    end = 0
    for match in _TOKEN.finditer(text):
        pieces.append(re.escape(text[end : match.start()]))
        end = match.end()
        placeholder = match[1]
        if match[0] == "**/":
            pieces.append("(?:[^/]+/)*")
        elif placeholder is None:
            pieces.append("[^/]*")
        elif placeholder == "file":
            pieces.append("[^/]+")
        elif placeholder == "env":
            pieces.append(re.escape(environment))
        else:
            pieces.append(f"(?P={placeholder})" if placeholder in names else f"(?P<{placeholder}>{_NAME})")
            names.add(placeholder)
    return re.compile("".join([*pieces, re.escape(text[end:])]))


def _pathspecs(pattern: str, names: Mapping[str, str]) -> Iterator[str]:
    """Yield git's pathspecs of a pattern: `*` for a name that is not given."""
    for file in ("",) if is_file_pattern(pattern) else _MANIFESTS:
        text = _files(pattern)
        pieces: list[str] = []
        end = 0
        for match in _TOKEN.finditer(text):
            pieces.append(_literal(text[end : match.start()]))
            end = match.end()
            if match[1] == "file":
                pieces.append(file)
            else:
                pieces.append(match[0] if match[1] is None else _literal(names.get(match[1], "")) or "*")
        yield ":(glob)" + "".join([*pieces, _literal(text[end:])])


def _literal(text: str) -> str:
    return re.sub(r"([*?\[\\])", r"\\\1", text)
