"""What the proof refuses: each case is an environment that is not as intended."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from gitops_promotion.core.feature import proof
from gitops_promotion.core.feature.copy import Copy
from gitops_promotion.core.feature.manifests import Object

LABEL = "gitops-promotion.xenit.io/feature"


def deployment(name: str, app: str, **pod: Any) -> Object:
    labels = {"app": app} | ({LABEL: "f"} if name.endswith("-f") else {})
    spec = {"containers": [{"name": "web", "image": "x:1"}], **pod}
    return Object(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "selector": {"matchLabels": {"app": app}},
                "template": {"metadata": {"labels": {"app": app}}, "spec": spec},
            },
        }
    )


def service(name: str, **selector: str) -> Object:
    metadata = {"name": name, "labels": {LABEL: "f"} if name.endswith("-f") else {}}
    return Object({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": selector}})


def config_map(name: str, **data: str) -> Object:
    return Object({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})


def using(name: str) -> dict[str, Any]:
    return {"volumes": [{"name": "x", "configMap": {"name": name}}]}


WEB, SERVICE = deployment("web", "web"), service("web", app="web")
BEFORE = (WEB, SERVICE)
WEB_F, SERVICE_F = deployment("web-f", "web-f"), service("web-f", app="web-f")


def judged(
    before: Sequence[Object], after: Sequence[Object], *copied: Object, originals: Sequence[Object] = BEFORE
) -> str:
    copy = Copy(objects=copied, files={}, images=(), notes=(), url="", pattern="")
    return str(proof.of_copy(before, after, copy, originals) or "")


def test_what_is_as_intended_is_proved() -> None:
    assert judged(BEFORE, (*BEFORE, WEB_F, SERVICE_F), WEB_F, SERVICE_F) == ""


def changed(each: Object, change: Callable[[Any], None]) -> Object:
    new = each.editable()
    change(new.content)
    return new


@pytest.mark.parametrize(
    ("after", "fault"),
    [
        ((WEB, WEB_F, SERVICE_F), "Service web: would be gone"),
        (
            (changed(WEB, lambda c: c["spec"].update(replicas="1")), SERVICE, WEB_F, SERVICE_F),
            "Deployment web: spec.replicas of the original would change",
        ),
        ((*BEFORE, WEB_F, SERVICE_F, config_map("more")), "ConfigMap more: would be there as well"),
        ((*BEFORE, WEB_F), "Service web-f: of the copy does not come out under this name"),
        (
            (*BEFORE, changed(WEB_F, lambda c: c["spec"]["template"]["spec"]["containers"].append({})), SERVICE_F),
            "Deployment web-f: spec.template.spec.containers[1] of the copy does not come out",
        ),
        (
            (*BEFORE, WEB_F, changed(SERVICE_F, lambda c: c["spec"]["selector"].update(app="web"))),
            "Service web-f: spec.selector.app of the copy does not come out",
        ),
    ],
)
def test_what_comes_out_otherwise_is_named(after: Sequence[Object], fault: str) -> None:
    assert judged(BEFORE, after, WEB_F, SERVICE_F).startswith(fault)


def test_a_copy_that_would_replace_something_is_named() -> None:
    taken = (*BEFORE, service("web-f", app="other"))
    assert judged(taken, taken, WEB_F, SERVICE_F).startswith("Service web-f: exists already")


@pytest.mark.parametrize(
    ("copied", "fault"),
    [
        ((WEB_F, service("web-f", app="web")), "Service web-f: would take the pods of Deployment web"),
        ((deployment("web-f", "web"), SERVICE_F), "would take the pods of Deployment web"),
    ],
)
def test_a_selector_that_takes_pods_of_both_sides_is_named(copied: Sequence[Object], fault: str) -> None:
    assert fault in judged(BEFORE, (*BEFORE, *copied), *copied)


def test_a_feature_that_makes_another_applications_label_is_named() -> None:
    """Feature `f` of `web` beside an application whose label is `web-f`, under names of its own."""
    pods = (*BEFORE, deployment("other", "web-f"))
    after = (*pods, WEB_F, SERVICE_F)
    assert judged(pods, after, WEB_F, SERVICE_F) == (
        "Deployment other: would take the pods of Deployment web-f, name the feature otherwise"
    )
    pods = (*BEFORE, changed(deployment("other", "web-f"), lambda c: c["spec"].pop("selector")))
    assert judged(pods, (*pods, WEB_F, SERVICE_F), WEB_F, SERVICE_F) == (
        "Deployment web-f: would take the pods of Deployment other, name the feature otherwise"
    )


def ingress(name: str, host: str) -> Object:
    metadata = {"name": name, "labels": {LABEL: "f"} if name.endswith("-f") else {}}
    content = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata}
    return Object({**content, "spec": {"rules": [{"host": host}]}})


def test_a_host_that_is_in_use_is_named_but_not_one_that_another_copy_has() -> None:
    web, copied = ingress("web", "*.example.com"), ingress("web-f", "f.example.com")
    before = (web, ingress("api-f", "f.example.com"))
    assert judged(before, (*before, copied), copied, originals=(web,)) == ""
    before = (web, ingress("shop", "f.example.com"))
    assert judged(before, (*before, copied), copied, originals=(web,)) == (
        "Ingress web-f: would take the host f.example.com from Ingress shop, name the feature otherwise"
    )


def test_a_reference_that_finds_nothing_is_named_but_not_what_is_elsewhere_for_both() -> None:
    web = deployment("web", "web", **using("settings"))
    before = (web, SERVICE, config_map("settings"))
    lost = deployment("web-f", "web-f", **using("settings-f"))
    assert judged(before, (*before, lost), lost, originals=(web,)) == (
        "Deployment web-f: names ConfigMap settings-f, which is not there"
    )
    shared = deployment("web-f", "web-f", **using("settings"))
    assert judged(before, (*before, shared), shared, originals=(web,)) == ""
    elsewhere = (web, SERVICE)
    assert judged(elsewhere, (*elsewhere, shared), shared, originals=(web,)) == ""


def test_a_removal_takes_what_is_labelled_and_nothing_else() -> None:
    full = (*BEFORE, WEB_F, SERVICE_F)
    assert proof.of_removal(full, BEFORE, ["f"]) is None
    assert proof.of_removal(None, BEFORE, ["f"]) is None
    assert str(proof.of_removal(full, (WEB,), ["f"])) == "Service web: would be gone"
    assert "is still there" in str(proof.of_removal(full, (*BEFORE, WEB_F), ["f"]))
    assert str(proof.of_removal(full, BEFORE, ["g"])) == "Deployment web-f: would be gone"
