"""Compares the images of environments before and after a merge (docs/unmanaged-images.md)."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gitops_promotion.core.commits import FileChange
from gitops_promotion.core.gates import Question
from gitops_promotion.core.gates.unmanaged_images import Images as Gate
from gitops_promotion.core.kustomization_files import NAMES, Listing, Sources, sources
from gitops_promotion.core.layout import MarkerName
from gitops_promotion.core.markers import is_manifest, scan, with_stand_ins
from gitops_promotion.core.names import Application, Site
from gitops_promotion.core.tags import Tag
from gitops_promotion.core.unmanaged_images import Comparison, Images, JudgedTag, marked_names, read_images, unmanaged
from gitops_promotion.errors import KustomizeError, ManifestError
from gitops_promotion.kustomize import Limits
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.tip import Tip

LIMITS = Limits()
"""What a build of a pull request's files may use."""

_NONE = Application("none", "none")
"""Takes the place of the application where an environment has none."""


def compared_environments(tip: Tip) -> tuple[str, ...]:
    """Return the environments whose images are compared."""
    if not tip.has_config:
        return ()
    names = tip.config.pipeline.names
    return tuple(name for name in names if any(isinstance(gate, Gate) for gate in tip.config.gates(name)))


def compare(
    run: Run, environments: Iterable[str], questions: Sequence[Question], changes: Sequence[FileChange], merged: str
) -> dict[str, Comparison]:
    """Return what a merge does to the images of these environments, of those that read a changed file.

    `questions` are those that the gates must answer before the merge, `merged` is the tree after it. Costs two listings
    of trees, and two builds for each folder with a kustomization. Raises GitError.
    """
    before, after = _Side(run=run, tree=run.tip.sha), _Side(run=run, tree=merged)
    comparisons: dict[str, Comparison] = {}
    for environment in environments:
        of_environment = [question for question in questions if question.environment == environment]
        try:
            old, new = before.sources(environment), after.sources(environment)
            if not _touches(run.tip, environment, changes, old.files | new.files):
                continue
            judged = _judged_tags(run.tip, after, new, environment, of_environment)
            unchanged = before.same_files(after, new.loose)
            if not _takes_values(before.contents(old.loose, unchanged), after.contents(new.loose, unchanged)):
                # What is the same on both sides makes no difference, and there may be very much of it.
                old, new = (
                    replace(files, loose=tuple(p for p in files.loose if p not in unchanged)) for files in (old, new)
                )
            images = after.images(new, environment, judged, unchanged)
        except (ManifestError, KustomizeError) as error:
            comparisons[environment] = Comparison(problem=str(error))
            continue
        try:
            images_before = before.images(old, environment, judged, unchanged)
        except (ManifestError, KustomizeError):
            # A pull request that repairs an environment must be able to pass: all of its images are new.
            images_before = {}
        comparisons[environment] = Comparison(changes=unmanaged(images_before, images, list(judged.values())))
    return comparisons


def application_for(tip: Tip, environment: str, changes: Sequence[FileChange]) -> Application:
    """Return the application that a question about the images of an environment is shown with.

    It has a marker in the environment; one whose files are changed comes first, then one of a changed group.
    """
    layout = tip.config.layout
    applications = [site.application for site in tip.marked.sites() if site.environment == environment]
    paths = [change.path for change in changes]

    def distance(application: Application) -> int:
        if any(layout.holds(path, application, environment) for path in paths):
            return 0
        return 1 if any(layout.holds_group(path, application.group, environment) for path in paths) else 2

    return min(applications, key=lambda application: (distance(application), application), default=_NONE)


def _takes_values(*contents: Sequence[bytes]) -> bool:
    """Return True if one of these files may depend on another: a chart takes its values from a ConfigMap."""
    return any(
        word in content for side in contents for content in side for word in (b"ConfigMap", b"valuesFrom", b"\\")
    )


def _touches(tip: Tip, environment: str, changes: Sequence[FileChange], files: Collection[str]) -> bool:
    """Return True if a change may touch what an environment reads. A link may lead anywhere."""
    in_reach = tip.config.layout.in_reach
    return any(
        change.path in files or "symlink" in (change.old_kind, change.new_kind) or environment in in_reach(change.path)
        for change in changes
    )


@dataclass(slots=True, kw_only=True)
class _Side:
    """One of the two trees; it is listed once for all environments."""

    run: Run
    tree: str
    _blobs: Mapping[str, str] = field(init=False, default_factory=dict)
    _listing: Listing | None = field(init=False, default=None)
    _reach: dict[str, list[str]] = field(init=False, default_factory=dict)

    @property
    def listing(self) -> Listing:
        """The files and links of the tree."""
        if self._listing is None:
            self._blobs, links = self.run.tip.repository.listing(self.tree)
            self._listing = Listing.of(self._blobs, links)
        return self._listing

    def read(self, path: str) -> bytes:
        """Return a file's content."""
        oid = self._blobs[path]
        return self.run.tip.blobs([oid])[oid]

    def sources(self, environment: str) -> Sources:
        """Return what an environment reads. Raises ManifestError for too many files."""
        if not self._reach:
            layout = self.run.tip.config.layout
            self._reach = {environment_paths.name: [] for environment_paths in layout.environments}
            for path in (*self.listing.files, *self.listing.behind_links()):
                for name in layout.in_reach(path):
                    self._reach[name].append(path)
        paths = sorted(self._reach[environment])
        self.contents([path for path in paths if path.rpartition("/")[2] in NAMES], ())
        return sources(self.listing, paths, self.read)

    def manifests(self, files: Sources) -> Iterator[str]:
        """Yield the manifests that may have markers, among the files that an environment reads."""
        targets = (self.listing.resolve(path) for path in files.loose)
        paths = files.built | {target[0] for target in targets if target}
        self.contents(paths, ())
        return (path for path in sorted(paths & self.listing.files) if is_manifest(path))

    def same_files(self, other_side: "_Side", paths: Iterable[str]) -> frozenset[str]:
        """Return the paths whose file is the same on both sides; paths behind links are left out."""
        return frozenset(path for path in paths if path in self._blobs and self._blobs[path] == other_side.blob(path))

    def contents(self, paths: Iterable[str], unchanged: Collection[str]) -> list[bytes]:
        """Return the contents of these files without the unchanged ones."""
        targets = (self.listing.resolve(path) for path in paths if path not in unchanged)
        blobs = [self._blobs[target[0]] for target in targets if target and target[0] in self._blobs]
        contents = self.run.tip.blobs(blobs)
        return [contents[oid] for oid in blobs]

    def blob(self, path: str) -> str | None:
        """Return the blob of a file, None where there is none."""
        return self._blobs.get(path)

    def images(
        self, files: Sources, environment: str, judged: Mapping[Application, JudgedTag], unchanged: Collection[str]
    ) -> Images:
        """Return the images of an environment, with stand-ins. Raises ManifestError, KustomizeError, GitError.

        `unchanged` are the manifests that are the same on the other side.
        """
        if files.problems:
            raise ManifestError(files.problems[0])
        edits: dict[str, bytes | None] = {}
        for path in self.manifests(files):
            content = self.read(path)
            edited = _with_stand_ins(self.run.tip, content, path, environment, judged)
            if edited != content:
                edits[path] = edited
        texts: dict[str, bytes] = {}
        for path in files.loose:
            target = self.listing.resolve(path)
            if target is not None and target[0] in self.listing.files:
                texts[path] = edits.get(target[0]) or self.read(target[0])
        return read_images(texts | self._built(files, edits), unchanged=unchanged)

    def _built(self, files: Sources, edits: Mapping[str, bytes | None]) -> dict[str, bytes]:
        if not files.roots:
            return {}
        kustomize = self.run.find_kustomize()
        tree = self.run.tip.repository.lay_out(self.tree, only=files.built)
        tree.apply({path: content for path, content in edits.items() if path in files.built})
        home = tree.root.with_name(f"{tree.root.name}-home")
        home.mkdir(exist_ok=True)
        confined = kustomize.confined(home, LIMITS)
        objects: dict[str, bytes] = {}
        for folder in files.roots:
            output = confined.build(tree.root, folder or ".", unrestricted=True)
            # One by one, so that they are known by their names alone, however many there are.
            for number, text in enumerate(output.split(b"\n---\n")):
                objects[f"{folder or '.'} as it is built, object {number + 1}"] = text
        return objects


def _with_stand_ins(
    tip: Tip, content: bytes, path: str, environment: str, judged: Mapping[Application, JudgedTag]
) -> bytes:
    """Return a file with stand-ins for the tags that the gates judge in one environment."""
    layout = tip.config.layout
    tags: dict[tuple[str, str], Tag] = {}
    for application, judged_tag in judged.items():
        name = layout.marker_name(application, environment)
        if Site(application, environment) in layout.claims(path, name):
            tags[name.group, name.app] = Tag(judged_tag.stand_in, judged_tag.digest)
    try:
        return with_stand_ins(content, path, tags) if tags else content
    except ManifestError:
        # Whoever reads the file next says what is wrong with it.
        return content


def _judged_tags(
    tip: Tip, side: _Side, files: Sources, environment: str, questions: Sequence[Question]
) -> dict[Application, JudgedTag]:
    """Return the applications whose tags explain a changed image: those that the gates are asked about.

    In an environment without sources every tag may change.
    """
    judged: dict[Application, JudgedTag] = {}
    tags = {question.application: question.tag for question in questions if question.tag.name}
    applications: dict[Application, None] = dict.fromkeys(tags)
    if not tip.config.pipeline.requirements(environment):
        applications |= dict.fromkeys(_marked_applications(tip, side, files, environment))
    for application in applications:
        secret = hashlib.sha256(f"{side.tree} {application} {environment}".encode()).hexdigest()
        stand_in = JudgedTag(stand_in=f"gp-{secret[:24]}", digest=f"sha256:{secret}")
        tag = tags.get(application)
        old = _tag_at_tip(tip, Site(application, environment))
        stand_in = replace(stand_in, old=old, new=str(tag) if tag else old, unmarked=str(tag) if tag else "")
        names = _names_in_sources(tip, application, environment, stand_in)
        judged[application] = replace(stand_in, names=names)
    return judged


def _marked_applications(tip: Tip, side: _Side, files: Sources, environment: str) -> Iterator[Application]:
    layout = tip.config.layout
    for path in side.manifests(files):
        try:
            markers = scan(side.read(path), path).markers
        except ManifestError:
            continue
        for marker in markers:
            claims = layout.claims(path, MarkerName(marker.group, marker.app))
            yield from (site.application for site in claims if site.environment == environment)


def _tag_at_tip(tip: Tip, site: Site) -> str:
    try:
        return str(tip.tag(site) or "")
    except ManifestError:
        return ""


def _names_in_sources(tip: Tip, application: Application, environment: str, stand_in: JudgedTag) -> frozenset[str]:
    """Return the names of the images that an application has in the environments before."""
    names: frozenset[str] = frozenset()
    for source in tip.config.way(application).before(environment):
        try:
            marked = tip.files(Site(application, source))
            edited = {
                path: _with_stand_ins(tip, content, path, source, {application: stand_in})
                for path, content in marked.items()
            }
            names |= marked_names(read_images(edited), stand_in.stand_in)
        except ManifestError:
            continue
    return names
