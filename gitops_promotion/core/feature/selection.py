"""Which of an environment's objects a copy is made of, and which are left out, with the reason."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gitops_promotion.core.feature.hosts import no_host
from gitops_promotion.core.feature.kinds import CONFIG_MAP, DESTINATION_RULE, POD_REFERENCES, SECRET, SERVICE
from gitops_promotion.core.feature.labels import kind_of, selectings
from gitops_promotion.core.feature.manifests import Object, strings, text
from gitops_promotion.core.feature.names import FEATURE_LABEL
from gitops_promotion.core.feature.paths import first, pod_templates, slots
from gitops_promotion.errors import ManifestError

# What kustomize puts behind the names of what it generates: ten characters of an alphabet without vowels and the like.
_HASHED = re.compile(r".+-[2456789bcdfghkmt]{10}")
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Rollout", "Service")


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedObjects:
    """The application's objects: those to copy, and those left out with the reason; `others` is the rest."""

    copied: tuple[Object, ...]
    left_out: tuple[tuple[Object, str], ...]
    others: tuple[Object, ...]


def choose(objects: Sequence[Object], selector: Mapping[str, str], where: str) -> SelectedObjects:
    """Return the objects that carry all labels of the selector and belong to no feature, sorted out.

    What kustomize generated for them comes along: its name changes with its content, and then it would be gone from
    under the copy. Raises ManifestError if nothing can be copied.
    """
    originals = [each for each in objects if FEATURE_LABEL not in each.labels]
    mine = [each for each in originals if selector.items() <= each.labels.items()]
    shown = ", ".join(f"{key}: {value}" for key, value in selector.items())
    if not mine:
        raise ManifestError(
            f"nothing in {where} has the labels {shown} of featureLabelSelector{_near(originals, selector)}"
        )
    candidates = [each for each in mine if not kind_of(each).left_out]
    reasons: dict[int, str] = {}
    for each in mine:
        # Routes first: what points at them is judged by what is left.
        reasons[id(each)] = kind_of(each).left_out or no_host(each, candidates) or _selects_all(each)
    copied = [each for each in mine if not reasons[id(each)]]
    services = {each.name for each in copied if each.type == SERVICE}
    for each in copied:
        if each.type == DESTINATION_RULE and text(first(each.content, "spec.host")).partition(".")[0] not in services:
            reasons[id(each)] = "its host is no Service that is copied"
    copied = [each for each in copied if not reasons[id(each)]]
    if not any(True for each in copied for _ in pod_templates(each.content)):
        left = "; ".join(f"{each}: {reasons[id(each)]}" for each in mine if reasons[id(each)])
        raise ManifestError(
            f"nothing with the labels {shown} in {where} runs pods that can be copied ({left or 'no pod template'}): "
            "correct featureLabelSelector, or set featureOverwrite: true for the application"
        )
    generated = [each for each in originals if each not in mine and _is_generated_for(each, copied)]
    taken = {id(each) for each in (*mine, *generated)}
    return SelectedObjects(
        copied=tuple(each for each in objects if id(each) in taken and not reasons.get(id(each))),
        left_out=tuple((each, reasons[id(each)]) for each in mine if reasons[id(each)]),
        others=tuple(each for each in originals if id(each) not in taken),
    )


def _selects_all(each: Object) -> str:
    if each.kind in _WORKLOADS:
        return ""
    found = list(selectings([each]))
    return "it selects everything, the copy too" if found and all(selecting.empty for selecting in found) else ""


def _is_generated_for(each: Object, copied: Iterable[Object]) -> bool:
    if each.type not in (CONFIG_MAP, SECRET) or not _HASHED.fullmatch(each.name):
        return False
    return any(
        slot.text == each.name
        for user in copied
        if user.namespace == each.namespace
        for template in pod_templates(user.content)
        for reference in POD_REFERENCES
        if reference.type == each.type
        for slot in slots(template, reference.path)
    )


def _near(objects: Sequence[Object], selector: Mapping[str, str]) -> str:
    key = next(iter(selector))
    values = sorted({each.labels[key] for each in objects if key in each.labels})
    for each in objects:
        for template in pod_templates(each.content):
            if template is not each.content and selector.items() <= strings(first(template, "metadata.labels")).items():
                return f": only the pods of {each} have them; give the objects themselves those labels too"
    if not values:
        return f": no object there has a label {key}"
    near = difflib.get_close_matches(selector[key], values, n=1)
    hint = f", did you mean {near[0]}?" if near else ""
    more = f" and {len(values) - 10} more" if len(values) > 10 else ""
    return f": {key} is {', '.join(values[:10])}{more} there{hint}"
