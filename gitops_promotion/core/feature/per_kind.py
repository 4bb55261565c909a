"""What must not be the same in a copy, kind by kind, beside names, labels and hosts."""

from collections.abc import Callable, Mapping

from gitops_promotion.core.feature.manifests import Object, Value, strings, text
from gitops_promotion.core.feature.paths import containers, pod_templates, slots

_ORIGINS = ("config.kubernetes.io/origin", "alpha.config.kubernetes.io/transformations")
_PRUNE = "kustomize.toolkit.fluxcd.io/prune"
_CLOUD = ("eks.amazonaws.com/role-arn", "iam.gke.io/gcp-service-account", "azure.workload.identity/client-id")
_ISSUERS = ("cert-manager.io/", "acme.cert-manager.io/")


def issues_certificates(each: Object) -> bool:
    """Return True if cert-manager makes the Secret that an Ingress or Gateway names."""
    keys = (key for key in each.annotations if key.startswith(_ISSUERS) and key.endswith("issuer"))
    return any(keys) or each.annotations.get("kubernetes.io/tls-acme") == "true"


def adjust(content: dict[str, Value], each: Object) -> list[str]:
    """Take out of a copy's content what only the original can have; return what people should know of it."""
    notes = _annotations(content)
    if change := _CHANGES.get(each.type):
        notes += change(content)
    for template in pod_templates(content):
        if text(template["spec"].get("hostNetwork")) == "true" or any(
            True for container in containers(template) for _ in slots(container, "ports[].hostPort")
        ):
            notes.append("its pods use ports of the node, and find no place beside the original's")
    return notes


def drop_origins(content: dict[str, Value]) -> None:
    """Take out what kustomize's `buildMetadata` says of where an object came from: it differs from file to file."""
    metadata = content["metadata"]
    annotations = metadata.get("annotations")
    if isinstance(annotations, dict):
        for key in _ORIGINS:
            annotations.pop(key, None)
        if not annotations:
            del metadata["annotations"]


def _annotations(content: dict[str, Value]) -> list[str]:
    annotations = content["metadata"].get("annotations")
    if isinstance(annotations, dict) and text(annotations.get(_PRUNE)) == "disabled":
        # With it Flux would leave the copy behind when its files are gone.
        del annotations[_PRUNE]
        if not annotations:
            del content["metadata"]["annotations"]
        return [f"without {_PRUNE}: disabled, so that it goes when the feature goes"]
    return []


def _spec(content: dict[str, Value]) -> dict[str, Value]:
    found = content.get("spec")
    return found if isinstance(found, dict) else {}


def _service(content: dict[str, Value]) -> list[str]:
    spec = _spec(content)
    notes = []
    if text(spec.get("clusterIP")) != "None":
        for key in ("clusterIP", "clusterIPs"):
            spec.pop(key, None)
    taken = [key for key in ("loadBalancerIP", "externalIPs", "healthCheckNodePort") if spec.pop(key, None) is not None]
    ports = list(slots(content, "spec.ports[].nodePort"))
    for slot in ports:
        slot.remove()
    if taken or ports:
        notes.append(f"without {', '.join(taken + ['nodePort'] * bool(ports))}, which only one Service can have")
    if text(spec.get("type")) == "LoadBalancer":
        notes.append("its load balancer is a new one, with an address of its own")
    return notes


def _claim(content: dict[str, Value]) -> list[str]:
    _spec(content).pop("volumeName", None)
    return []


def _stateful_set(content: dict[str, Value]) -> list[str]:
    claims = [slot.text for slot in slots(content, "spec.volumeClaimTemplates[].metadata.name")]
    return [f"its volumes are new and empty ({', '.join(claims)})"] if claims else []


def _secret(content: dict[str, Value]) -> list[str]:
    return (
        ["encrypted with SOPS: Flux decrypts it under its new name, other tools may not"] if "sops" in content else []
    )


def _account(content: dict[str, Value]) -> list[str]:
    annotations = strings(content["metadata"].get("annotations"))
    found = [key for key in _CLOUD if key in annotations]
    return [f"{found[0]} trusts the original's name alone: let it trust the copy's too"] if found else []


def _gateway(content: dict[str, Value]) -> list[str]:
    addresses = _spec(content).pop("addresses", None)
    return ["without addresses, which only one Gateway can have"] if addresses else []


_CHANGES: Mapping[str, Callable[[dict[str, Value]], list[str]]] = {
    "/Service": _service,
    "/Secret": _secret,
    "/ServiceAccount": _account,
    "/PersistentVolumeClaim": _claim,
    "apps/StatefulSet": _stateful_set,
    "gateway.networking.k8s.io/Gateway": _gateway,
}
