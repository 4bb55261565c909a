"""The files that the checks look at: the configuration, every YAML file, and whose the markers in them are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from gitops_promotion.core import config as configuration
from gitops_promotion.core.checks.lines import ConfigLines
from gitops_promotion.core.config import Config
from gitops_promotion.core.layout import MarkerName
from gitops_promotion.core.marker_conflicts import conflict_of
from gitops_promotion.core.markers import Marker, Misplaced, scan
from gitops_promotion.core.markers.near import NearMiss, near_misses
from gitops_promotion.core.markers.spelling import is_manifest
from gitops_promotion.core.names import Application, Site
from gitops_promotion.core.strays import Stray
from gitops_promotion.errors import ConfigError, Fault, ManifestError


@dataclass(frozen=True, kw_only=True)
class Owned:
    """The markers of one application in one environment, and the files that hold them."""

    markers: list[Marker] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Tree:
    """The YAML files of a repository by path, and the name of the configuration file among them.

    `now` is the time for the checks that depend on the calendar, None to leave these checks out. `irregular`
    are those of this tool that are links or folders, which are not read, with the kind of each, such as `a folder`.
    """

    contents: Mapping[str, bytes]
    now: datetime | None = None
    config_file: str = configuration.FILE
    irregular: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _parsed(self) -> tuple[Config | None, tuple[Fault, ...]]:
        if self.config_file not in self.contents:
            return None, ()
        try:
            return configuration.parse(self.contents[self.config_file], self.config_file), ()
        except ConfigError as error:
            return None, error.faults

    @property
    def config(self) -> Config | None:
        """The configuration; None if it is missing or has faults."""
        return self._parsed[0]

    @property
    def config_faults(self) -> tuple[Fault, ...]:
        """The faults of the configuration."""
        return self._parsed[1]

    @cached_property
    def config_lines(self) -> ConfigLines:
        """The lines of the configuration's entries."""
        return ConfigLines.parse(self.contents.get(self.config_file, b""), self.config_file)

    @cached_property
    def _scans(self) -> tuple[list[Marker], list[Misplaced], dict[str, ManifestError]]:
        markers: list[Marker] = []
        misplaced: list[Misplaced] = []
        broken: dict[str, ManifestError] = {}
        for path in sorted(filter(is_manifest, self.contents)):
            try:
                scanned = scan(self.contents[path], path)
            except ManifestError as error:
                broken[path] = error
                continue
            markers += scanned.markers
            misplaced += scanned.misplaced
        return markers, misplaced, broken

    @property
    def markers(self) -> Sequence[Marker]:
        """All markers that have an effect, in the order of files and lines."""
        return self._scans[0]

    @property
    def misplaced(self) -> Sequence[Misplaced]:
        """All markers that have no effect."""
        return self._scans[1]

    @property
    def broken(self) -> Mapping[str, ManifestError]:
        """The errors of files with markers that cannot be read, by path."""
        return self._scans[2]

    @cached_property
    def near_misses(self) -> Sequence[tuple[str, NearMiss]]:
        """The texts that look like markers and are none, with their paths."""
        known_lines: dict[str, set[int]] = {}
        for marker in self.markers:
            known_lines.setdefault(marker.path, set()).add(marker.line)
        for misplaced in self.misplaced:
            if misplaced.kind == "place":
                known_lines.setdefault(misplaced.path, set()).add(misplaced.line)
        return [
            (path, miss)
            for path in sorted(self.contents)
            for miss in near_misses(self.contents[path], known_lines.get(path, ()))
        ]

    @cached_property
    def _claims(self) -> tuple[dict[Site, Owned], list[Marker], list[tuple[Marker, str]]]:
        owned: dict[Site, Owned] = {}
        strays: list[Marker] = []
        conflicts: list[tuple[Marker, str]] = []
        for marker in self.markers if self.config else ():
            assert self.config  # noqa: S101  the loop runs only with a configuration
            name = MarkerName(marker.group, marker.app)
            claims = self.config.layout.claims(marker.path, name)
            for site in claims:
                owner = owned.setdefault(site, Owned())
                owner.markers.append(marker)
                owner.files[marker.path] = self.contents[marker.path]
            if not claims:
                strays.append(marker)
            elif conflict := conflict_of(self.config.layout, name, claims):
                conflicts.append((marker, conflict))
        return owned, strays, conflicts

    @property
    def owned(self) -> Mapping[Site, Owned]:
        """The markers and files of each application in each environment."""
        return self._claims[0]

    @property
    def strays(self) -> Sequence[Stray]:
        """The markers that belong to no environment."""
        return [Stray(marker.path, marker.line, MarkerName(marker.group, marker.app)) for marker in self._claims[1]]

    @property
    def conflicts(self) -> Sequence[tuple[Marker, str]]:
        """The markers that several environments claim, with the error."""
        return self._claims[2]

    @cached_property
    def applications(self) -> Sequence[Application]:
        """Every application with a marker in an environment."""
        return sorted({site.application for site in self.owned})

    def has(self, application: Application, environment: str) -> bool:
        """Return True if an application has a marker in an environment."""
        return Site(application, environment) in self.owned
