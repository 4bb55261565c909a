"""Selectors and labels: which labels a selector matches, and which labels a copy must change."""

from typing import Any

import pytest

from gitops_promotion.core.feature.kinds import SelectorField
from gitops_promotion.core.feature.labels import FixedLabels, Relabelling, Selector, Target, relabel
from gitops_promotion.core.feature.manifests import Object
from gitops_promotion.errors import ManifestError


def deployment(name: str, labels: dict[str, str], selector: dict[str, Any] | None = None) -> Object:
    spec = {"containers": [{"name": "web", "image": "x:1"}]}
    return Object(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {
                "selector": {"matchLabels": labels} if selector is None else selector,
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        }
    )


def service(name: str, **selector: str) -> Object:
    return Object({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"selector": selector}})


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "labels", "matched"),
    [
        ({"matchLabels": {"app": "web"}}, {"app": "web", "tier": "front"}, True),
        ({"matchLabels": {"app": "web"}}, {"app": "web-f"}, False),
        ({"matchLabels": {"app": "web"}}, {}, False),
        (expression("app", "In", "web", "cart"), {"app": "cart"}, True),
        (expression("app", "In", "web", "cart"), {"app": "web-f"}, False),
        (expression("app", "In", "web"), {}, False),
        (expression("app", "NotIn", "web", "cart"), {"app": "web"}, False),
        (expression("app", "NotIn", "web", "cart"), {"app": "web-f"}, True),
        (expression("app", "NotIn", "web"), {}, True),
        (expression("app", "Exists"), {"app": "web"}, True),
        (expression("app", "Exists"), {"tier": "front"}, False),
        (expression("app", "DoesNotExist"), {"app": "web"}, False),
        (expression("app", "DoesNotExist"), {"tier": "front"}, True),
        ({"matchLabels": {"app": "web"}, **expression("tier", "Exists")}, {"app": "web"}, False),
        ({"matchLabels": {"app": "web"}, **expression("tier", "Exists")}, {"app": "web", "tier": "front"}, True),
        ({}, {"app": "web"}, True),
        (expression("app", "Gt", "1"), {"app": "web"}, True),
    ],
)
def test_each_operator_of_a_selector_matches_its_labels(
    selector: dict[str, Any], labels: dict[str, str], matched: bool
) -> None:
    target = Target(deployment("web", labels), "pods", labels)
    assert Selector(deployment("web", {}), SelectorField("spec.selector"), selector).matches(target) is matched


def test_an_empty_selector_of_a_service_matches_nothing() -> None:
    target = Target(deployment("web", {"app": "web"}), "pods", {"app": "web"})
    assert not Selector(service("web"), SelectorField("spec.selector", plain=True), {}).matches(target)


def relabelled(application: list[Object], remaining: list[Object], *fixed: str) -> Relabelling:
    labels = FixedLabels(on_pods=frozenset(fixed), sources=dict.fromkeys(fixed, "labels[0] of k"))
    return relabel(application, remaining, keys=["app"], feature="f", fixed=labels)


@pytest.mark.parametrize(
    ("selector", "changed"),
    [
        ({"matchLabels": {"app": "web"}}, {"app"}),
        (expression("app", "In", "web"), {"app"}),
        (expression("tier", "In", "front"), {"app", "tier"}),
        ({"matchLabels": {"tier": "front"}, **expression("app", "Exists")}, {"app", "tier"}),
        ({"matchLabels": {"tier": "front"}, **expression("app", "NotIn", "cart")}, {"app", "tier"}),
        ({"matchLabels": {"tier": "front"}, **expression("old", "DoesNotExist")}, {"app", "tier"}),
        (expression("app", "NotIn", "web-f"), {"app"}),
    ],
)
def test_the_copy_changes_the_labels_by_which_a_selector_would_match_it(
    selector: dict[str, Any], changed: set[str]
) -> None:
    web = deployment("web", {"app": "web", "tier": "front"}, selector)
    assert set(relabelled([web], []).values) == changed


@pytest.mark.parametrize("selector", [expression("app", "Exists"), expression("old", "DoesNotExist"), {}])
def test_a_selector_without_a_required_value_cannot_be_told_from_the_copy(selector: dict[str, Any]) -> None:
    web = deployment("web", {"app": "web"}, selector)
    with pytest.raises(ManifestError, match="Deployment web would also match the pods of a copy of Deployment web"):
        relabelled([web], [])


def test_a_label_that_the_environment_sets_on_all_pods_tells_no_copy_apart() -> None:
    web = deployment("web", {"app": "web", "tier": "front"})
    shared = service("shared", tier="front")
    with pytest.raises(ManifestError, match=r"by tier alone, which labels\[0\] of k sets on all pods and selectors"):
        relabelled([web], [shared], "tier")
    assert set(relabelled([web], [shared]).values) == {"app", "tier"}
