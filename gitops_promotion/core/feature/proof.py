"""Is what the environment gives with a copy what it gave before, and the copy? Each answer names what is in the way."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gitops_promotion.core.feature.copy import Copy, provides
from gitops_promotion.core.feature.hosts import routed
from gitops_promotion.core.feature.kinds import API_KEYS, POD_REFERENCES, SECRET, full_type
from gitops_promotion.core.feature.labels import TAKERS, kind_of, shared_with
from gitops_promotion.core.feature.manifests import Id, Object, text
from gitops_promotion.core.feature.names import FEATURE_LABEL
from gitops_promotion.core.feature.paths import difference, first, pod_templates, slots
from gitops_promotion.core.feature.per_kind import drop_origins


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as intended: where, and what stands there instead."""

    id: Id | None
    path: str
    what: str

    def __str__(self) -> str:
        named = f"{self.id[1]} {self.id[3]}" if self.id else "the environment"
        return f"{named}: {self.path + ' ' if self.path else ''}{self.what}"


def of_copy(
    before: Sequence[Object], after: Sequence[Object], copy: Copy, originals: Sequence[Object]
) -> Problem | None:
    """Return what is wrong with an environment that holds a copy; None if all is as intended.

    Everything that was there is unchanged, the new objects are exactly the copy's, no selector takes pods of both
    sides or of another application, no host of the copy's is in use, and what the original's references find, the
    copy's find too.
    """
    wanted = {each.id: each for each in copy.objects}
    if twice := wanted.keys() & {each.id for each in before}:
        return Problem(min(twice), "", "exists already, and would be the copy's: rename one of them, or the feature")
    return (
        _unchanged(before, after, added=wanted.keys())
        or next(_not_as_wanted(wanted, _by_id(after)), None)
        or next(_shared(originals, copy), None)
        or next(_shared_with_others(before, originals, copy), None)
        or next(_crowded(before, copy), None)
        or next(_dangling(before, after, originals, copy), None)
    )


def of_removal(before: Sequence[Object] | None, after: Sequence[Object], features: Iterable[str]) -> Problem | None:
    """Return what is wrong with an environment from which copies were removed; `before` None: it did not build.

    Everything but objects with these features' labels is there, unchanged.
    """
    gone = set(features)
    if left := next((each for each in after if each.labels.get(FEATURE_LABEL) in gone), None):
        return Problem(left.id, "", "is still there: something else holds it than the feature's folder")
    staying = [each for each in before or after if each.labels.get(FEATURE_LABEL) not in gone]
    return _unchanged(staying, after, added=())


def _by_id(objects: Iterable[Object]) -> dict[Id, Object]:
    return {each.id: each for each in objects}


def _unchanged(before: Sequence[Object], after: Sequence[Object], added: Iterable[Id]) -> Problem | None:
    old, new = _by_id(before), _by_id(after)
    for key, each in old.items():
        if key not in new:
            return Problem(key, "", "would be gone")
        if path := difference(each.content, new[key].content):
            return Problem(key, path, "of the original would change")
    if extra := new.keys() - old.keys() - set(added):
        return Problem(min(extra), "", "would be there as well, which nobody asked for")
    return None


def _not_as_wanted(wanted: Mapping[Id, Object], after: Mapping[Id, Object]) -> Iterator[Problem]:
    for key, each in wanted.items():
        if key not in after:
            yield Problem(key, "", "of the copy does not come out under this name")
            continue
        came = after[key].editable().content
        drop_origins(came)
        if path := difference(each.content, came):
            yield Problem(key, path, "of the copy does not come out as it was written")


def _shared(originals: Sequence[Object], copy: Copy) -> Iterator[Problem]:
    for one, other in ((copy.objects, originals), (originals, copy.objects)):
        for taker, taken in shared_with(one, other):
            yield Problem(taker.id, "", f"would take the pods of {taken}")


def _shared_with_others(before: Sequence[Object], originals: Sequence[Object], copy: Copy) -> Iterator[Problem]:
    """Yield what the copy's labels make it share with another application: of web feature api is not web-api."""
    mine = {each.id for each in originals}
    others = [each for each in before if each.id not in mine]
    for taker, found in shared_with((each for each in others if each.type in TAKERS), copy.objects):
        yield Problem(taker.id, "", f"would take the pods of {found}, name the feature otherwise")
    for original, each in zip(originals, copy.objects, strict=True):
        known = {found.id for _, found in shared_with([original], others)}
        for taker, found in shared_with([each], others):
            if found.id not in known:
                yield Problem(taker.id, "", f"would take the pods of {found}, name the feature otherwise")


def _crowded(before: Sequence[Object], copy: Copy) -> Iterator[Problem]:
    """Yield the copy's hosts that are in use; what other applications show for the same feature may share one."""
    users = dict(routed(each for each in before if FEATURE_LABEL not in each.labels))
    for host, each in routed(copy.objects):
        if host in users:
            yield Problem(each.id, "", f"would take the host {host} from {users[host]}, name the feature otherwise")


def _dangling(
    before: Sequence[Object], after: Sequence[Object], originals: Sequence[Object], copy: Copy
) -> Iterator[Problem]:
    """Yield the copy's references to nothing, but for those to what is not in the environment for the original too."""
    there, then = _names(before), _names(after)
    for original, each in zip(originals, copy.objects, strict=True):
        elsewhere = {named for named in _references(original) if (*named, original.namespace) not in there}
        for kind, name in _references(each):
            if (kind, name, each.namespace) not in then and (kind, name) not in elsewhere:
                yield Problem(each.id, "", f"names {kind.rpartition('/')[2]} {name}, which is not there")


def _names(objects: Sequence[Object]) -> set[tuple[str, str, str]]:
    found = {(each.type, each.name, each.namespace) for each in objects}
    return found | {(SECRET, secret, each.namespace) for each in objects for secret in provides(each)}


def _references(each: Object) -> Iterator[tuple[str, str]]:
    for template in pod_templates(each.content):
        for reference in POD_REFERENCES:
            yield from ((reference.type, slot.text) for slot in slots(template, reference.path))
    for reference in kind_of(each).references:
        for slot in slots(each.content, reference.path):
            if reference.type:
                yield reference.type, slot.text
            else:
                api = next((found for key in API_KEYS if (found := text(first(slot.value, key)))), "")
                kind = full_type(api, text(first(slot.value, "kind")), reference.default)
                yield kind, text(first(slot.value, "name"))
