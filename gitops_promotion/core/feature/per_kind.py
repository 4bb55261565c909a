"""Fields that only one object can have, kind by kind, and remarks about the copy.

Names, labels and hosts are changed in modules of their own.
"""

from collections.abc import Callable, Mapping

from gitops_promotion.core.feature.manifests import Object, Value, strings, text
from gitops_promotion.core.feature.paths import containers, pod_templates, slots

_ORIGIN_ANNOTATIONS = ("config.kubernetes.io/origin", "alpha.config.kubernetes.io/transformations")
_PRUNE = "kustomize.toolkit.fluxcd.io/prune"
_CLOUD_ROLES = ("eks.amazonaws.com/role-arn", "iam.gke.io/gcp-service-account", "azure.workload.identity/client-id")
_ISSUERS = ("cert-manager.io/", "acme.cert-manager.io/")


def issues_certificates(obj: Object) -> bool:
    """Return True if cert-manager creates the Secret that an Ingress or a Gateway names."""
    keys = (key for key in obj.annotations if key.startswith(_ISSUERS) and key.endswith("issuer"))
    return any(keys) or obj.annotations.get("kubernetes.io/tls-acme") == "true"


def adjust(content: dict[str, Value], original: Object) -> list[str]:
    """Remove from a copy's content the fields that only the original can have; return remarks for people."""
    notes = _annotations(content)
    if change := _CHANGES.get(original.type):
        notes += change(content)
    for template in pod_templates(content):
        if text(template["spec"].get("hostNetwork")) == "true" or any(
            True for container in containers(template) for _ in slots(container, "ports[].hostPort")
        ):
            notes.append("its pods use host ports and cannot run on the same node as the original's")
    return notes


def drop_origins(content: dict[str, Value]) -> None:
    """Remove the annotations of kustomize's `buildMetadata`, which name the file of the object."""
    metadata = content["metadata"]
    annotations = metadata.get("annotations")
    if isinstance(annotations, dict):
        for key in _ORIGIN_ANNOTATIONS:
            annotations.pop(key, None)
        if not annotations:
            del metadata["annotations"]


def _annotations(content: dict[str, Value]) -> list[str]:
    annotations = content["metadata"].get("annotations")
    if isinstance(annotations, dict) and text(annotations.get(_PRUNE)) == "disabled":
        # With this annotation Flux would keep the copy's objects in the cluster after their files are removed.
        del annotations[_PRUNE]
        if not annotations:
            del content["metadata"]["annotations"]
        return [f"without {_PRUNE}: disabled, so that Flux removes it with the feature"]
    return []


def _spec(content: dict[str, Value]) -> dict[str, Value]:
    spec = content.get("spec")
    return spec if isinstance(spec, dict) else {}


def _service(content: dict[str, Value]) -> list[str]:
    spec = _spec(content)
    notes = []
    if text(spec.get("clusterIP")) != "None":
        for key in ("clusterIP", "clusterIPs"):
            spec.pop(key, None)
    unique_fields = ("loadBalancerIP", "externalIPs", "healthCheckNodePort")
    removed = [key for key in unique_fields if spec.pop(key, None) is not None]
    ports = list(slots(content, "spec.ports[].nodePort"))
    for slot in ports:
        slot.remove()
    if removed or ports:
        notes.append(f"without {', '.join(removed + ['nodePort'] * bool(ports))}, which only one Service can have")
    if text(spec.get("type")) == "LoadBalancer":
        notes.append("it gets a new load balancer with another address")
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
    roles = [key for key in _CLOUD_ROLES if key in annotations]
    return [f"{roles[0]} trusts the original's service account only: add the copy's"] if roles else []


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
