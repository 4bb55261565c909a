"""The objects of an application in an environment: by their labels, or by the labels of their pods."""

import textwrap
from typing import TYPE_CHECKING

import pytest

from gitops_promotion.core.feature.manifests import Object, parse
from gitops_promotion.core.feature.selection import Selection, select
from gitops_promotion.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Callable

LABELS = "app: web"


def deployment(name: str = "web", pods: str = LABELS, labels: str = "", volumes: str = "") -> str:
    return (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, labels: {{{labels}}}}}\nspec:\n"
        f"  selector: {{matchLabels: {{{pods}}}}}\n  template:\n    metadata: {{labels: {{{pods}}}}}\n"
        f"    spec: {{containers: [{{name: web, image: x}}], volumes: [{volumes}]}}\n"
    )


def manifest(kind: str, spec: str, name: str = "web", api: str = "v1", labels: str = "") -> str:
    head = f"apiVersion: {api}\nkind: {kind}\nmetadata: {{name: {name}, labels: {{{labels}}}}}\nspec:\n"
    return head + textwrap.indent(spec, "  ") + "\n"


def service(selector: str = LABELS, name: str = "web", labels: str = "") -> str:
    return manifest("Service", f"selector: {{{selector}}}\nports: [{{port: 80}}]", name, labels=labels)


def backend(*services: str) -> str:
    paths = ", ".join(f"{{path: /{name}, backend: {{service: {{name: {name}}}}}}}" for name in services)
    return f"rules: [{{host: web.example.com, http: {{paths: [{paths}]}}}}]"


def ingress(*services: str, labels: str = "") -> str:
    return manifest("Ingress", backend(*services), api="networking.k8s.io/v1", labels=labels)


def selected(*documents: str, selector: dict[str, str] | None = None) -> Selection:
    return select(parse("---\n".join(documents).encode()), selector or {"app": "web"}, "shop/dev")


def names(objects: tuple[Object, ...]) -> set[str]:
    return {f"{obj.kind} {obj.name}" for obj in objects}


def left_out(selection: Selection) -> dict[str, str]:
    return {str(obj): reason for obj, reason in selection.left_out}


CLAIM = "{name: data, persistentVolumeClaim: {claimName: data}}"
COMPANIONS = {
    "Service": service(),
    "Ingress": ingress("web"),
    "HorizontalPodAutoscaler": manifest(
        "HorizontalPodAutoscaler",
        "scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}",
        api="autoscaling/v2",
    ),
    "VerticalPodAutoscaler": manifest(
        "VerticalPodAutoscaler",
        "targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}",
        api="autoscaling.k8s.io/v1",
    ),
    "ScaledObject": manifest("ScaledObject", "scaleTargetRef: {name: web}", api="keda.sh/v1alpha1"),
    "Rollout": manifest(
        "Rollout",
        "workloadRef: {apiVersion: apps/v1, kind: Deployment, name: web}\nselector: {matchLabels: {app: web}}",
        api="argoproj.io/v1alpha1",
    ),
    "PodDisruptionBudget": manifest("PodDisruptionBudget", "selector: {matchLabels: {app: web}}", api="policy/v1"),
    "NetworkPolicy": manifest("NetworkPolicy", "podSelector: {matchLabels: {app: web}}", api="networking.k8s.io/v1"),
    "PodMonitor": manifest("PodMonitor", "selector: {matchLabels: {app: web}}", api="monitoring.coreos.com/v1"),
    "HTTPRoute": manifest(
        "HTTPRoute",
        "hostnames: [web.example.com]\nrules: [{backendRefs: [{name: web, port: 80}]}]",
        api="gateway.networking.k8s.io/v1",
    ),
    "VirtualService": manifest(
        "VirtualService",
        "hosts: [web.example.com]\nhttp: [{route: [{destination: {host: web}}]}]",
        api="networking.istio.io/v1",
    ),
    "DestinationRule": manifest("DestinationRule", "host: web.shop.svc.cluster.local", api="networking.istio.io/v1"),
    "PersistentVolumeClaim": manifest("PersistentVolumeClaim", "resources: {}", "data"),
}


def test_without_labels_on_objects_the_labels_of_pods_find_the_workload_and_its_service() -> None:
    selection = selected(deployment(), service(), deployment("cart", "app: cart"), service("app: cart", "cart"))
    assert names(selection.copied) == {"Deployment web", "Service web"}
    assert names(selection.remaining) == {"Deployment cart", "Service cart"}
    assert selection.left_out == ()


@pytest.mark.parametrize("kind", COMPANIONS)
def test_a_companion_of_an_unlabelled_workload_is_copied(kind: str) -> None:
    documents = [deployment(volumes=CLAIM), service(), COMPANIONS[kind]]
    if kind == "Service":
        documents.pop()
    elif kind == "DestinationRule":
        documents = [document.replace("{name: web,", "{name: web, namespace: shop,") for document in documents]
    selection = selected(*documents)
    assert kind in {obj.kind for obj in selection.copied}
    assert selection.remaining == ()


@pytest.mark.parametrize("kind", COMPANIONS)
def test_a_companion_with_the_label_of_another_application_stays(kind: str) -> None:
    documents = [deployment(volumes=CLAIM), service(), COMPANIONS[kind]]
    if kind == "Service":
        documents.pop(1)
    documents[-1] = documents[-1].replace("labels: {}", "labels: {app: cart}")
    selection = selected(*documents)
    assert kind not in {obj.kind for obj in selection.copied}
    assert kind in {obj.kind for obj in selection.remaining}


def virtual_service(*services: str, labels: str = "") -> str:
    routes = ", ".join(f"{{route: [{{destination: {{host: {name}}}}}]}}" for name in services)
    spec = f"hosts: [web.example.com]\nhttp: [{routes}]"
    return manifest("VirtualService", spec, api="networking.istio.io/v1", labels=labels)


def http_route(*services: str, labels: str = "") -> str:
    backends = ", ".join(f"{{name: {name}, port: 80}}" for name in services)
    spec = f"hostnames: [web.example.com]\nrules: [{{backendRefs: [{backends}]}}]"
    return manifest("HTTPRoute", spec, api="gateway.networking.k8s.io/v1", labels=labels)


@pytest.mark.parametrize("route", [ingress, virtual_service, http_route])
@pytest.mark.parametrize("second_service", ["cart", "elsewhere"])
def test_a_route_to_other_services_too_is_left_out_with_the_way_to_copy_it(
    route: "Callable[..., str]", second_service: str
) -> None:
    cart = [deployment("cart", "app: cart"), service("app: cart", "cart")]
    selection = selected(deployment(), service(), *cart, route("web", second_service))
    assert names(selection.copied) == {"Deployment web", "Service web"}
    (obj,) = parse(route("web", second_service).encode())
    assert left_out(selection) == {
        str(obj): "it also serves other applications; give it the labels app: web to copy it"
    }
    assert str(obj) in names(selection.remaining), "its selectors and hosts still count"
    labelled = selected(deployment(), service(), *cart, route("web", second_service, labels=LABELS))
    assert names(labelled.copied) == {"Deployment web", "Service web", str(obj)}


def test_a_route_to_another_application_is_not_mentioned() -> None:
    cart = [deployment("cart", "app: cart"), service("app: cart", "cart")]
    assert selected(deployment(), service(), *cart, ingress("cart")).left_out == ()


def test_a_service_of_two_applications_is_left_out_and_keeps_to_their_pods() -> None:
    pods = "app: web, tier: front"
    selection = selected(deployment(pods=pods), deployment("cart", "app: cart, tier: front"), service("tier: front"))
    assert names(selection.copied) == {"Deployment web"}
    assert list(left_out(selection)) == ["Service web"]
    assert "Service web" in names(selection.remaining)


def test_a_policy_for_several_applications_stays_without_a_note() -> None:
    policy = manifest("NetworkPolicy", "podSelector: {}", "default", "networking.k8s.io/v1")
    selection = selected(deployment(), deployment("cart", "app: cart"), policy)
    assert names(selection.copied) == {"Deployment web"}
    assert selection.left_out == ()


def test_a_claim_that_other_pods_use_stays() -> None:
    claim = COMPANIONS["PersistentVolumeClaim"]
    selection = selected(deployment(volumes=CLAIM), deployment("cart", "app: cart", volumes=CLAIM), claim)
    assert names(selection.copied) == {"Deployment web"}


def test_configuration_and_accounts_without_labels_are_shared_with_the_original() -> None:
    workload = deployment(volumes="{name: x, configMap: {name: settings}}").replace(
        "spec: {containers", "spec: {serviceAccountName: web, containers"
    )
    settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n"
    account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web}\n"
    selection = selected(workload, settings, account)
    assert names(selection.copied) == {"Deployment web"}
    assert names(selection.remaining) == {"ConfigMap settings", "ServiceAccount web"}


def test_a_generated_config_map_of_an_unlabelled_workload_is_copied() -> None:
    name = "settings-2bcdf45678"
    workload = deployment(volumes=f"{{name: x, configMap: {{name: {name}}}}}")
    selection = selected(workload, f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n")
    assert names(selection.copied) == {"Deployment web", f"ConfigMap {name}"}


def test_labels_on_other_objects_do_not_hide_an_unlabelled_workload() -> None:
    selection = selected(deployment(), service(labels=LABELS), ingress("web"))
    assert names(selection.copied) == {"Deployment web", "Service web", "Ingress web"}


def test_a_labelled_workload_is_copied_without_unlabelled_companions_and_they_are_reported() -> None:
    policy = manifest("NetworkPolicy", "podSelector: {matchLabels: {app: web}}", "web", "networking.k8s.io/v1")
    selection = selected(deployment(labels=LABELS), service(), ingress("web"), policy)
    assert names(selection.copied) == {"Deployment web"}
    reason = "it does not have the labels app: web"
    assert left_out(selection) == {"Service web": reason, "Ingress web": reason}
    assert names(selection.remaining) == {"Service web", "Ingress web", "NetworkPolicy web"}


def test_a_route_for_every_host_is_left_out() -> None:
    route = http_route("web", labels=LABELS).replace("[web.example.com]", "[]")
    assert left_out(selected(deployment(labels=LABELS), service(labels=LABELS), route)) == {
        "HTTPRoute web": "it has no hostname, and would take the original's traffic"
    }


def test_the_workload_of_another_application_is_not_found_by_its_pods() -> None:
    with pytest.raises(ManifestError, match="app is cart, web there"):
        selected(deployment(labels="app: cart"))


@pytest.mark.parametrize("kind", ["Job", "CronJob"])
def test_a_job_is_found_by_its_pods_and_left_out(kind: str) -> None:
    template = "template:\n  metadata: {labels: {app: web}}\n  spec: {containers: [{name: web, image: x}]}"
    spec = template if kind == "Job" else "jobTemplate:\n  spec:\n" + textwrap.indent(template, "    ")
    job = manifest(kind, spec, "once", "batch/v1")
    assert left_out(selected(deployment(), job)) == {f"{kind} once": "it would run twice"}
    with pytest.raises(ManifestError, match=rf"runs pods that can be copied \({kind} once: it would run twice\)"):
        selected(job)


def test_every_label_of_the_selector_must_be_on_the_pods() -> None:
    selector = {"app": "web", "tier": "front"}
    with pytest.raises(ManifestError, match="no object in shop/dev has the labels app: web, tier: front"):
        selected(deployment(), selector=selector)
    assert names(selected(deployment(pods="app: web, tier: front"), selector=selector).copied) == {"Deployment web"}


@pytest.mark.parametrize(
    ("labels", "hint"),
    [
        ("app: webb", "app is webb there, did you mean webb?"),
        ("app: cart", "app is cart there: use one of these values"),
        ("name: web", "no label app exists there, correct featureLabelSelector"),
    ],
)
def test_labels_that_no_object_has_are_an_error_with_the_values_that_exist(labels: str, hint: str) -> None:
    with pytest.raises(ManifestError) as raised:
        selected(deployment(pods=labels))
    assert str(raised.value).endswith(hint)


def test_a_workload_that_only_selects_the_pods_of_another_is_no_companion() -> None:
    agent = deployment("agent", "app: agent, tier: front").replace(
        "selector: {matchLabels: {app: agent, tier: front}}", "selector: {matchLabels: {tier: front}}"
    )
    selection = selected(deployment(pods="app: web, tier: front"), agent)
    assert names(selection.copied) == {"Deployment web"}
    assert selection.left_out == ()


@pytest.mark.parametrize(("host", "copied"), [("web", True), ("web.shop.svc.cluster.local", True), ("other", False)])
def test_a_destination_rule_is_copied_with_the_service_of_its_host(host: str, copied: bool) -> None:
    rule = manifest("DestinationRule", f"host: {host}", "rule", "networking.istio.io/v1", LABELS)
    documents = [deployment("other", labels=LABELS), service(labels=LABELS), rule]
    reason = {} if copied else {"DestinationRule rule": "its host is no Service that is copied"}
    assert left_out(selected(*documents)) == reason


@pytest.mark.parametrize(
    ("kind", "api", "spec", "copied"),
    [
        ("PodDisruptionBudget", "policy/v1", "selector: {}", False),
        ("PodDisruptionBudget", "policy/v1", "selector: {matchLabels: {app: web}}", True),
        ("NetworkPolicy", "networking.k8s.io/v1", "podSelector: {}", False),
        ("Service", "v1", "ports: [{port: 80}]", True),
        ("Service", "v1", "selector: {}", True),
        ("ConfigMap", "v1", "{}", True),
    ],
)
def test_a_labelled_object_that_selects_everything_is_left_out(kind: str, api: str, spec: str, copied: bool) -> None:
    selection = selected(deployment(labels=LABELS), manifest(kind, spec, "x", api, LABELS))
    assert left_out(selection) == ({} if copied else {f"{kind} x": "it selects everything, the copy included"})
