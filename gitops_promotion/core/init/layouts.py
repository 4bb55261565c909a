"""Layouts that a tree may have: patterns of paths and forms of markers, from the places of environments' names."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitops_promotion.core.environments import Environment
from gitops_promotion.core.init.images import Deployer, Image
from gitops_promotion.core.init.words import rank, words_in
from gitops_promotion.core.layout import MARKER, PATH, Layout, MarkerName, path_problem

_ENDINGS = (".yaml", ".yml")
_PATTERNS = 3
_FREE = ("{group}", "{app}")
_CONTAINERS = frozenset(
    (
        *("apps", "applications", "clusters", "components", "charts", "deploy", "deployments", "environments", "envs"),
        *("gitops", "k8s", "kubernetes", "kustomize", "manifests", "overlays", "releases", "services", "stages"),
        *("tenants", "workloads"),
    )
)
"""Names of folders that contain groups, and are no groups themselves."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One layout that the tree may have: `{env}` is in the patterns or in the form of the markers.

    `environments` are the names that the tree has in place of `{env}`. `own_markers` are the forms of markers by
    environment, if no form fits all of them.
    """

    patterns: tuple[str, ...]
    marker: str
    environments: tuple[str, ...]
    own_markers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Slot:
    """A place in a path with the name of an environment.

    `folders` are those before it. In the name of a file `before` and `behind` are the texts around it; for a folder
    `below` are the folders and the file in it.
    """

    folders: tuple[str, ...]
    environment: str
    below: tuple[str, ...] = ()
    before: str = ""
    behind: str = ""

    @property
    def is_file(self) -> bool:
        return not self.below


def candidates(images: Sequence[Image], deployers: Sequence[Deployer]) -> list[Candidate]:
    """Return the layouts that the paths of these images suggest, the plainest ones first."""
    layouts: dict[Candidate, None] = {}
    for slots in _groups_of_slots(images):
        environments = tuple(sorted({slot.environment for slot in slots}))
        for patterns in _patterns(slots, images, deployers):
            if all(not path_problem(pattern) for pattern in patterns):
                for marker in _markers(images, environments):
                    layouts[Candidate(patterns, marker, environments)] = None
                if own_markers := _own_markers(images, patterns, environments):
                    layouts[Candidate(patterns, MARKER, environments, own_markers)] = None
    for candidate in _in_markers(images):
        layouts[candidate] = None
    return list(layouts)


def _groups_of_slots(images: Sequence[Image]) -> Iterator[list[_Slot]]:
    """Yield the slots that may have one pattern: all of one kind, or those below one folder of the root."""
    paths = sorted({image.path for image in images})
    for choose_last in (False, True):
        folders = [slot for path in paths if (slot := _folder_slot(path, last=choose_last))]
        yield from _with_parts(folders)
    yield from _with_parts([slot for path in paths if (slot := _file_slot(path))])


def _with_parts(slots: list[_Slot]) -> Iterator[list[_Slot]]:
    if slots:
        yield slots
    tops = sorted({slot.folders[:1] for slot in slots})
    for top in tops if len(tops) > 1 else ():
        yield [slot for slot in slots if slot.folders[:1] == top]


def _folder_slot(path: str, *, last: bool) -> _Slot | None:
    *folders, file = path.split("/")
    numbers = [number for number, folder in enumerate(folders) if rank(folder) is not None]
    if not numbers:
        return None
    number = numbers[-1 if last else 0]
    return _Slot(tuple(folders[:number]), folders[number], below=(*folders[number + 1 :], file))


def _file_slot(path: str) -> _Slot | None:
    *folders, file = path.split("/")
    ending = next((ending for ending in _ENDINGS if file.endswith(ending)), "")
    words = next(words_in(file.removesuffix(ending)), None) if ending else None
    if words is None:
        return None
    before, name, behind = words
    return _Slot(tuple(folders), name, before=before, behind=behind + ending)


def _patterns(
    slots: Sequence[_Slot], images: Sequence[Image], deployers: Sequence[Deployer]
) -> Iterator[tuple[str, ...]]:
    """Yield the patterns of slots of one kind, without names of environments in them."""
    if slots[0].is_file:
        yield from _file_patterns(slots, has_markers=any(image.marker for image in images))
        return
    below = "/{group}" if _has_groups_below(slots, deployers) else ""
    is_one_each = _is_one_each(slots, images)
    by_length: dict[int, list[tuple[str, ...]]] = {}
    for slot in slots:
        by_length.setdefault(len(slot.folders), []).append(slot.folders)
    # If the markers in one folder are of several applications, the folder is their group.
    frees = [_FREE, *([("*", "{group}")] if not is_one_each and any(image.marker for image in images) else [])]
    variants = [
        [
            "/".join((*columns, "{env}")) + below
            for free in frees
            for columns in _columns(folders, is_one_each=is_one_each, free=free)
        ]
        for folders in _by_frequency(by_length)
    ]
    yield from _combined(variants)
    if len(by_length) > 1:
        common = _common([slot.folders for slot in slots])
        yield ("/".join((*common, "**", "{env}")) + below,)


def _by_frequency(groups: Mapping[Any, list[tuple[str, ...]]]) -> list[list[tuple[str, ...]]]:
    """Return the groups with the most paths, the largest first."""
    return sorted(groups.values(), key=len, reverse=True)[:_PATTERNS]


def _combined(variants: Sequence[Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """Yield the first pattern alone, the first two together, and so on, in each of their variants."""
    for length in range(1, len(variants) + 1):
        shortest = variants[:length]
        for number in range(max(map(len, shortest))):
            yield tuple(variant[min(number, len(variant) - 1)] for variant in shortest)


def _file_patterns(slots: Sequence[_Slot], *, has_markers: bool) -> Iterator[tuple[str, ...]]:
    by_shape: dict[tuple[int, str, str], list[tuple[str, ...]]] = {}
    for slot in slots:
        by_shape.setdefault((len(slot.folders), slot.before, slot.behind), []).append(slot.folders)
    shapes = {id(folders): shape for shape, folders in by_shape.items()}
    # The name of a marker may differ from that of its folder: then the marker names the application.
    frees = [_FREE, *([("{group}", "*")] if has_markers else [])]
    variants = []
    for folders in _by_frequency(by_shape):
        _, before, behind = shapes[id(folders)]
        names = dict.fromkeys(
            "/".join((*columns, f"{before}{{env}}{behind}"))
            for free in frees
            for columns in _columns(folders, is_one_each=True, free=free)
        )
        variants.append(list(names))
    yield from _combined(variants)
    # The names of applications before those of environments: `web-dev.yaml`.
    parents = {slot.folders for slot in slots}
    behinds = sorted({slot.behind for slot in slots})
    if len({slot.before for slot in slots}) > 1 and all(slot.before[-1:] in ("-", "_", ".") for slot in slots):
        separators = {slot.before[-1] for slot in slots}
        lengths = {len(parts) for parts in parents}
        if len(separators) == 1 and len(lengths) == 1 and len(behinds) <= _PATTERNS:
            for columns in _columns(sorted(parents), is_one_each=False, free=("{group}", "*")):
                name = f"{{app}}{separators.copy().pop()}{{env}}"
                yield tuple("/".join((*columns, name + behind)) for behind in behinds)


def _columns(
    paths: Sequence[tuple[str, ...]], *, is_one_each: bool, free: Sequence[str] = _FREE
) -> Iterator[tuple[str, ...]]:
    """Yield patterns for paths of one length: placeholders take the place of the parts that differ.

    `is_one_each`: each folder has one application alone.
    """
    columns = list(zip(*paths, strict=True))
    variable = [number for number, column in enumerate(columns) if len(set(column)) > 1]
    literal = [column[0] for column in columns]
    if not variable:
        # One folder alone is a group, unless it has the name of a folder for groups.
        if len(literal) == 1 and literal[0].lower() not in _CONTAINERS:
            yield ("{group}",)
        yield tuple(literal)
        return
    choices: list[tuple[str, ...]] = []
    if len(variable) == 1:
        has_literal_before = variable[0] > 0
        single = [("{app}",), ("{group}",)] if is_one_each and has_literal_before else [("{group}",), ("{app}",)]
        choices = [names for names in single if names[0] in free] or [("*",)]
    elif len(variable) == len(free):
        choices = [tuple(free)]
    else:
        choices = [("{group}", *["*"] * (len(variable) - 2), "{app}")]
    for names in choices:
        filled = list(literal)
        for number, name in zip(variable, names, strict=True):
            filled[number] = name
        yield tuple(filled)


def _common(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the folders that all paths begin with."""
    common: list[str] = []
    for column in zip(*paths, strict=False):
        if len(set(column)) > 1:
            break
        common.append(column[0])
    return tuple(common)


def _is_one_each(slots: Iterable[_Slot], images: Sequence[Image]) -> bool:
    """Return True if each folder of environments has one application alone."""
    folders = {"/".join((*slot.folders, slot.environment)) for slot in slots}
    names: dict[str, set[str]] = {}
    for image in images:
        parts = image.path.split("/")
        for length in range(1, len(parts)):
            folder = "/".join(parts[:length])
            if folder in folders:
                names.setdefault(folder, set()).add(image.marker.app if image.marker else image.base_name)
    return all(len(applications) <= 1 for applications in names.values())


def _has_groups_below(slots: Sequence[_Slot], deployers: Sequence[Deployer]) -> bool:
    """Return True if the folders directly below those of environments are applied one by one."""
    if not all(len(slot.below) > 1 for slot in slots):
        return False
    folders = {"/".join((*slot.folders, slot.environment, slot.below[0])) for slot in slots}
    parents = {"/".join((*slot.folders, slot.environment)) for slot in slots}
    applied = {deployer.path for deployer in deployers}
    return bool(applied & folders) and not applied & parents


def _markers(images: Sequence[Image], environments: Sequence[str]) -> Iterator[str]:
    """Yield the forms that the markers of a tree may have, the default first where there is none."""
    yield MARKER
    names = {image.marker for image in images if image.marker}
    groups = {name.group for name in names}
    ends = any(name.app.endswith(f"-{environment}") for name in names for environment in environments)
    starts = any(name.app.startswith(f"{environment}-") for name in names for environment in environments)
    for group in ["{group}", *sorted(groups)][: _PATTERNS + 1]:
        if ends:
            yield f"{group}:{{app}}-{{env}}"
        if starts:
            yield f"{group}:{{env}}-{{app}}"
        if group != "{group}":
            yield f"{group}:{{app}}"


def _own_markers(
    images: Sequence[Image], patterns: Sequence[str], environments: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """Return a form of markers for each environment, if the names in some of them have a word for the environment.

    Flux's image automation needs a policy of its own for each environment, such as `stg-web` and `web`.
    """
    layout = Layout(environments=tuple(Environment(name=n, paths=tuple(patterns)) for n in environments), path=PATH)
    names: dict[str, list[MarkerName]] = {}
    for image in images:
        if image.marker:
            for environment in layout.in_reach(image.path):
                names.setdefault(environment, []).append(image.marker)
    groups = {marker.group for markers in names.values() for marker in markers}
    if len(names) != len(environments) or len(groups) != 1:
        return ()
    apps = {environment: {marker.app for marker in markers} for environment, markers in names.items()}
    forms = {environment: _affixed(environment, apps) for environment in environments}
    if set(forms.values()) == {"{app}"}:
        return ()
    return tuple((environment, f"{groups.copy().pop()}:{form}") for environment, form in forms.items())


def _affixed(environment: str, apps: Mapping[str, set[str]]) -> str:
    """Return the form `{app}`, `word-{app}` or `{app}-word` of the names in an environment.

    It is the form in which the most applications have a name that is also in the other environments.
    """
    other_names = set().union(*(names_there for name, names_there in apps.items() if name != environment))
    names = apps[environment]
    best, best_count = "{app}", len(names & other_names)
    for word in sorted({app.partition("-")[0] for app in names}):
        if (count := len({app.removeprefix(f"{word}-") for app in names} & other_names)) > best_count:
            best, best_count = f"{word}-{{app}}", count
    for word in sorted({app.rpartition("-")[2] for app in names}):
        if (count := len({app.removesuffix(f"-{word}") for app in names} & other_names)) > best_count:
            best, best_count = f"{{app}}-{word}", count
    return best


def _in_markers(images: Sequence[Image]) -> Iterator[Candidate]:
    """Yield the layouts in which only the markers name the environment: one file has several environments."""
    marked = [image for image in images if image.marker]
    environments = sorted({name for image in marked if image.marker for name in _words_at_end(image.marker.app)})
    folders = _common([tuple(image.path.split("/")[:-1]) for image in marked]) if marked else ()
    if environments and folders:
        yield Candidate(("/".join(folders),), "{group}:{app}-{env}", tuple(environments))


def _words_at_end(name: str) -> Iterator[str]:
    parts = name.split("-")
    for length in (2, 1):
        word = "-".join(parts[-length:])
        if len(parts) > length and rank(word) is not None:
            yield word
            return
