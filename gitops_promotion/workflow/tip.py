"""The tip of the default branch as it was last read: configuration, marked files, branches and history."""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from gitops_promotion.core import config as configuration
from gitops_promotion.core import deployments, strays
from gitops_promotion.core.changes import changed_tags
from gitops_promotion.core.commits import Commit, Refs
from gitops_promotion.core.config import Config
from gitops_promotion.core.deployments import TagAt
from gitops_promotion.core.layout import MarkerName
from gitops_promotion.core.markers import is_manifest, mentions, read_tag, scan
from gitops_promotion.core.names import Application
from gitops_promotion.core.strays import Stray
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ConfigError, GitError, ManifestError, RefGoneError
from gitops_promotion.git import Identity, Repository

CONFIG_FILE = "gitops-promotion.yaml"

# First guess, second guess, everything: the commit that brought a tag is mostly a recent one.
_HISTORY_STEPS = (200, 2000, 1_000_000)
# More pathspecs than this are slower for git than the whole history, and too long for a command line at some point.
_MAX_PATHSPECS = 300
# Names in a file that does not parse: good enough to say whose file it is.
_MARKER_NAME = re.compile(rb'"\$imagepolicy"\s*:\s*"([A-Za-z0-9._-]+):([A-Za-z0-9._-]+)')


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """One application in one environment."""

    application: Application
    environment: str


@dataclass(slots=True, kw_only=True)
class Tip:
    """Everything that was read of the default branch belongs to the commit `sha`; `refresh` reads the remote again."""

    repository: Repository
    config_file: str = CONFIG_FILE

    base: str = field(init=False, default="")
    sha: str = field(init=False, default="")
    refs: Refs = field(init=False, default_factory=lambda: Refs(default_branch="", shas={}))
    _config: Config | None = field(init=False, default=None)
    _files: dict[Site, dict[str, bytes]] = field(init=False, default_factory=dict)
    _conflicts: dict[Application, ManifestError] = field(init=False, default_factory=dict)
    _strays: set[Stray] = field(init=False, default_factory=set)
    _indexed: set[str] = field(init=False, default_factory=set)
    _read: set[Site] = field(init=False, default_factory=set)
    _read_all: bool = field(init=False, default=False)
    _heads: dict[str, str] = field(init=False, default_factory=dict)
    _history: dict[tuple[tuple[str, ...], int], list[Commit]] = field(init=False, default_factory=dict)
    _blobs: dict[str, bytes] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Read the remote again; forgets everything of an older tip. Raises GitError."""
        self.refs = self.repository.refs("refs/heads/*")
        self.base = self.refs.default_branch
        if not self.base or self.refs.branch(self.base) is None:
            raise GitError(
                f"the remote {self.repository.url} has no default branch: push one and point the remote's HEAD at it "
                "(`git symbolic-ref HEAD refs/heads/main` there, or the forge's settings)"
            )
        ref = f"refs/heads/{self.base}"
        sha = self.sha
        self._heads = {}
        if self.refs.shas[ref] != sha:
            self.sha = self.repository.fetch(ref)[ref]
        if self.sha != sha:
            self._config = None
            self._forget_files()
            self._history = {}

    def _forget_files(self) -> None:
        self._files = {}
        self._conflicts = {}
        self._strays = set()
        self._indexed = set()
        self._read = set()
        self._read_all = False

    # -- the configuration

    @property
    def config(self) -> Config:
        """The configuration at the tip, never that of a pull request. Raises ConfigError."""
        if self._config is None:
            content = self.repository.read(self.sha, [self.config_file]).get(self.config_file)
            if content is None:
                raise ConfigError.at(
                    self.config_file,
                    0,
                    f"not found on the branch {self.base}: add it there with at least "
                    "`environments:` in promotion order (docs/configuration.md)",
                )
            self._config = configuration.parse(content, self.config_file)
            if author := self._config.commit_author:
                self.repository.identity = Identity(name=author[0], email=author[1])
        return self._config

    @property
    def has_config(self) -> bool:
        """True if the tip has a valid configuration."""
        try:
            return bool(self.config)
        except ConfigError:
            return False

    # -- marked files

    def read_all(self) -> None:
        """Read every marked file of the tree, in one go."""
        if not self._read_all:
            self._index(self.repository.read(self.sha, self.repository.grep(self.sha, [])), ())
            self._read_all = True

    def read(self, sites: Iterable[Site]) -> None:
        """Read the files with these applications' markers, in one go, and of the applications that share a branch."""
        if self._read_all:
            return
        requested = set(sites)
        for site in list(requested):
            for other in self.config.collisions(site.application, site.environment):
                requested |= {Site(other, name) for name in self.config.pipeline.names}
        missing = sorted(requested - self._read)
        if not missing:
            return
        layout = self.config.layout
        names = {str(layout.marker_name(site.application, site.environment)) for site in missing}
        specs: dict[str, None] = {}
        for site in missing:
            specs |= dict.fromkeys(layout.pathspecs(site.application, [site.environment]))
        if len(specs) > _MAX_PATHSPECS:
            specs = dict.fromkeys(layout.pathspecs(None, self.config.pipeline.names))
        self._index(self.repository.read(self.sha, self.repository.grep(self.sha, sorted(names), list(specs))), missing)
        self._read.update(missing)

    def _index(self, contents: Mapping[str, bytes], sites: Iterable[Site]) -> None:
        """Note which application and environment each file belongs to; every file is scanned once a tip."""
        for path, content in contents.items():
            if path in self._indexed:
                continue
            for name, line in self._names_in(path, content, sites).items():
                self._claim(path, content, name, line)
            self._indexed.add(path)

    def _names_in(self, path: str, content: bytes, sites: Iterable[Site]) -> dict[MarkerName, int]:
        """Return the names of the markers of a file, each with its first line."""
        lines: dict[MarkerName, int] = {}
        try:
            scanned = scan(content, path)
        except ManifestError:
            for match in _MARKER_NAME.finditer(content):
                name = MarkerName(match[1].decode(), match[2].decode())
                lines.setdefault(name, content.count(b"\n", 0, match.start()) + 1)
            layout = self.config.layout
            for site in sites:
                name = layout.marker_name(site.application, site.environment)
                if layout.holds(path, site.application, site.environment) and mentions(content, name.group, name.app):
                    lines.setdefault(name, 1)
            return lines
        places = [(m.line, MarkerName(m.group, m.app)) for m in scanned.markers]
        places += [(m.line, MarkerName(m.group, m.app)) for m in scanned.misplaced]
        for line, name in sorted(places):
            lines.setdefault(name, line)
        return lines

    def _claim(self, path: str, content: bytes, name: MarkerName, line: int) -> None:
        layout = self.config.layout
        claims = layout.claims(path, name)
        for claim in claims:
            self._files.setdefault(Site(claim.application, claim.environment), {})[path] = content
            if len(claims) > 1:
                self._conflicts.setdefault(
                    claim.application,
                    ManifestError.at(path, line, layout.conflict(name, claims, self.config_file)),
                )
        if not claims:
            self._strays.add(Stray(path, line, name))

    def files(self, site: Site) -> Mapping[str, bytes]:
        """Return the files with the application's marker in the environment, by path. Raises ManifestError."""
        self.read([site])
        if conflict := self._conflicts.get(site.application):
            raise conflict
        return self._files.get(site, {})

    def tag(self, site: Site) -> Tag | None:
        """Return the tag that an application has in an environment, None without a marker. Raises ManifestError."""
        name = self.config.layout.marker_name(site.application, site.environment)
        return read_tag(self.files(site), name.group, name.app)

    def files_around(self, site: Site) -> Mapping[str, bytes]:
        """Return all marked files of the environment, of whatever application: to name what is there instead.

        Raises ManifestError if there are none, but a link, a submodule or a pointer to a large file is there.
        """
        specs = self.config.layout.group_pathspecs(site.application.group, site.environment)
        files = self.repository.read(self.sha, self.repository.grep(self.sha, [], specs))
        if not files and (unreadable := self.repository.unreadable_manifests(self.sha, specs)):
            path, kind = min(unreadable.items())
            raise ManifestError.at(path, 0, f"{kind} holds no marker of {site.application}: keep manifests as files")
        return files

    def has_group(self, group: str, environment: str) -> bool:
        """Return True if any application of a group has a marker in an environment."""
        layout = self.config.layout
        specs = layout.group_pathspecs(group, environment)
        for path, content in self.repository.read(self.sha, self.repository.grep(self.sha, [], specs)).items():
            with suppress(ManifestError):
                names = {MarkerName(marker.group, marker.app) for marker in scan(content, path).markers}
                claims = [claim for name in names for claim in layout.claims(path, name)]
                if any((c.application.group, c.environment) == (group, environment) for c in claims):
                    return True
        return False

    def sites(self) -> list[Site]:
        """Return every application in each environment where it has a marker; all marked files are read."""
        self.read_all()
        return sorted(self._files)

    def applications(self) -> list[Application]:
        """Return every application that has a marker in an environment; all marked files are read."""
        return sorted({site.application for site in self.sites()})

    def strays(self) -> list[Stray]:
        """Return the markers of the tree that belong to no environment; all marked files are read."""
        self.read_all()
        return sorted(self._strays)

    def nothing_found(self) -> str:
        """Return the error that no environment has a marker though the tree has some, "" if that is not so.

        Reads marked files until one of them is an environment's.
        """
        paths = self.repository.grep(self.sha, [])
        in_reach = self.config.layout.in_reach
        for path in sorted(paths, key=lambda path: not in_reach(path)):
            self._index(self.repository.read(self.sha, [path]), ())
            if self._files:
                return ""
        return strays.nothing_found(self.config.layout, self.strays()) if paths and self.strays() else ""

    def sharing_branch(self, site: Site) -> list[Application]:
        """Return the other applications in the tree whose promotion branch would be this one's (B32)."""
        self.read([site])
        return [
            other
            for other in self.config.collisions(site.application, site.environment)
            if any(self._files.get(Site(other, name)) for name in self.config.pipeline.names)
        ]

    # -- branches and objects

    def fetch_branches(self, names: Iterable[str]) -> None:
        """Fetch those of these branches that the remote has, in one go; `branch` knows them then.

        A branch that is deleted since the branches were listed counts as missing.
        """
        missing = sorted(set(names) - self._heads.keys())
        while refs := [f"refs/heads/{name}" for name in missing if self.refs.branch(name)]:
            try:
                fetched = self.repository.fetch(*refs)
            except RefGoneError:
                before = self.refs
                self.refs = self.repository.refs("refs/heads/*")
                if self.refs == before:
                    raise
            else:
                self._heads |= {ref.removeprefix("refs/heads/"): sha for ref, sha in fetched.items()}
                return

    def branch(self, name: str) -> str | None:
        """Return a branch's commit, fetched; None if the remote has no such branch."""
        self.fetch_branches([name])
        return self._heads.get(name)

    def blobs(self, oids: Iterable[str | None]) -> Mapping[str, bytes]:
        """Return the contents of these objects and of all read before; None is ignored."""
        missing = sorted({oid for oid in oids if oid is not None} - self._blobs.keys())
        self._blobs.update(self.repository.read_objects(missing))
        return self._blobs

    # -- history

    def timelines(
        self, tags: Mapping[Site, Tag], also: Iterable[Site], scope: Iterable[Site], *, before: int = 0
    ) -> dict[Site, list[TagAt]]:
        """Return the timelines of these sites, read back until the arrival of each tag is known, if it can be.

        `before` asks for that many older commits too. A tag that is not there at all is looked for in the first step.
        `scope` is what the history is limited to: the same scope at the same tip costs one reading.
        """
        pathspecs = self._pathspecs(scope)
        timelines: dict[Site, list[TagAt]] = {}
        for limit in _HISTORY_STEPS:
            while True:
                commits = self._commits(pathspecs, limit)
                timelines = {site: self._timeline(commits, site) for site in (*tags, *also)}
                found = [deployments.deployment(timelines[site], tag) for site, tag in tags.items()]
                if all(d is None or (d.arrival and len(d.before) >= before) for d in found):
                    return timelines
                if len(commits) >= limit or not self._deepen(limit):
                    break
            if len(commits) < limit:
                break
        return timelines

    def _pathspecs(self, sites: Iterable[Site]) -> tuple[str, ...]:
        layout = self.config.layout
        specs: dict[str, None] = {}
        for site in sorted(set(sites)):
            specs |= dict.fromkeys(layout.pathspecs(site.application, [site.environment]))
        if len(specs) > _MAX_PATHSPECS:
            specs = dict.fromkeys(layout.pathspecs(None, self.config.pipeline.names))
        return tuple(sorted(specs))

    def _commits(self, pathspecs: tuple[str, ...], limit: int) -> list[Commit]:
        """Return the first-parent history with its changes to these paths, contents at hand."""
        if (pathspecs, limit) not in self._history:
            commits = self.repository.history(self.sha, pathspecs, limit)
            self._history[pathspecs, limit] = commits
            changes = [c for commit in commits for c in commit.changes if is_manifest(c.path)]
            self.blobs(oid for change in changes for oid in (change.old_file, change.new_file))
        return self._history[pathspecs, limit]

    def _timeline(self, commits: Sequence[Commit], site: Site) -> list[TagAt]:
        layout = self.config.layout
        return deployments.timeline(
            commits,
            self.files(site),
            self._blobs,
            holds=lambda path: layout.holds(path, site.application, site.environment),
            marker=layout.marker_name(site.application, site.environment),
        )

    def changed_applications(self, commit: Commit, environment: str) -> list[Application]:
        """Return the applications whose tags a commit of a timeline changed in an environment."""
        changes = changed_tags(commit.changes, self._blobs, self.config.layout).changes
        return [change.application for change in changes if change.environment == environment]

    def _deepen(self, depth: int) -> bool:
        if not self.repository.shallow or not self.repository.deepen(depth):
            return False
        self._history = {}
        return True
