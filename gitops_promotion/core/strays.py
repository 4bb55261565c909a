"""Markers that belong to no environment: why, and which key of the configuration would have to change."""

import difflib
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

from gitops_promotion.core.branch_names import fill
from gitops_promotion.core.environments import Pipeline
from gitops_promotion.core.layout import MARKER, Layout, MarkerName, marker_problem, path_problem
from gitops_promotion.core.names import Application
from gitops_promotion.core.pages import page

_SHOWN = 3
# Enough markers to find the best suggestion: a tree may have thousands.
_SAMPLE = 50
_FILE_ENDING = re.compile(r"\.ya?ml$")
_SHORTEST_PREFIX = 3
_FLUX_NAMESPACE = "flux-system"
_NEAR = 0.8


@dataclass(frozen=True, slots=True, order=True)
class Stray:
    """A marker that no environment claims."""

    path: str
    line: int
    name: MarkerName

    @property
    def at(self) -> str:
        """The place of the marker for messages: `file:line`."""
        return f"{self.path}:{self.line}"


class Advice(NamedTuple):
    """A problem, and the step that solves it."""

    problem: str
    step: str

    def __str__(self) -> str:
        """Return both as the text of an error."""
        return f"{self.problem}: {self.step}"


@dataclass(frozen=True, slots=True)
class _Suggestion:
    """A key, a value for it, and the layout that the configuration would have with it."""

    key: str
    value: str
    layout: Layout


def mismatch(layout: Layout, stray: Stray) -> str:
    """Return why a marker in a file of an environment does not belong to it, "" if the file is of no environment."""
    advice = mismatch_advice(layout, stray)
    return f"{stray.at}: {advice}" if advice else ""


def mismatch_advice(layout: Layout, stray: Stray) -> Advice | None:
    """Return why a marker in a file of an environment does not belong to it, None if the file is of no environment."""
    environments = layout.in_reach(stray.path)
    if not environments:
        return None
    forms = dict.fromkeys(
        f"{form} ({environment})" for environment in environments for form in layout.forms_in(stray.path, environment)
    )
    keys = dict.fromkeys(layout.marker_key(environment) for environment in environments)
    return Advice(
        f"the marker {stray.name} belongs to no environment: markers in this file are {' or '.join(forms)}",
        f"correct the marker, or {' or '.join(keys)}",
    )


def unclaimed(layout: Layout, stray: Stray) -> str:
    """Return the sentence that a marker belongs to no environment, why, and what to do."""
    keys = dict.fromkeys(layout.path_key(environment.name) for environment in layout.environments)
    return mismatch(layout, stray) or (
        f"{stray.at}: the marker {stray.name} belongs to no environment, since no path takes the file in: correct "
        f"{' or '.join(keys)}, or move the file"
    )


def without_way(
    way: Pipeline, application: Application, sites: Collection[tuple[Application, str]], *, nearness: float = _NEAR
) -> str:
    """Return the sentence that no promotion reaches an application, with a similar name that may be meant.

    It is "" if a promotion reaches the application, or if no name is similar.

    `sites` are all applications with the environments that have markers of them; `nearness` of a name is from 0 to 1.
    """
    present = [name for name in way.names if (application, name) in sites]
    sources = dict.fromkeys(source for name in present for source in way.sources(name))
    if not sources or way.entry.name in present or set(sources) & set(present):
        return ""
    siblings = sorted({app.name for app, name in sites if app.group == application.group and name in sources})
    near = difflib.get_close_matches(application.name, siblings, n=1, cutoff=nearness)
    if not near:
        return ""
    return (
        f"no promotion brings {application} into {' or '.join(present)}, since it has no marker in "
        f"{' or '.join(sources)}: add one, or did you mean {application.group}/{near[0]}?"
    )


NO_MARKER = Advice(
    'the tree has no "$imagepolicy" marker, so there is nothing to promote',
    f"put a marker behind each tag to promote, as on {page('docs/markers.md')}",
)
"""The advice for a tree without any marker."""


def nothing_found(layout: Layout, strays: Sequence[Stray]) -> str:
    """Return the error if no environment has a marker: the patterns, the places of markers, and the key to change."""
    return str(nothing_found_advice(layout, strays))


def nothing_found_advice(layout: Layout, strays: Sequence[Stray]) -> Advice:
    """Return the advice if no environment has a marker: the patterns, the places of markers, and the key to change."""
    patterns = dict.fromkeys(
        f"{environment.name} in {' or '.join(layout.filled_patterns(environment.name))}"
        for environment in layout.environments
    )
    places = [f"{stray.at} ({stray.name})" for stray in strays[:_SHOWN]]
    if len(strays) > _SHOWN:
        places.append(f"{len(strays) - _SHOWN} more")
    suggestion = _best_suggestion(layout, strays)
    keys = dict.fromkeys(layout.path_key(environment.name) for environment in layout.environments)
    return Advice(
        f"no environment has a marker: the patterns are {', '.join(patterns)}; markers are in {', '.join(places)}",
        f'set {suggestion.key}, such as "{suggestion.value}"'
        if suggestion
        else f"correct {' or '.join(keys)}, or the names of the environments",
    )


def without_markers(layout: Layout, environment: str, strays: Sequence[Stray], *, has_files: bool) -> Advice:
    """Return the advice if an environment has no marker and others have some; `has_files`: its patterns find files."""
    patterns = " or ".join(layout.filled_patterns(environment))
    place = suggested_place(layout, environment, strays)
    if has_files:
        step = f"add markers there, or {place or f'correct {layout.path_key(environment)}'}"
        return Advice(f"{environment} has no marker of any application in {patterns}", step)
    step = place or f"correct {layout.path_key(environment)}, or take {environment} out of environments"
    return Advice(f"{environment} has no file: nothing matches {patterns}", step)


def suggested_place(layout: Layout, environment: str, strays: Sequence[Stray]) -> str:
    """Return a marker that an environment without any may be meant to have, and what to do; "" if there is none.

    The other environments have their markers, so the advice changes only this environment.
    """
    outside = [stray for stray in strays if environment not in layout.in_reach(stray.path)]
    for stray in outside[:_SAMPLE]:
        text = f"{stray.at} has the marker {stray.name}"
        renamed = _with_other_ending(stray.path)
        if any(site.environment == environment for site in layout.claims(renamed, stray.name)):
            return f"{text}: rename the file to {renamed}"
        for suggestion in _paths(layout, stray):
            if any(site.environment == environment for site in suggestion.layout.claims(stray.path, stray.name)):
                value = fill(suggestion.value, env=environment)
                return f'{text}: set {layout.own_key(environment, "path")}, such as "{value}"'
    return ""


def _with_other_ending(path: str) -> str:
    """Return a path with `.yaml` in place of `.yml`, or `.yml` in place of `.yaml`."""
    return f"{path[:-4]}.yaml" if path.endswith(".yml") else re.sub(r"\.yaml$", ".yml", path)


def _best_suggestion(layout: Layout, strays: Sequence[Stray]) -> _Suggestion | None:
    """Return the suggestion with which the most markers would belong to an environment, None if none would."""
    sample = strays[:_SAMPLE]
    suggestions = {(s.key, s.value): s for stray in sample for s in _suggestions(layout, stray)}
    counts = {
        key: sum(bool(suggestion.layout.claims(stray.path, stray.name)) for stray in sample)
        for key, suggestion in islice(suggestions.items(), _SAMPLE)
    }
    best = max(counts, key=lambda key: counts[key], default=None)
    return suggestions[best] if best is not None and counts[best] else None


def _suggestions(layout: Layout, stray: Stray) -> Iterator[_Suggestion]:
    # Flux's image automation names its own namespace where this tool names a group.
    if stray.name.group == _FLUX_NAMESPACE:
        yield from _markers(layout, stray)
    yield from _paths(layout, stray)
    yield from _markers(layout, stray)


def _paths(layout: Layout, stray: Stray) -> Iterator[_Suggestion]:
    """Yield the patterns that a path suggests: `clusters/dev/shop/web.yaml` suggests `clusters/{env}/{group}`."""
    *folders, file = stray.path.split("/")
    stem = _FILE_ENDING.sub("", file)
    for environment in layout.environments:
        name = environment.name
        segments = [_placeholder(segment, name, stray.name) for segment in folders]
        word = rf"(?:^|(?<=[._-])){re.escape(name)}(?=$|[._-])"
        if name in folders:
            last = max(number for number, segment in enumerate(segments) if segment.startswith("{"))
            yield from _path(layout, name, "/".join(segments[: last + 1]))
        elif re.search(word, stem):
            yield from _path(layout, name, "/".join([*segments, re.sub(word, "{env}", stem) + file[len(stem) :]]))
        for number, segment in enumerate(folders):
            if _resembles(segment, name):
                paths = ("/".join(folders[: number + 1]),)
                changed = replace(environment, paths=paths)
                yield _Suggestion(layout.own_key(name, "path"), paths[0], layout.with_environment(changed))


def _path(layout: Layout, environment: str, pattern: str) -> Iterator[_Suggestion]:
    """Yield a pattern for all environments, or for this one if it has a path of its own."""
    if path_problem(pattern):
        return
    key = layout.path_key(environment)
    if key == "pathTemplate":
        yield _Suggestion(key, pattern, replace(layout, path=pattern))
        return
    paths = (fill(pattern, env=environment),)
    settings = next(candidate for candidate in layout.environments if candidate.name == environment)
    yield _Suggestion(key, paths[0], layout.with_environment(replace(settings, paths=paths)))


def _markers(layout: Layout, stray: Stray) -> Iterator[_Suggestion]:
    """Yield the forms that a marker suggests, where its file is one of an environment."""
    for environment in layout.in_reach(stray.path):
        forms = [f"{stray.name.group}:{{app}}", MARKER]
        if stray.name.app.endswith(f"-{environment}"):
            forms = [f"{stray.name.group}:{{app}}-{{env}}", "{group}:{app}-{env}", *forms]
        key = layout.marker_key(environment)
        settings = next(candidate for candidate in layout.environments if candidate.name == environment)
        for form in forms:
            if marker_problem(form):
                continue
            if key == "markerTemplate":
                yield _Suggestion(key, form, replace(layout, marker=form))
            else:
                yield _Suggestion(key, form, layout.with_environment(replace(settings, marker=form)))


def _placeholder(segment: str, environment: str, name: MarkerName) -> str:
    return {environment: "{env}", name.group: "{group}", name.app: "{app}"}.get(segment, segment)


def _resembles(segment: str, environment: str) -> bool:
    """Return True if a folder may stand for an environment: `production` for `prod`."""
    shorter, longer = sorted((segment, environment), key=len)
    return segment != environment and len(shorter) >= _SHORTEST_PREFIX and longer.startswith(shorter)
