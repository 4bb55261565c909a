"""Environments and their order: the only code that knows which environment comes before which."""

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise, product
from typing import Any, Literal

from gitops_promotion.errors import UsageError

Requirements = tuple[tuple[str, ...], ...]
"""The environments that must have a tag first: at least one of each inner tuple."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One environment of the configuration.

    `auto`: pull requests into it merge without a person once their checks pass. `after`: the environments before it,
    None for the one above it in the list. `paths` are patterns of its files (empty: the default pattern), `marker` is
    the form of its markers (empty: the default form), see `core/layout.py`. `overrides`: a person may send a promotion
    past its gates, None where the configuration does not say. `rollback_approvals`: a rollback needs the approvals too.
    `auto_rollback`: seconds after which a tag that was never healthy is rolled back, 0 for never. `settings` are those
    of its gates, by the names of `core/gates/table.py`.
    """

    name: str
    auto: bool = False
    after: Requirements | None = None
    paths: tuple[str, ...] = ()
    marker: str = ""
    overrides: bool | None = None
    rollback_approvals: bool = True
    auto_rollback: float = 0.0
    settings: tuple[tuple[str, Any], ...] = ()

    def setting(self, name: str) -> Any:
        """Return the settings of a gate, None if the environment has none."""
        return dict(self.settings).get(name)


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Environments in the order in which a tag passes through them: a graph without cycles and with one entry.

    `environments` keeps the order of the configuration, and is never empty.
    """

    environments: tuple[Environment, ...]

    @cached_property
    def _requirements(self) -> dict[str, Requirements]:
        requirements: dict[str, Requirements] = {}
        above: Requirements = ()
        for environment in self.environments:
            requirements[environment.name] = above if environment.after is None else environment.after
            above = ((environment.name,),)
        return requirements

    @cached_property
    def _by_name(self) -> dict[str, Environment]:
        # The first of a name counts, as the configuration is read even where a name is there twice.
        return {environment.name: environment for environment in reversed(self.environments)}

    @cached_property
    def _sources(self) -> dict[str, tuple[str, ...]]:
        return {
            name: tuple(dict.fromkeys(source for group in requirements for source in group))
            for name, requirements in self._requirements.items()
        }

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all environments, sources before targets, else in the order of the configuration."""
        ordered: dict[str, None] = {}

        def visit(name: str, path: tuple[str, ...]) -> None:
            if name in ordered or name in path or name not in self._requirements:
                return
            for source in self.sources(name):
                visit(source, (*path, name))
            ordered[name] = None

        for environment in self.environments:
            visit(environment.name, ())
        return tuple(ordered)

    @property
    def entry(self) -> Environment:
        """The environment that `new` sets tags in: the first that has no source."""
        return next((e for e in self.environments if not self._requirements[e.name]), self.environments[0])

    def environment(self, name: str) -> Environment:
        """Return the environment of that name. Raises UsageError, which lists the names."""
        if environment := self._by_name.get(name):
            return environment
        names = [environment.name for environment in self.environments]
        near = difflib.get_close_matches(name, names, n=1)
        question = f"did you mean {near[0]}? " if near else ""
        raise UsageError(f"environment {name!r} is not in the configuration: {question}use one of {', '.join(names)}")

    def requirements(self, name: str) -> Requirements:
        """Return which sources must have a tag before it may go into an environment. Raises UsageError."""
        return self._requirements[self.environment(name).name]

    def sources(self, name: str) -> tuple[str, ...]:
        """Return the environments directly before one. Raises UsageError for an unknown name."""
        return self._sources[self.environment(name).name]

    def targets(self, name: str) -> tuple[str, ...]:
        """Return the environments directly behind one."""
        return tuple(target for target in self.names if name in self.sources(target))

    def before(self, name: str) -> tuple[str, ...]:
        """Return all environments before one, directly or not, sources first. Raises UsageError for an unknown name."""
        pending, earlier = list(self.sources(name)), set[str]()
        while pending:
            source = pending.pop()
            if source not in earlier:
                earlier.add(source)
                pending += self.sources(source)
        return tuple(environment for environment in self.names if environment in earlier)

    def behind(self, name: str) -> tuple[str, ...]:
        """Return all environments behind one, directly or not, sources first."""
        return tuple(environment for environment in self.names if name in self.before(environment))

    def steps(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield the sources and the name of each environment that has sources, sources first."""
        for name in self.names:
            if sources := self.sources(name):
                yield sources, name

    def way(self, names: Collection[str]) -> "Pipeline":
        """Return the pipeline of these environments alone.

        A requirement keeps the sources that remain. Where none remains, the neighbours are joined: what the sources
        require takes their place.
        """
        joined: dict[str, Requirements] = {}
        for name in self.names:
            joined[name] = self._joined(name, names, joined)
        return Pipeline(
            environments=tuple(replace(e, after=joined[e.name]) for e in self.environments if e.name in names)
        )

    def _joined(self, name: str, names: Collection[str], joined: Mapping[str, Requirements]) -> Requirements:
        direct: dict[tuple[str, ...], None] = {}
        inherited: dict[tuple[str, ...], None] = {}
        for group in self._requirements[name]:
            if remaining := tuple(source for source in group if source in names):
                direct[remaining] = None
            else:
                inherited |= dict.fromkeys(self._one_of([joined[source] for source in group]))
        for group in list(inherited):
            groups = [*direct, *(inherited_group for inherited_group in inherited if inherited_group != group)]
            # With dev -> us, prod after us needs no dev: every tag in us has been there.
            if any(self._implies(inherited_group, group) for inherited_group in groups):
                del inherited[group]
        return (*direct, *inherited)

    def _one_of(self, alternatives: Sequence[Requirements]) -> list[tuple[str, ...]]:
        """Return the requirements that are met if and only if all those of one alternative are."""
        combinations = (set().union(*parts) for parts in product(*alternatives))
        return list(dict.fromkeys(tuple(name for name in self.names if name in parts) for parts in combinations))

    def _implies(self, group: Iterable[str], implied: Collection[str]) -> bool:
        """Return True if a tag that is in one environment of `group` has been in one of `implied`."""
        return all(self._passed[source] & set(implied) for source in group)

    @cached_property
    def _passed(self) -> dict[str, frozenset[str]]:
        """By environment, where a tag has certainly been when it is there: that one, and those it had to pass."""
        passed: dict[str, frozenset[str]] = {}
        for name in self.names:
            common = (
                frozenset.intersection(*(passed[source] for source in group)) for group in self.requirements(name)
            )
            passed[name] = frozenset({name}).union(*common)
        return passed

    def __str__(self) -> str:
        if all(self.sources(target) == (name,) for name, target in pairwise(self.names)):
            return " -> ".join(self.names)
        targets: dict[Requirements, list[str]] = {}
        for _, target in self.steps():
            targets.setdefault(self._requirements[target], []).append(target)
        return "; ".join(f"{described(group)} -> {', '.join(names)}" for group, names in targets.items())

    @property
    def fault(self) -> str:
        """Why these environments are no pipeline, "" if they are one; the reader reports unknown names."""
        for name in self.names:
            if name in self.sources(name):
                return f"{name} comes after itself: leave it out of its own `after`"
            if name in self.before(name):
                around = " -> ".join(member for member in self.names if member in self.before(name))
                return f"{around} -> {name} is a cycle: take one `after` away"
        entries = [name for name in self.names if not self._requirements[name]]
        if len(entries) != 1:
            return f"{' and '.join(entries) or 'no environment'} would be the entry: exactly one may have no `after`"
        # Without a cycle, all other environments are behind the one entry.
        return ""


Require = Literal["all", "any"]


def described(requirements: Requirements) -> str:
    """Return requirements as words: `eu and us`, or `eu or us`."""
    groups = [" or ".join(group) for group in requirements]
    return " and ".join(f"({group})" if " or " in group and len(groups) > 1 else group for group in groups)


def requirement_mode(requirements: Requirements) -> Require:
    """Return the word for these requirements in the configuration: `any` if one of several sources suffices."""
    return "any" if len(requirements) == 1 and len(requirements[0]) > 1 else "all"
