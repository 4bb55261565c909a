"""The pipeline as a picture: what each environment's patterns find, and what comes before and behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitops_promotion.core.config import Config
from gitops_promotion.core.environments import Require, Requirements, requirement_mode
from gitops_promotion.core.names import Application


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One environment: its place in the pipeline, and the files and applications that its patterns find."""

    name: str
    auto: bool
    requirements: Requirements
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    patterns: tuple[str, ...]
    markers: tuple[str, ...]
    files: tuple[str, ...] = ()
    applications: tuple[Application, ...] = ()

    @property
    def require(self) -> Require:
        """`any` where one of several sources suffices."""
        return requirement_mode(self.requirements)


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The environments, sources before targets. `errors` are the reasons for which `promote --all` would fail."""

    pipeline: str
    entry: str
    environments: tuple[Node, ...]
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """2 with an error, as for `promote --all`, else 0."""
        return 2 if self.errors else 0


def draw(
    config: Config,
    files: Mapping[str, Sequence[str]],
    applications: Mapping[str, Sequence[Application]],
    *,
    errors: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> Graph:
    """Return the graph of a configuration; `files` (paths) and `applications` are by environment."""
    pipeline, layout = config.pipeline, config.layout
    nodes = (
        Node(
            name=name,
            auto=pipeline.environment(name).auto,
            requirements=pipeline.requirements(name),
            sources=pipeline.sources(name),
            targets=pipeline.targets(name),
            patterns=layout.filled_patterns(name),
            markers=(layout.filled_marker(name),),
            files=tuple(files.get(name, ())),
            applications=tuple(applications.get(name, ())),
        )
        for name in pipeline.names
    )
    return Graph(
        pipeline=str(pipeline),
        entry=pipeline.entry.name,
        environments=tuple(nodes),
        errors=tuple(errors),
        warnings=tuple(warnings),
    )
