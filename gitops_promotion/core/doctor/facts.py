"""What was read on the forge's side, and the form of the questions about it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gitops_promotion.core.checks.finding import Level, Problem
from gitops_promotion.core.checks.tree import Tree
from gitops_promotion.core.config import Config
from gitops_promotion.core.forge import CommitStatus, ForgeSettings


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What was read. `tree` has the YAML files of the checkout, `files` the others that matter, by path.

    `statuses` are those of the newest `commits` commits of the default branch, None where the forge gave none, with the
    reason in `problem`. `is_required`: the forge waits for the published verdict, None where that could not be told.
    `server` are the settings of a remote that is a path, None for others. `settings` are the forge's, None where they
    were not asked for. `teams` says of each group why its members cannot be read, "" where they can. `push_refusal` is
    why the remote accepts no branch from this token, "" where it does. `signs`: new commits have a signature.
    """

    forge: str
    repository: str
    base: str
    config: Config
    tree: Tree
    files: Mapping[str, bytes] = field(default_factory=dict)
    statuses: Sequence[CommitStatus] | None = None
    commits: int = 0
    problem: str = ""
    is_required: bool | None = None
    server: Mapping[str, str] | None = None
    settings: ForgeSettings | None = None
    teams: Mapping[str, str] = field(default_factory=dict)
    push_refusal: str = ""
    signs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One question: the code, the level, the heading of its section in `docs/checks.md`, and what answers it."""

    code: str
    level: Level
    title: str
    find: Callable[[Facts], Iterator[Problem]]


def problem_at(facts: Facts, message: str, fix: str, environment: str = "") -> Problem:
    """Return a problem at an environment of the configuration, or at its first line."""
    line = facts.tree.config_lines.of_environment(environment) if environment else 1
    return Problem(path=facts.tree.config_file, line=line, message=message, fix=fix)
