"""The key `groups`: the settings of applications."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gitops_promotion.core.config import environments as section
from gitops_promotion.core.config import pull_requests
from gitops_promotion.core.config.document import Document, Entry
from gitops_promotion.core.config.values import is_label_key, label_problem, name_problem
from gitops_promotion.core.environments import Environment

GROUP_KEYS = ("applications",)
"""The keys of a group."""

APPLICATION_KEYS = ("featureOverwrite", "featureLabelSelector", "environments", "sourceRepository")
"""The keys of an application."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationSettings:
    """The settings of one application: its features, the environments it passes through (empty: all), its sources.

    `source_repository` is the address of the repository that it is built from, "" if it is not given.
    """

    feature_overwrite: bool = False
    feature_label_selector: Mapping[str, str] = field(default_factory=dict)
    environments: tuple[str, ...] = ()
    source_repository: str = ""


def read_groups(
    document: Document, entry: Entry | None, environments: Sequence[Environment]
) -> dict[str, dict[str, ApplicationSettings]]:
    """Return the settings of the applications by group and name."""
    groups: dict[str, dict[str, ApplicationSettings]] = {}
    for group, group_entry in document.mapping(entry, "groups", None).items():
        key_path = f"groups.{group}"
        _check_key(document, group_entry, "group", group)
        fields = document.mapping(group_entry, key_path, GROUP_KEYS)
        groups[group] = {}
        for name, app_entry in document.mapping(fields.get("applications"), f"{key_path}.applications", None).items():
            _check_key(document, app_entry, "application", name)
            groups[group][name] = _application(document, app_entry, f"{key_path}.applications.{name}", environments)
    return groups


def _check_key(document: Document, entry: Entry, noun: str, text: str) -> None:
    if problem := name_problem(noun, text):
        document.fail(entry.line, problem)


def _application(
    document: Document, entry: Entry, key_path: str, environments: Sequence[Environment]
) -> ApplicationSettings:
    fields = document.mapping(entry, key_path, APPLICATION_KEYS)
    selector: dict[str, str] = {}
    labels_path = f"{key_path}.featureLabelSelector"
    for label, value in document.mapping(fields.get("featureLabelSelector"), labels_path, None).items():
        if not is_label_key(label):
            document.fail(value.line, f"{labels_path} has the key {label!r}, write a Kubernetes label's key")
        selector[label] = document.checked(value, f"{labels_path}.{label}", label_problem, "")
    return ApplicationSettings(
        feature_overwrite=document.boolean(fields.get("featureOverwrite"), f"{key_path}.featureOverwrite"),
        feature_label_selector=selector,
        environments=section.read_way(document, fields.get("environments"), f"{key_path}.environments", environments),
        source_repository=pull_requests.read_repository(
            document, fields.get("sourceRepository"), f"{key_path}.sourceRepository"
        ),
    )
