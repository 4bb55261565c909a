"""The tags that each commit of a first-parent history changed, of all applications: the commits are undone one by one.

A file is scanned once at the tip. Most often an older version differs only in a marked value on its own line: then no
YAML is read again.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from gitops_promotion.core import markers
from gitops_promotion.core.commits import Commit, FileChange
from gitops_promotion.core.layout import Layout, MarkerName
from gitops_promotion.core.markers import Marker, is_manifest, scan
from gitops_promotion.core.names import Site
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ManifestError

Files = Mapping[str, bytes]

_NAME = re.compile(rb'"\$imagepolicy"\s*:\s*"([A-Za-z0-9._-]+):([A-Za-z0-9._-]+)')
# A key, a value without any sign of YAML, and a marker: `newTag: "1.4.2" # {"$imagepolicy": "webshop:webui:tag"}`.
_PLAIN_LINE = re.compile(
    rb"(?P<before>[ \t]*(?:- +)*[A-Za-z0-9_.-]+: +)(?P<quote>[\"']?)(?P<value>[A-Za-z0-9][A-Za-z0-9._:/@+-]*)(?P=quote)"
    rb'(?P<after> +# *\{"\$imagepolicy": *"(?P<group>[A-Za-z0-9._-]+):(?P<app>[A-Za-z0-9._-]+)(?::[a-z]+)?"\}[ \r]*)'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TagChange:
    """A commit that gave an application another tag in an environment.

    A tag is None if there is no marker, or if the markers disagree.
    """

    commit: Commit
    site: Site
    previous: Tag | None
    tag: Tag | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """One version of a file: its live markers by name, or the names in it if it cannot be read."""

    content: bytes
    markers: Mapping[MarkerName, tuple[Marker, ...]] = field(default_factory=dict)
    broken: frozenset[MarkerName] = frozenset()

    @property
    def names(self) -> Iterable[MarkerName]:
        return self.broken or self.markers.keys()


def _read(content: bytes, path: str) -> _File:
    try:
        live = scan(content, path).markers
    except ManifestError:
        names = (MarkerName(match[1].decode(), match[2].decode()) for match in _NAME.finditer(content))
        return _File(content=content, broken=frozenset(names))
    by_name: dict[MarkerName, list[Marker]] = {}
    for marker in live:
        by_name.setdefault(MarkerName(marker.group, marker.app), []).append(marker)
    return _File(content=content, markers={name: tuple(group) for name, group in by_name.items()})


def _derived(file: _File, content: bytes) -> _File | None:
    """Return another version of a file if it differs in plain marked lines alone, None if that is not certain."""
    lines, other_lines = file.content.split(b"\n"), content.split(b"\n")
    if file.broken or len(lines) != len(other_lines):
        return None
    updated = dict(file.markers)
    for line, other_line in zip(lines, other_lines, strict=True):
        if line == other_line:
            continue
        match, older_match = _PLAIN_LINE.fullmatch(line), _PLAIN_LINE.fullmatch(other_line)
        if match is None or older_match is None:
            return None
        if any(match[part] != older_match[part] for part in ("before", "quote", "after")):
            return None
        name = MarkerName(match["group"].decode(), match["app"].decode())
        live = updated.get(name, ())
        # With several lines of one application it is not certain which line has which marker.
        mentions = content.count(f'"{name}"'.encode()) + content.count(f'"{name}:'.encode())
        if len(live) != 1 or live[0].value != match["value"].decode() or mentions != 1:
            return None
        updated[name] = (replace(live[0], value=older_match["value"].decode()),)
    return _File(content=content, markers=updated)


@dataclass(slots=True, kw_only=True)
class Replay:
    """The marked files as they were after one commit: first after the newest, later after older ones.

    `only` returns True for the applications and environments to follow.
    """

    layout: Layout
    only: Callable[[Site], bool] = lambda _: True
    _files: dict[str, _File] = field(default_factory=dict)
    _paths: dict[Site, dict[str, None]] = field(default_factory=dict)
    _claims: dict[tuple[str, MarkerName], tuple[Site, ...]] = field(default_factory=dict)

    def start(self, tip: Mapping[Site, Files]) -> None:
        """Begin with the marked files of each application and environment at the newest commit."""
        for site, files in tip.items():
            for path, content in files.items():
                if path not in self._files:
                    self._files[path] = _read(content, path)
                self._paths.setdefault(site, {})[path] = None

    def changes(self, commits: Iterable[Commit], blobs: Mapping[str, bytes]) -> list[TagChange]:
        """Undo these commits, the next older ones, newest first; returns the changes of tags that they made.

        `blobs` has the contents of all manifests that they change.
        """
        changes: list[TagChange] = []
        for commit in commits:
            tags = self._take_back(commit.changes, blobs)
            changes += [
                TagChange(commit=commit, site=site, previous=previous, tag=tag)
                for site, (previous, tag) in sorted(tags.items())
                if previous != tag
            ]
        return changes

    def _take_back(
        self, changes: Iterable[FileChange], blobs: Mapping[str, bytes]
    ) -> dict[Site, tuple[Tag | None, Tag | None]]:
        """Undo the changes of a commit; returns the tags before and after it where they may differ."""
        after: dict[Site, Tag | None] = {}
        for change in changes:
            if not is_manifest(change.path):
                continue
            old, new = (blobs[oid] if oid else b"" for oid in (change.old_file, change.new_file))
            file = self._files.get(change.path)
            if file is None or file.content != new:
                file = _read(new, change.path)
            older = _derived(file, old) or _read(old, change.path)
            for site in self._differing(change.path, file, older):
                if site not in after:
                    after[site] = self._tag(site)
            self._replace(change.path, file, older)
        return {site: (self._tag(site), tag) for site, tag in after.items()}

    def _differing(self, path: str, file: _File, older: _File) -> Iterator[Site]:
        """Yield the sites whose markers differ, or may differ, between two versions of a file."""
        for name in {*file.names, *older.names}:
            live, older_live = file.markers.get(name, ()), older.markers.get(name, ())
            if file.broken or older.broken or (live is not older_live and _values(live) != _values(older_live)):
                yield from self._claims_of(path, name)

    def _replace(self, path: str, file: _File, older: _File) -> None:
        self._files[path] = older
        removed, added = set(file.names) - set(older.names), set(older.names) - set(file.names)
        for name in removed:
            for site in self._claims_of(path, name):
                self._paths.get(site, {}).pop(path, None)
        for name in added:
            for site in self._claims_of(path, name):
                self._paths.setdefault(site, {})[path] = None

    def _claims_of(self, path: str, name: MarkerName) -> tuple[Site, ...]:
        key = path, name
        if key not in self._claims:
            self._claims[key] = tuple(site for site in self.layout.claims(path, name) if self.only(site))
        return self._claims[key]

    def _tag(self, site: Site) -> Tag | None:
        """Return the tag in the present files, None if there is none or it cannot be read."""
        name = self.layout.marker_name(site.application, site.environment)
        files = [self._files[path] for path in self._paths.get(site, ())]
        if any(name in file.broken for file in files):
            return None
        try:
            return markers.agreed_tag([marker for file in files for marker in file.markers.get(name, ())])
        except ManifestError:
            return None


def _values(live: Iterable[Marker]) -> list[tuple[str, str, str, bool]]:
    return [(marker.part.suffix, marker.value, marker.key, marker.digest_beside) for marker in live]
