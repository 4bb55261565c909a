"""The tip of the default branch as it was last read: configuration, marked files, branches and history."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gitops_promotion.core import config as configuration
from gitops_promotion.core import deployments, holds, holds_file
from gitops_promotion.core.branch_names import HOLDS, ROLLBACKS
from gitops_promotion.core.changed_tags import changed_tags
from gitops_promotion.core.commits import Commit, CommitHeader, Refs
from gitops_promotion.core.config import Config
from gitops_promotion.core.deployments import TagAt
from gitops_promotion.core.holds import HoldsFile
from gitops_promotion.core.markers import is_manifest, read_tag
from gitops_promotion.core.names import Application, Site
from gitops_promotion.core.provenance import head_to_read
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ConfigError, GitError, LeaseLostError, RefGoneError
from gitops_promotion.git import Identity, Repository
from gitops_promotion.workflow.marked_files import MarkedFiles

__all__ = ["CONFIG_FILE", "Site", "Tip"]

CONFIG_FILE = configuration.FILE

# How many commits are read at first, then, and at last: the commit that brought a tag is mostly a recent one.
_HISTORY_STEPS = (200, 2000, 1_000_000)
# Commits that are fetched into a shallow clone to look at its past: enough for the arrival of most tags.
_SHALLOW_PAST = 2000
# How many "Update branch" merges are followed to the promotion below them.
_UPDATES = 4
# How often the remote is read until a missing default branch is an error.
_REFRESHES = 3


@dataclass(slots=True, kw_only=True)
class Tip:
    """Everything that was read of the default branch belongs to the commit `sha`; `refresh` reads the remote again."""

    repository: Repository
    config_file: str = CONFIG_FILE

    base: str = field(init=False, default="")
    sha: str = field(init=False, default="")
    refs: Refs = field(init=False, default_factory=lambda: Refs(default_branch="", shas={}))
    _config: Config | None = field(init=False, default=None)
    _holds: HoldsFile = field(init=False, default_factory=HoldsFile)
    _holds_source: bytes = field(init=False, default=b"")
    _marked: MarkedFiles | None = field(init=False, default=None)
    _heads: dict[str, str] = field(init=False, default_factory=dict)
    _history: dict[tuple[tuple[str, ...], int], list[Commit]] = field(init=False, default_factory=dict)
    _whole: list[Commit] | None = field(init=False, default=None)
    _boundary: frozenset[str] = field(init=False, default=frozenset())
    _blobs: dict[str, bytes] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Read the remote again; forgets everything of an older tip. Raises GitError."""
        for attempt in range(_REFRESHES):
            try:
                self._read_remote()
            except RefGoneError:
                # The default branch was renamed between the list of the branches and the fetch.
                if attempt == _REFRESHES - 1:
                    raise
            else:
                return

    def _read_remote(self) -> None:
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
        listed_sha = self.refs.shas[ref]
        if listed_sha != sha:
            self.sha = listed_sha if self.repository.is_checked_out(listed_sha) else self.repository.fetch(ref)[ref]
            self.refs = replace(self.refs, shas={**self.refs.shas, ref: self.sha})
        if self.sha != sha or bool(self.hold_branches) != self._holds.has_open:
            self._config = None
        if self.sha != sha:
            self._marked = None
            self._history = {}
            self._whole = None

    def has_moved(self) -> bool:
        """Return True if the default branch of the remote is not at `sha` any more. Raises GitError."""
        ref = f"refs/heads/{self.base}"
        return self.repository.refs(ref).shas.get(ref) != self.sha

    # -- the configuration

    @property
    def config(self) -> Config:
        """The configuration at the tip, never that of a pull request. Raises ConfigError."""
        if (config := self.config_if_there) is None:
            raise ConfigError.at(self.config_file, 0, self._no_config())
        return config

    def _no_config(self) -> str:
        """Return the message that the configuration is not at the tip, with the place where it seems to be."""
        if self.repository.checked_out(self.config_file) is not None:
            return self.not_pushed
        text = f"not found on the branch {self.base}"
        names = (f"{self.config_file.removesuffix('.yaml')}.yml", f".{self.config_file}", self.config_file.upper())
        for name in self.repository.read(self.sha, names):
            return f"{text}, but {name} is there: rename it to {self.config_file}"
        return (
            f"{text}: run `gitops-promotion init`, or add it there with at least `environments:` in promotion order "
            "(docs/configuration.md)"
        )

    @property
    def not_pushed(self) -> str:
        """What to do with something that is in the checkout alone."""
        return f"is in your checkout, not on {self.repository.remote_name}/{self.base}: commit and push it"

    @property
    def config_if_there(self) -> Config | None:
        """The configuration at the tip, None if the file is not there. Raises ConfigError for a faulty one."""
        if self._config is None:
            files = self.repository.read(self.sha, [self.config_file, holds.FILE])
            irregular = self.repository.irregular(self.sha, [self.config_file, holds.FILE])
            if kind := irregular.get(self.config_file):
                # What is read of a link is the path that it leads to.
                text = f"is {kind} on {self.base}, not a file: commit the configuration itself under this name"
                raise ConfigError.at(self.config_file, 0, text)
            content = files.get(self.config_file)
            if content is None:
                return None
            self._config = configuration.parse(content, self.config_file)
            self._holds_source = files.get(holds.FILE, b"")
            self._holds = self._read_holds(self._holds_source, self._config, irregular.get(holds.FILE, ""))
            self._config = replace(self._config, gate_settings={**self._config.gate_settings, "holds": self._holds})
            author = self._config.commit_author
            self.repository.set_commits(
                author=Identity(name=author[0], email=author[1]) if author else None,
                signed=self._config.commit_signing == "git",
            )
        return self._config

    @property
    def holds(self) -> HoldsFile:
        """The file of holds at the tip, as far as it can be read. Raises ConfigError."""
        return self._holds if self.config_if_there is not None else HoldsFile()

    @property
    def holds_source(self) -> bytes:
        """The file of holds at the tip, empty without one. Raises ConfigError."""
        return self._holds_source if self.config_if_there is not None else b""

    def _read_holds(self, source: bytes, config: Config, kind: str) -> HoldsFile:
        # What is read of a link is the path that it leads to, which names no holds; of a folder nothing is read.
        file = holds.replaced_by(kind) if kind else holds_file.parse(source, config.pipeline.names)
        return replace(file, has_open=bool(self.hold_branches))

    @property
    def hold_branches(self) -> set[str]:
        """The branches that may change holds: a pull request from them may be open."""
        names = (ref.removeprefix("refs/heads/") for ref in self.refs.shas)
        return {name for name in names if name.startswith((HOLDS, ROLLBACKS))}

    @property
    def has_config(self) -> bool:
        """True if the tip has a valid configuration."""
        try:
            return bool(self.config)
        except ConfigError:
            return False

    def yaml_files(self) -> Mapping[str, bytes]:
        """Return all YAML files of the tip by path; it reads the whole tree, which only looking verbs may do."""
        return self.repository.read(self.sha, self.repository.manifests(self.sha))

    # -- marked files

    @property
    def marked(self) -> MarkedFiles:
        """The marked files of the tip. Raises ConfigError."""
        if self._marked is None:
            self._marked = MarkedFiles(repository=self.repository, sha=self.sha, config=self.config)
        return self._marked

    def read(self, sites: Iterable[Site]) -> None:
        """Read, all at once, the files with markers of these applications, and of those that share a branch."""
        self.marked.read(sites)

    def files(self, site: Site) -> Mapping[str, bytes]:
        """Return the files with the application's marker in the environment, by path. Raises ManifestError."""
        return self.marked.files(site)

    def tag(self, site: Site) -> Tag | None:
        """Return the tag that an application has in an environment, None without a marker. Raises ManifestError."""
        name = self.config.layout.marker_name(site.application, site.environment)
        return read_tag(self.files(site), name.group, name.app)

    def applications(self) -> list[Application]:
        """Return every application that has a marker in an environment; all marked files are read."""
        return sorted({site.application for site in self.marked.sites()})

    # -- branches and objects

    def fetch_branches(self, names: Iterable[str], *, leased: bool = False) -> None:
        """Fetch these branches, as far as the remote has them, all at once, for `branch` to return.

        A branch that is deleted since the branches were listed counts as missing. `leased` are those that are only
        replaced by a push with a lease on what was listed: one that is merged into what is checked out stays as it is.
        """
        listed_shas = {name: self.refs.branch(name) for name in set(names) - self._heads.keys()}
        merged = {
            name: sha for name, sha in listed_shas.items() if leased and sha and self.repository.is_checked_out(sha)
        }
        self._heads |= merged
        missing = sorted(listed_shas.keys() - merged.keys())
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
        """Return a branch's commit, fetched; None if the remote has no such branch.

        Raises LeaseLostError if it moved since the branches were listed: it may have been rebuilt on a newer tip, whose
        commits would look like those of people on it.
        """
        self.fetch_branches([name])
        sha = self._heads.get(name)
        if sha != self.refs.branch(name) or self.refs.branch(self.base) != self.sha:
            raise LeaseLostError(f"{name} or {self.base} of {self.repository.url} moved while they were read")
        return sha

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
        pathspecs = tuple(sorted(self.marked.pathspecs(scope)))
        timelines: dict[Site, list[TagAt]] = {}
        for limit in _HISTORY_STEPS:
            while True:
                commits = self._commits(pathspecs, limit)
                timelines = {site: self._timeline(commits, site) for site in (*tags, *also)}
                deployed = [deployments.deployment(timelines[site], tag) for site, tag in tags.items()]
                if all(d is None or (d.arrival and len(d.before) >= before) for d in deployed):
                    return timelines
                if len(commits) >= limit or not self._deepen(limit):
                    break
            if len(commits) < limit:
                break
        return timelines

    def past(self, scope: Iterable[Site], *, newest: int | None = None) -> list[Commit]:
        """Return the first-parent history with its changes to these sites, newest first.

        A shallow clone gets some more of it; the last commit is not `complete` where it still ends too early. `newest`
        is how many commits are asked for, None for all.
        """
        sites = set(scope)
        if self.repository.shallow:
            self._deepen(newest or _SHALLOW_PAST)
        limit = newest or _HISTORY_STEPS[-1]
        commits = self.repository.history(self.sha, sorted(self.marked.pathspecs(sites)), limit)
        if newest is None and sites >= set(self.marked.sites()):
            self._forget_shorter_history()
            self._whole = commits
        return commits

    def whole_timeline(self, site: Site) -> list[TagAt]:
        """Return the timeline of a site as far back as there is history."""
        self.read([site])
        if self.repository.shallow:
            self._deepen(_SHALLOW_PAST)
        pathspecs = tuple(sorted(self.marked.pathspecs([site])))
        return self._timeline(self._commits(pathspecs, _HISTORY_STEPS[-1]), site)

    def heads(self, commits: Iterable[Commit]) -> dict[str, CommitHeader]:
        """Return the head that each of these merge commits brought, by the merge commit, as far as it is here."""
        pending = {commit.sha: commit.parents[1] for commit in commits if len(commit.parents) > 1}
        heads: dict[str, CommitHeader] = {}
        for _ in range(_UPDATES):
            headers = self.repository.headers(list(dict.fromkeys(pending.values()))) if pending else {}
            heads |= {sha: headers[head] for sha, head in pending.items() if head in headers}
            older_heads = {sha: head_to_read(headers[head]) for sha, head in pending.items() if head in headers}
            pending = {sha: head for sha, head in older_heads.items() if head}
        return heads

    def _commits(self, pathspecs: tuple[str, ...], limit: int) -> list[Commit]:
        """Return the first-parent history with its changes to these paths, at least, former contents at hand.

        What a file was before a change is all that a timeline needs.
        """
        self._forget_shorter_history()
        for (read_pathspecs, read_limit), commits in self._history.items():
            if set(read_pathspecs) >= set(pathspecs) and (read_limit == limit or len(commits) < read_limit):
                return commits
        if self._whole is not None:
            commits = self._whole[:limit]
        else:
            commits = self.repository.history(self.sha, pathspecs, limit, root=False)
        self._history[pathspecs, limit] = commits
        changes = (change for commit in commits for change in commit.changes if is_manifest(change.path))
        self.blobs(change.old_file for change in changes)
        return commits

    def _forget_shorter_history(self) -> None:
        """Forget what was read before more history was fetched, here or for a comparison with a branch."""
        if (boundary := self.repository.boundary) != self._boundary:
            self._boundary, self._history, self._whole = boundary, {}, None

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
        self.blobs(contents_of([commit]))
        changes = changed_tags(commit.changes, self._blobs, self.config.layout).changes
        return [change.application for change in changes if change.environment == environment]

    def _deepen(self, depth: int) -> bool:
        return self.repository.shallow and self.repository.deepen(depth)


def contents_of(commits: Iterable[Commit]) -> Iterator[str]:
    """Yield the objects that the manifests have before and after each change of these commits."""
    for change in (change for commit in commits for change in commit.changes if is_manifest(change.path)):
        yield from filter(None, (change.old_file, change.new_file))
