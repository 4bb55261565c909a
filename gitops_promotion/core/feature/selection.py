"""The objects of an application: which of an environment's objects are copied, and which are left out and why."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gitops_promotion.core.feature.companions import companions
from gitops_promotion.core.feature.hosts import no_host_reason
from gitops_promotion.core.feature.kinds import CONFIG_MAP, DESTINATION_RULE, SECRET, SERVICE
from gitops_promotion.core.feature.labels import POLICIES, has_other_value, rules_of, selectors
from gitops_promotion.core.feature.manifests import Object, strings, text
from gitops_promotion.core.feature.names import FEATURE_LABEL
from gitops_promotion.core.feature.paths import first, pod_templates
from gitops_promotion.core.feature.references import key_of, references
from gitops_promotion.errors import ManifestError

GENERATED_NAME = re.compile(r".+-[2456789bcdfghkmt]{10}")
"""The name of a generated ConfigMap or Secret: kustomize appends a hash, in an alphabet without vowels."""

# Objects that are copied although their selector is empty: it matches nothing, or the API server rejects it.
_OWN_PODS_OR_TRAFFIC = (
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "ReplicationController",
    "Rollout",
    "Service",
)
_MAX_VALUES = 10

LeftOut = tuple[Object, str]
"""An object that is not copied, and the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The objects to copy, those left out although they serve the application, and all that are not its own."""

    copied: tuple[Object, ...]
    left_out: tuple[LeftOut, ...]
    remaining: tuple[Object, ...]


def select(objects: Sequence[Object], selector: Mapping[str, str], folder: str) -> Selection:
    """Return which of an environment's objects are copied for a feature of an application.

    They are the objects with all labels of the selector; if none of those runs pods, also the workloads whose pods have
    the labels, with their companions. ConfigMaps and Secrets that kustomize generated for them are copied too, because
    Flux deletes the original once its content, and with it its name, changes. `folder` is for messages.

    Raises ManifestError if nothing can be copied.
    """
    originals = [obj for obj in objects if FEATURE_LABEL not in obj.labels]
    application, excluded = _application(originals, selector)
    if not application:
        hint = _hint(originals, selector)
        raise ManifestError(f"no object in {folder} has the labels {_text_of(selector)} of featureLabelSelector{hint}")
    reasons = _reasons(application)
    copied = [obj for obj in application if obj not in reasons]
    left_out = [(obj, reasons[obj]) for obj in application if obj in reasons]
    if not any(_runs_pods(obj) for obj in copied):
        described = "; ".join(f"{obj}: {reason}" for obj, reason in left_out) or "no pod template"
        raise ManifestError(
            f"no object with the labels {_text_of(selector)} in {folder} runs pods that can be copied ({described}): "
            "correct featureLabelSelector, or set featureOverwrite: true for the application"
        )
    members = set(application)
    copied_objects = {*copied, *_generated_for(copied, (obj for obj in originals if obj not in members))}
    members |= copied_objects
    return Selection(
        copied=tuple(obj for obj in objects if obj in copied_objects),
        left_out=(*left_out, *excluded),
        remaining=tuple(obj for obj in originals if obj not in members),
    )


def _application(originals: Sequence[Object], selector: Mapping[str, str]) -> tuple[list[Object], list[LeftOut]]:
    """Return the application's objects, and those that serve it and are not copied with it."""
    labelled = [obj for obj in originals if selector.items() <= obj.labels.items()]
    if any(_runs_pods(obj) and not rules_of(obj).left_out for obj in labelled):
        related = companions(labelled, _without(originals, labelled), selector)
        # The copy's notes name policies that do not apply to it.
        unlabelled = [obj for obj in related.exclusive if obj.type not in POLICIES]
        return labelled, [(obj, f"it does not have the labels {_text_of(selector)}") for obj in unlabelled]
    workloads = [obj for obj in _without(originals, labelled) if _pods_have(obj, selector)]
    members = [*labelled, *workloads]
    if not workloads:
        return members, []
    related = companions(members, _without(originals, members), selector)
    reason = f"it also serves other applications; give it the labels {_text_of(selector)} to copy it"
    return [*members, *related.exclusive], [(obj, reason) for obj in related.shared]


def _reasons(application: Sequence[Object]) -> dict[Object, str]:
    """Return the reason to leave out an object, for each object that cannot be copied."""
    copyable = [obj for obj in application if not rules_of(obj).left_out]
    reasons = {
        obj: reason
        for obj in application
        if (reason := rules_of(obj).left_out or no_host_reason(obj, copyable) or _selects_all_reason(obj))
    }
    services = {obj.name for obj in application if obj.type == SERVICE and obj not in reasons}
    for obj in application:
        if obj.type == DESTINATION_RULE and text(first(obj.content, "spec.host")).partition(".")[0] not in services:
            reasons.setdefault(obj, "its host is no Service that is copied")
    return reasons


def _selects_all_reason(obj: Object) -> str:
    if obj.kind in _OWN_PODS_OR_TRAFFIC:
        return ""
    requirements = [selector.requirements for selector in selectors([obj])]
    return "it selects everything, the copy included" if requirements and not any(requirements) else ""


def _runs_pods(obj: Object) -> bool:
    return any(True for _ in pod_templates(obj.content))


def _pods_have(obj: Object, selector: Mapping[str, str]) -> bool:
    """Return True if an object runs pods with all labels of the selector, and has none of them with another value."""
    return not has_other_value(obj, selector) and any(selector.items() <= labels.items() for labels in _pod_labels(obj))


def _pod_labels(obj: Object) -> Iterator[dict[str, str]]:
    for template in pod_templates(obj.content):
        yield strings(first(template, "metadata.labels"))


def _generated_for(copied: Iterable[Object], candidates: Iterable[Object]) -> Iterator[Object]:
    """Yield the generated ConfigMaps and Secrets among the candidates that pods of the copied objects use."""
    keys = {reference.key for obj in copied for reference in references(obj)}
    for obj in candidates:
        is_generated = obj.type in (CONFIG_MAP, SECRET) and GENERATED_NAME.fullmatch(obj.name)
        if is_generated and key_of(obj) in keys:
            yield obj


def _without(objects: Iterable[Object], members: Iterable[Object]) -> list[Object]:
    excluded = set(members)
    return [obj for obj in objects if obj not in excluded]


def _text_of(selector: Mapping[str, str]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in selector.items())


def _hint(objects: Iterable[Object], selector: Mapping[str, str]) -> str:
    """Return the end of the message that no object has the labels: the values of the first label that exist."""
    key, value = next(iter(selector.items()))
    labels = [labels for obj in objects for labels in (obj.labels, *_pod_labels(obj))]
    values = sorted({obj_labels[key] for obj_labels in labels if key in obj_labels})
    if not values:
        return f", and neither do pods: no label {key} exists there, correct featureLabelSelector"
    omitted = len(values) - _MAX_VALUES
    shown_values = ", ".join(values[:_MAX_VALUES]) + (f" and {omitted} more" if omitted > 0 else "")
    close = difflib.get_close_matches(value, values, n=1)
    suggestion = f", did you mean {close[0]}?" if close else ": use one of these values"
    return f": {key} is {shown_values} there{suggestion}"
