"""The references of objects: which objects they name, by type, name and namespace."""

import pytest

from gitops_promotion.core.feature.manifests import parse
from gitops_promotion.core.feature.references import Key, references

POD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    spec:
      serviceAccountName: web
      imagePullSecrets: [{name: registry}]
      initContainers: [{name: init, envFrom: [{secretRef: {name: init}}]}]
      containers:
      - name: web
        env: [{name: A, valueFrom: {configMapKeyRef: {name: settings, key: a}}}, {name: B, value: b}]
      volumes:
      - {name: data, persistentVolumeClaim: {claimName: data}}
      - {name: other, emptyDir: {}}
"""
BINDING = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: web, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: web}
subjects:
- {kind: ServiceAccount, name: web}
- {kind: ServiceAccount, name: flux, namespace: flux-system}
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: ""}
- not a mapping
"""
INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  rules: [{host: a.example.com, http: {paths: [{backend: {service: {name: web}}}, {backend: {service: {name: ''}}}]}}]
"""
AUTOSCALER = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: shop}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
"""
ROUTE = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop}
spec:
  parentRefs: [{name: edge, namespace: infra}]
  rules:
  - backendRefs: [{name: web}, {group: example.com, kind: Bucket, name: files}]
    filters: [{requestMirror: {backendRef: {name: shadow}}}]
"""


@pytest.mark.parametrize(
    ("manifest", "keys"),
    [
        (
            POD,
            {
                ("/ServiceAccount", "web", "shop"),
                ("/Secret", "registry", "shop"),
                ("/Secret", "init", "shop"),
                ("/ConfigMap", "settings", "shop"),
                ("/PersistentVolumeClaim", "data", "shop"),
            },
        ),
        (
            BINDING,
            {
                ("rbac.authorization.k8s.io/Role", "web", "shop"),
                ("/ServiceAccount", "web", "shop"),
                ("/ServiceAccount", "flux", "flux-system"),
            },
        ),
        (INGRESS, {("/Service", "web", "")}),
        (AUTOSCALER, {("apps/Deployment", "web", "shop")}),
        (
            AUTOSCALER.replace("apiVersion: apps/v1, kind: Deployment", "kind: StatefulSet"),
            {("apps/StatefulSet", "web", "shop")},
        ),
        (
            ROUTE,
            {
                ("gateway.networking.k8s.io/Gateway", "edge", "infra"),
                ("/Service", "web", "shop"),
                ("example.com/Bucket", "files", "shop"),
                ("/Service", "shadow", "shop"),
            },
        ),
    ],
    ids=["pod", "binding", "ingress", "autoscaler", "autoscaler without a version", "route"],
)
def test_the_references_of_an_object_name_other_objects(manifest: str, keys: set[Key]) -> None:
    (obj,) = parse(manifest.encode())
    assert {reference.key for reference in references(obj)} == keys


@pytest.mark.parametrize(
    ("manifest", "serving"),
    [(POD, set()), (BINDING, set()), (INGRESS, {"web"}), (AUTOSCALER, {"web"}), (ROUTE, {"web", "files"})],
    ids=["pod", "binding", "ingress", "autoscaler", "route"],
)
def test_an_object_serves_its_backends_and_its_scaled_workload(manifest: str, serving: set[str]) -> None:
    (obj,) = parse(manifest.encode())
    assert {reference.name for reference in references(obj) if reference.serves} == serving


def test_a_reference_can_be_renamed() -> None:
    (obj,) = parse(INGRESS.encode())
    editable = obj.editable()
    for reference in references(editable):
        reference.slot.set("web-f")
    assert [reference.name for reference in references(editable)] == ["web-f"]
    assert [reference.name for reference in references(obj)] == ["web"]
