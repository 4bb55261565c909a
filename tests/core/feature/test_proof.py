"""The problems that the proof finds: each case is an environment that is not as intended."""

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


def problem_of(
    before: Sequence[Object], after: Sequence[Object], *copied: Object, originals: Sequence[Object] = BEFORE
) -> str:
    copy = Copy(objects=copied, files={}, images=(), notes=(), url="", pattern="")
    return str(proof.problem_with_copy(before, after, copy, originals) or "")


def test_the_intended_environment_has_no_problem() -> None:
    assert problem_of(BEFORE, (*BEFORE, WEB_F, SERVICE_F), WEB_F, SERVICE_F) == ""


def changed(obj: Object, change: Callable[[Any], None]) -> Object:
    edited = obj.editable()
    change(edited.content)
    return edited


@pytest.mark.parametrize(
    ("after", "problem"),
    [
        ((WEB, WEB_F, SERVICE_F), "Service web: would be removed"),
        (
            (changed(WEB, lambda c: c["spec"].update(replicas="1")), SERVICE, WEB_F, SERVICE_F),
            "Deployment web: spec.replicas of the original would change",
        ),
        ((*BEFORE, WEB_F, SERVICE_F, config_map("extra")), "ConfigMap extra: would be added"),
        ((*BEFORE, WEB_F), "Service web-f: of the copy is not rendered under this name"),
        (
            (*BEFORE, changed(WEB_F, lambda c: c["spec"]["template"]["spec"]["containers"].append({})), SERVICE_F),
            "Deployment web-f: spec.template.spec.containers[1] of the copy is not rendered as intended",
        ),
        (
            (*BEFORE, WEB_F, changed(SERVICE_F, lambda c: c["spec"]["selector"].update(app="web"))),
            "Service web-f: spec.selector.app of the copy is not rendered as intended",
        ),
    ],
)
def test_a_different_object_is_named(after: Sequence[Object], problem: str) -> None:
    assert problem_of(BEFORE, after, WEB_F, SERVICE_F).startswith(problem)


def test_a_copy_under_the_name_of_an_existing_object_is_named() -> None:
    before = (*BEFORE, deployment("web-f", "other"), service("web-f", app="other"))
    assert problem_of(before, before, WEB_F, SERVICE_F).startswith("Service web-f: already exists")
    copy = Copy(objects=(WEB_F, SERVICE_F), files={}, images=(), notes=(), url="", pattern="")
    problem = proof.problem_with_copy(before, before, copy, BEFORE)
    assert problem
    assert problem.advice == "rename it, or choose another name for the feature"


@pytest.mark.parametrize(
    ("copied", "problem"),
    [
        ((WEB_F, service("web-f", app="web")), "Service web-f: would also match the pods of Deployment web"),
        ((deployment("web-f", "web"), SERVICE_F), "would also match the pods of Deployment web"),
    ],
)
def test_a_selector_that_matches_pods_of_both_sides_is_named(copied: Sequence[Object], problem: str) -> None:
    assert problem in problem_of(BEFORE, (*BEFORE, *copied), *copied)


def test_a_feature_that_gets_the_label_of_another_application_is_named() -> None:
    """Feature `f` of `web` beside an application whose label is `web-f`, under names of its own."""
    pods = (*BEFORE, deployment("other", "web-f"))
    after = (*pods, WEB_F, SERVICE_F)
    assert problem_of(pods, after, WEB_F, SERVICE_F) == (
        "Deployment other: would also match the pods of Deployment web-f"
    )
    pods = (*BEFORE, changed(deployment("other", "web-f"), lambda c: c["spec"].pop("selector")))
    assert problem_of(pods, (*pods, WEB_F, SERVICE_F), WEB_F, SERVICE_F) == (
        "Deployment web-f: would also match the pods of Deployment other"
    )


def ingress(name: str, host: str) -> Object:
    metadata = {"name": name, "labels": {LABEL: "f"} if name.endswith("-f") else {}}
    content = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata}
    return Object({**content, "spec": {"rules": [{"host": host}]}})


def test_a_host_in_use_is_named_unless_another_copy_has_it() -> None:
    web, copied = ingress("web", "*.example.com"), ingress("web-f", "f.example.com")
    before = (web, ingress("api-f", "f.example.com"))
    assert problem_of(before, (*before, copied), copied, originals=(web,)) == ""
    before = (web, ingress("shop", "f.example.com"))
    assert problem_of(before, (*before, copied), copied, originals=(web,)) == (
        "Ingress web-f: would get the host f.example.com of Ingress shop"
    )


def test_a_missing_reference_is_named_unless_the_original_lacks_it_too() -> None:
    web = deployment("web", "web", **using("settings"))
    before = (web, SERVICE, config_map("settings"))
    dangling = deployment("web-f", "web-f", **using("settings-f"))
    assert problem_of(before, (*before, dangling), dangling, originals=(web,)) == (
        "Deployment web-f: names ConfigMap settings-f, which does not exist"
    )
    shared = deployment("web-f", "web-f", **using("settings"))
    assert problem_of(before, (*before, shared), shared, originals=(web,)) == ""
    without_map = (web, SERVICE)
    assert problem_of(without_map, (*without_map, shared), shared, originals=(web,)) == ""


def test_an_object_may_be_named_with_the_namespace_that_flux_sets() -> None:
    def account(name: str) -> Object:
        return Object({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})

    def binding(name: str) -> Object:
        subjects = [{"kind": "ServiceAccount", "name": name, "namespace": "shop"}]
        content = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "subjects": subjects}
        return Object({**content, "metadata": {"name": name, "labels": {LABEL: "f"} if name == "web-f" else {}}})

    before, copied = (account("web"), binding("web")), (account("web-f"), binding("web-f"))
    assert problem_of(before, (*before, *copied), *copied, originals=before) == ""


def test_a_removal_takes_the_labelled_objects_alone() -> None:
    full = (*BEFORE, WEB_F, SERVICE_F)
    assert proof.problem_with_removal(full, BEFORE, ["f"]) is None
    assert proof.problem_with_removal(None, BEFORE, ["f"]) is None
    assert str(proof.problem_with_removal(full, (WEB,), ["f"])) == "Service web: would be removed"
    assert "is still there" in str(proof.problem_with_removal(full, (*BEFORE, WEB_F), ["f"]))
    assert str(proof.problem_with_removal(full, BEFORE, ["g"])) == "Deployment web-f: would be removed"
