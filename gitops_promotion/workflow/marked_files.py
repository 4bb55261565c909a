"""The files with markers of one commit: whose they are, which are nobody's, and which cannot be read."""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from gitops_promotion.core import strays
from gitops_promotion.core.config import Config
from gitops_promotion.core.layout import MarkerName
from gitops_promotion.core.marker_conflicts import conflict_of
from gitops_promotion.core.markers import mentions, scan
from gitops_promotion.core.names import Application, Site
from gitops_promotion.core.strays import Stray
from gitops_promotion.errors import ManifestError
from gitops_promotion.git import Repository

# More pathspecs than this are slower for git than the whole tree, and too long for a command line at some point.
MAX_PATHSPECS = 300
# Names in a file that does not parse: good enough to say whose file it is.
_MARKER_NAME = re.compile(rb'"\$imagepolicy"\s*:\s*"([A-Za-z0-9._-]+):([A-Za-z0-9._-]+)')


@dataclass(slots=True, kw_only=True)
class MarkedFiles:
    """The marked files of the commit `sha`, each read and scanned once, when it is first needed."""

    repository: Repository
    sha: str
    config: Config

    _files: dict[Site, dict[str, bytes]] = field(init=False, default_factory=dict)
    _conflicts: dict[Application, ManifestError] = field(init=False, default_factory=dict)
    _strays: set[Stray] = field(init=False, default_factory=set)
    _broken: dict[str, ManifestError] = field(init=False, default_factory=dict)
    _contents: dict[str, bytes] = field(init=False, default_factory=dict)
    _unreadable: dict[tuple[str, str], Mapping[str, str]] = field(init=False, default_factory=dict)
    _read: set[Site] = field(init=False, default_factory=set)
    _read_all: bool = field(init=False, default=False)

    def read_all(self) -> None:
        """Read every marked file of the tree, all at once."""
        if not self._read_all:
            self._index(self.repository.read(self.sha, self.repository.grep(self.sha, [])), ())
            self._read_all = True

    def read(self, sites: Iterable[Site]) -> None:
        """Read, all at once, the files with markers of these applications, and of those that share a branch."""
        if self._read_all:
            return
        requested = set(sites)
        for site in list(requested):
            for sharer in self.config.collisions(site.application, site.environment):
                requested |= {Site(sharer, name) for name in self.config.pipeline.names}
        missing = sorted(requested - self._read)
        if not missing:
            return
        names = {str(self.config.layout.marker_name(site.application, site.environment)) for site in missing}
        paths = self.repository.grep(self.sha, sorted(names), self.pathspecs(missing))
        self._index(self.repository.read(self.sha, paths), missing)
        self._read.update(missing)

    def pathspecs(self, sites: Iterable[Site]) -> list[str]:
        """Return git's pathspecs of these sites; those of all environments where they are too many."""
        layout = self.config.layout
        specs: dict[str, None] = {}
        for site in sorted(set(sites)):
            specs |= dict.fromkeys(layout.pathspecs(site.application, [site.environment]))
        return list(specs) if len(specs) <= MAX_PATHSPECS else layout.pathspecs(None, self.config.pipeline.names)

    def _index(self, contents: Mapping[str, bytes], sites: Iterable[Site]) -> None:
        """Note which application and environment each file belongs to; every file is scanned once a tip."""
        for path, content in contents.items():
            if path in self._contents:
                continue
            for name, line in self._names_in(path, content, sites).items():
                self._claim(path, content, name, line)
            self._contents[path] = content

    def _names_in(self, path: str, content: bytes, sites: Iterable[Site]) -> dict[MarkerName, int]:
        """Return the names of the markers of a file, each with its first line."""
        lines: dict[MarkerName, int] = {}
        try:
            scanned = scan(content, path)
        except ManifestError as error:
            for match in _MARKER_NAME.finditer(content):
                name = MarkerName(match[1].decode(), match[2].decode())
                lines.setdefault(name, content.count(b"\n", 0, match.start()) + 1)
            layout = self.config.layout
            for site in sites:
                name = layout.marker_name(site.application, site.environment)
                if layout.holds(path, site.application, site.environment) and mentions(content, name.group, name.app):
                    lines.setdefault(name, 1)
            if layout.in_reach(path):
                self._broken[path] = error
            return lines
        places = [(m.line, MarkerName(m.group, m.app)) for m in scanned.markers]
        places += [(m.line, MarkerName(m.group, m.app)) for m in scanned.misplaced]
        for line, name in sorted(places):
            lines.setdefault(name, line)
        return lines

    def _claim(self, path: str, content: bytes, name: MarkerName, line: int) -> None:
        layout = self.config.layout
        claims = layout.claims(path, name)
        conflict = conflict_of(layout, name, claims)
        for site in claims:
            self._files.setdefault(site, {})[path] = content
            if conflict:
                self._conflicts.setdefault(site.application, ManifestError.at(path, line, conflict))
        if not claims:
            self._strays.add(Stray(path, line, name))

    def files(self, site: Site) -> Mapping[str, bytes]:
        """Return the files with the application's marker in the environment, by path. Raises ManifestError."""
        self.read([site])
        if conflict := self._conflicts.get(site.application):
            raise conflict
        return self._files.get(site, {})

    def around(self, site: Site) -> Mapping[str, bytes]:
        """Return all marked files of the environment, of whatever application: to name what is there instead.

        Raises ManifestError if there are none, but a link, a submodule or a pointer to a large file is there.
        """
        group, environment = site.application.group, site.environment
        files = self._of_group(group, environment)
        if not files and (group, environment) not in self._unreadable:
            specs = self.config.layout.group_pathspecs(group, environment)
            self._unreadable[group, environment] = self.repository.unreadable_manifests(self.sha, specs)
        if not files and (unreadable := self._unreadable[group, environment]):
            path, kind = min(unreadable.items())
            raise ManifestError.at(path, 0, f"{kind} holds no marker of {site.application}: keep manifests as files")
        return files

    def _of_group(self, group: str, environment: str) -> Mapping[str, bytes]:
        """Return all marked files that may have markers of a group's applications in an environment."""
        layout = self.config.layout
        if self._read_all:
            contents = self._contents.items()
            return {path: content for path, content in contents if layout.holds_group(path, group, environment)}
        specs = layout.group_pathspecs(group, environment)
        return self.repository.read(self.sha, self.repository.grep(self.sha, [], specs))

    def has_group(self, group: str, environment: str) -> bool:
        """Return True if any application of a group has a marker in an environment."""
        for path, content in self._of_group(group, environment).items():
            with suppress(ManifestError):
                claims = self._claims_in(path, content)
                if any((c.application.group, c.environment) == (group, environment) for c in claims):
                    return True
        return False

    def _claims_in(self, path: str, content: bytes) -> list[Site]:
        names = {MarkerName(marker.group, marker.app) for marker in scan(content, path).markers}
        return [site for name in names for site in self.config.layout.claims(path, name)]

    def sites(self) -> list[Site]:
        """Return every application in each environment where it has a marker; all marked files are read."""
        self.read_all()
        return sorted(self._files)

    def paths(self) -> dict[str, list[str]]:
        """Return the paths of the marked files of each environment; all marked files are read."""
        self.read_all()
        paths: dict[str, set[str]] = {}
        for site, files in self._files.items():
            paths.setdefault(site.environment, set()).update(files)
        return {environment: sorted(environment_paths) for environment, environment_paths in paths.items()}

    def conflicts(self) -> list[ManifestError]:
        """Return the markers that several environments claim; all marked files are read."""
        self.read_all()
        return [error for _, error in sorted(self._conflicts.items())]

    def strays(self) -> list[Stray]:
        """Return the markers of the tree that belong to no environment; all marked files are read."""
        self.read_all()
        return sorted(self._strays)

    def links(self) -> Mapping[str, str]:
        """Return the links to marked files of other environments, with their targets; all marked files are read."""
        self.read_all()
        links = self.repository.links_beside(self.sha, self._contents)
        in_reach = self.config.layout.in_reach
        return {
            path: target
            for path, target in links.items()
            if target in self._contents and set(in_reach(path)) - set(in_reach(target))
        }

    def broken(self) -> list[ManifestError]:
        """Return the errors of the environments' files that cannot be read; all marked files are read."""
        self.read_all()
        return [error for _, error in sorted(self._broken.items())]

    def nothing_found(self) -> str:
        """Return the error that no environment has a marker though the tree has some, "" if that is not so.

        Reads marked files until one of them is an environment's.
        """
        paths = list(self._contents) if self._read_all else self.repository.grep(self.sha, [])
        in_reach = self.config.layout.in_reach
        for path in sorted(paths, key=lambda path: not in_reach(path)) if not self._files else ():
            self._index(self.repository.read(self.sha, [path]), ())
            if self._files:
                break
        if self._files or not paths or not self.strays():
            return ""
        return strays.nothing_found(self.config.layout, self.strays())

    def sharing_branch(self, site: Site) -> list[Application]:
        """Return the other applications in the tree whose promotion branch would be this one's.

        See B32 in docs/migrating.md.
        """
        self.read([site])
        return [
            sharer
            for sharer in self.config.collisions(site.application, site.environment)
            if any(self._files.get(Site(sharer, name)) for name in self.config.pipeline.names)
        ]
