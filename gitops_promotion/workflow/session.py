"""What every verb works with: the repository, the forge, and the default branch as it was last seen."""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Protocol

from gitops_promotion import ci
from gitops_promotion.ci import CIContext
from gitops_promotion.core import config as configuration
from gitops_promotion.core import deployments, markers
from gitops_promotion.core.commits import Commit, Refs
from gitops_promotion.core.config import Config
from gitops_promotion.core.deployments import Point
from gitops_promotion.core.markers.scan import is_manifest, mentions
from gitops_promotion.core.names import is_name
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ConfigError, GitError
from gitops_promotion.git import Identity, Repository
from gitops_promotion.providers import Connection, Provider, TokenQuery, registry
from gitops_promotion.providers.choose import choose, find_token, git_user

CONFIG_FILE = "gitops-promotion.yaml"

# First guess, second guess, everything: the commit that brought a tag is mostly a recent one.
_HISTORY_STEPS = (200, 2000, 1_000_000)


Application = tuple[str, str]
"""Group, application."""

Key = tuple[str, str, str]
"""Group, application, environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The manifests of one group in one environment."""

    group: str
    environment: str


@dataclass(slots=True, kw_only=True)
class Session:
    """One run of one verb. Everything read from the default branch belongs to `tip`; `refresh` looks again."""

    repository: Repository
    connect: Callable[[Config], Provider]
    context: CIContext
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    note: Callable[[str], None]
    config_file: str = CONFIG_FILE
    dry_run: bool = False

    base: str = field(init=False, default="")
    tip: str = field(init=False, default="")
    refs: Refs = field(init=False, default_factory=lambda: Refs(default_branch="", shas={}))
    _config: Config | None = field(init=False, default=None)
    _provider: Provider | None = field(init=False, default=None)
    _files: dict[Place, dict[str, bytes]] = field(init=False, default_factory=dict)
    _needles: dict[Place, set[str]] = field(init=False, default_factory=dict)
    _heads: dict[str, str] = field(init=False, default_factory=dict)
    _entries: dict[tuple[tuple[str, ...], int], list[Commit]] = field(init=False, default_factory=dict)
    _blobs: dict[str, bytes] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Look at the remote again; forgets what was read of an older tip. Raises GitError."""
        self.refs = self.repository.refs("refs/heads/*")
        self.base = self.refs.default_branch
        if not self.base or self.refs.branch(self.base) is None:
            raise GitError(
                f"the remote {self.repository.url} has no default branch: push one and point the remote's HEAD at it "
                "(`git symbolic-ref HEAD refs/heads/main` there, or the forge's settings)"
            )
        ref = f"refs/heads/{self.base}"
        tip = self.tip
        self._heads = {}
        if self.refs.shas[ref] != tip:
            self.tip = self.repository.fetch(ref)[ref]
        if self.tip != tip:
            self._config = None
            self._files = {}
            self._needles = {}
            self._entries = {}

    @property
    def config(self) -> Config:
        """The configuration at the tip, never a pull request's own. Raises ConfigError."""
        if self._config is None:
            content = self.repository.read(self.tip, [self.config_file]).get(self.config_file)
            if content is None:
                raise ConfigError(
                    f"{self.config_file}: not found on the branch {self.base}: add it there with at least "
                    "`environments:` in promotion order (docs/configuration.md)"
                )
            self._config = configuration.parse(content, self.config_file)
            if author := self._config.commit_author:
                self.repository.identity = Identity(name=author[0], email=author[1])
        return self._config

    @property
    def provider(self) -> Provider:
        """The forge, connected when it is first needed."""
        if self._provider is None:
            self._provider = self.connect(self.config)
        return self._provider

    @property
    def publishes(self) -> bool:
        """True where a verdict has to be published; False without a configuration, hence without a promotion."""
        try:
            return self.provider.publishes
        except ConfigError:
            return False

    def applications(self) -> list[Application]:
        """Return every (group, application) with a marker anywhere on the default branch, all manifests read."""
        contents = self.repository.read(self.tip, self.repository.grep(self.tip, []))
        found = sorted((g, a) for g, a in markers.applications(contents) if is_name(g) and is_name(a))
        for group in {group for group, _ in found}:
            for environment in self.config.environments:
                self._keep(Place(group=group, environment=environment.name), contents, set())
        return found

    def read_marked(self, places: Iterable[Place], needles: Iterable[str]) -> None:
        """Read the manifests of these places that carry one of the markers (any, without needles), all in one go."""
        wanted = set(needles)
        missing = {place for place in places if not self._has_read(place, wanted)}
        if not missing:
            return
        # What was read of a place before is read along: the answer replaces it.
        known = wanted and wanted.union(*(self._needles.get(place, set()) for place in missing))
        folders = {self.config.path(place.group, place.environment) for place in missing}
        contents = self.repository.read(self.tip, self.repository.grep(self.tip, sorted(known), sorted(folders)))
        for place in missing:
            self._keep(place, contents, known)

    def _keep(self, place: Place, contents: Mapping[str, bytes], needles: set[str]) -> None:
        folder = self.config.path(place.group, place.environment) + "/"
        self._files[place] = {path: text for path, text in contents.items() if path.startswith(folder)}
        self._needles[place] = needles

    def _has_read(self, place: Place, wanted: set[str]) -> bool:
        if place not in self._needles:
            return False
        return not self._needles[place] or bool(wanted and wanted <= self._needles[place])

    def read_applications(self, keys: Iterable[Key]) -> None:
        """Read these applications' manifests, and those of others whose promotions would have the same branch (B32)."""
        places: set[Place] = set()
        needles: set[str] = set()
        for group, app, environment in keys:
            places.add(Place(group=group, environment=environment))
            needles.add(f"{group}:{app}")
            for rival_group, rival in self.config.rivals(group, app, environment):
                places |= {Place(group=rival_group, environment=known.name) for known in self.config.environments}
                needles.add(f"{rival_group}:{rival}")
        self.read_marked(places, needles)

    def rivals(self, key: Key) -> list[str]:
        """Return the other applications, of those `read_applications` looked for, that would share its branch."""
        return [
            f"{group}/{app}"
            for group, app in self.config.rivals(*key)
            if any(
                mentions(text, group, app)
                for known in self.config.environments
                for text in self._files.get(Place(group=group, environment=known.name), {}).values()
            )
        ]

    def files(self, group: str, environment: str) -> Mapping[str, bytes]:
        """Return the manifests that `read_marked` found there."""
        return self._files[Place(group=group, environment=environment)]

    def fetch_branches(self, names: Iterable[str]) -> None:
        """Fetch those of these branches that the remote has, in one go; `branch` knows them then."""
        wanted = [
            f"refs/heads/{name}" for name in sorted(set(names)) if self.refs.branch(name) and name not in self._heads
        ]
        if wanted:
            fetched = self.repository.fetch(*wanted)
            self._heads |= {ref.removeprefix("refs/heads/"): sha for ref, sha in fetched.items()}

    def branch(self, name: str) -> str | None:
        """Return a branch's commit, fetched; None if the remote has no such branch."""
        self.fetch_branches([name])
        return self._heads.get(name)

    def blobs(self, oids: Iterable[str | None]) -> Mapping[str, bytes]:
        """Return the contents of these objects, None ignored."""
        missing = sorted({oid for oid in oids if oid is not None} - self._blobs.keys())
        self._blobs.update(self.repository.read_objects(missing))
        return self._blobs

    def entries(self, places: Iterable[Place], limit: int) -> list[Commit]:
        """Return the default branch's first-parent history with its changes to these places, contents at hand."""
        folders = tuple(sorted({self.config.path(place.group, place.environment) for place in places}))
        if (folders, limit) in self._entries:
            return self._entries[folders, limit]
        entries = self.repository.history(self.tip, folders, limit)
        self._entries[folders, limit] = entries
        changes = (c for entry in entries for c in entry.changes if is_manifest(c.path))
        self.blobs(oid for change in changes for oid in (change.old, change.new))
        return entries

    def timelines(
        self, wanted: Mapping[Key, Tag], also: Iterable[Key], places: Iterable[Place], *, before: int = 0
    ) -> dict[Key, list[Point]]:
        """Return these applications' timelines, read back until the arrival of each wanted tag is known, if it can be.

        `before` asks for that many older commits too. A tag that is not there at all is looked for in the first step.
        `places` is what the history is limited to; the same places at the same tip cost one reading.
        """
        places = list(places)
        points: dict[Key, list[Point]] = {}
        for limit in _HISTORY_STEPS:
            while True:
                entries = self.entries(places, limit)
                points = {key: self.points(entries, key) for key in (*wanted, *also)}
                stays = [deployments.stay(points[key], tag) for key, tag in wanted.items()]
                if all(stay is None or (stay.arrival and len(stay.before) >= before) for stay in stays):
                    return points
                if len(entries) >= limit or not self._deepen(limit):
                    break
            if len(entries) < limit:
                break
        return points

    def points(self, entries: Sequence[Commit], key: Key) -> list[Point]:
        """Return an application's timeline in an environment over a history from `entries`."""
        group, app, environment = key
        folder = self.config.path(group, environment)
        return deployments.timeline(
            entries, self.files(group, environment), self._blobs, folder=folder, group=group, app=app
        )

    def _deepen(self, depth: int) -> bool:
        if not self.repository.shallow or not self.repository.deepen(depth):
            return False
        self._entries = {}
        return True


class Log(Protocol):
    """Where a session says what it does."""

    def note(self, text: str) -> None:
        """Say one thing worth knowing."""

    def detail(self, text: str) -> None:
        """Say what only a closer look wants."""

    def hide(self, secret: str, *, made: bool) -> None:
        """Never show a secret; `made`: in this run."""


@contextmanager
def open_session(
    sourcedir: Path,
    *,
    provider: str,
    token: str,
    api_url: str,
    dry_run: bool,
    environ: Mapping[str, str],
    terminal: Log,
) -> Iterator[Session]:
    """Open the repository of a checkout and look at its remote; everything temporary is gone afterwards.

    Raises UsageError, ConfigError, GitError, ProviderError.
    """
    runner = ci.runner(environ)
    context = runner.context(environ, lambda path: Path(path).read_text(encoding="utf-8"))

    @cache
    def found(url: str) -> Callable[[], str]:
        query = TokenQuery(url=url, api_url=api_url, environ=environ, now=_now, sleep=time.sleep)
        return find_token(query, option=provider)

    def token_for(url: str) -> str:
        if token:
            return token
        now = found(url)()
        terminal.hide(now, made=now not in environ.values())
        return now

    def git_user_for(url: str) -> str:
        return git_user(url, option=provider, environ=environ)

    with Repository.open(
        sourcedir, token=token_for, user=git_user_for, environ=environ, trust=bool(runner.NAME)
    ) as repository:

        def connect(config: Config) -> Provider:
            choice = choose(repository.url, option=provider, configured=config.provider, environ=environ)
            connection = Connection(
                store=repository,
                url=repository.url,
                token=lambda: token_for(repository.url),
                author=repository.author,
                environ=environ,
                now=_now,
                sleep=time.sleep,
                nonce=lambda: secrets.token_hex(8),
                api_url=api_url,
                merge_method=config.merge_method,
                check_run_apps=config.check_run_apps,
                branch_prefix=config.branch_prefix,
            )
            connected = registry.connect(choice.name, connection)
            terminal.note(f"provider {choice.name} ({choice.reason})")
            return connected

        yield Session(
            repository=repository,
            connect=connect,
            context=context,
            monotonic=time.monotonic,
            sleep=time.sleep,
            note=terminal.note,
            dry_run=dry_run,
        )
        terminal.detail(f"{repository.commands} git commands")


def _now() -> datetime:
    return datetime.now(UTC)
