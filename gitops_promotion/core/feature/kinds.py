"""What is known of each kind: its references to others, its selectors, and whether a copy of it makes sense.

Sources: the API references of Kubernetes 1.33, Gateway API 1.3, Istio 1.26, KEDA 2.17, Argo Rollouts 1.8, the
Prometheus operator 0.83, cert-manager 1.18 and External Secrets 0.18. Hosts are in `hosts.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

CONFIG_MAP = "/ConfigMap"
SECRET = "/Secret"  # noqa: S105  a kind
SERVICE = "/Service"
ACCOUNT = "/ServiceAccount"
CLAIM = "/PersistentVolumeClaim"
GATEWAY = "gateway.networking.k8s.io/Gateway"
VIRTUAL_SERVICE = "networking.istio.io/VirtualService"
DESTINATION_RULE = "networking.istio.io/DestinationRule"

API_KEYS = ("apiVersion", "apiGroup", "group")
"""Where references say their API, if they do."""

PODS = "pods"
SERVICES = "services"


@dataclass(frozen=True, slots=True)
class Reference:
    """A place that names another object. Without `type` the place is a mapping that says its kind itself.

    `default` is the type where such a mapping names no kind.
    """

    path: str
    type: str = ""
    default: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """A place that selects by labels; `plain`: a mapping of labels, not one with matchLabels.

    `over` says what is selected. A `peer` is who may talk to the pods, not the pods that the object is about.
    """

    path: str
    plain: bool = False
    over: str = PODS
    peer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What copying objects of a kind has to mind. `left_out` says why they are not copied, `note` what to know."""

    references: tuple[Reference, ...] = ()
    selections: tuple[Selection, ...] = ()
    left_out: str = ""
    note: str = ""


POD_REFERENCES = (
    *(
        Reference(f"spec.{containers}[].{place}.name", kind)
        for containers in ("containers", "initContainers", "ephemeralContainers")
        for place, kind in (
            ("envFrom[].configMapRef", CONFIG_MAP),
            ("envFrom[].secretRef", SECRET),
            ("env[].valueFrom.configMapKeyRef", CONFIG_MAP),
            ("env[].valueFrom.secretKeyRef", SECRET),
        )
    ),
    Reference("spec.volumes[].configMap.name", CONFIG_MAP),
    Reference("spec.volumes[].secret.secretName", SECRET),
    Reference("spec.volumes[].persistentVolumeClaim.claimName", CLAIM),
    Reference("spec.volumes[].projected.sources[].configMap.name", CONFIG_MAP),
    Reference("spec.volumes[].projected.sources[].secret.name", SECRET),
    Reference(
        "spec.volumes[].csi.volumeAttributes.secretProviderClass", "secrets-store.csi.x-k8s.io/SecretProviderClass"
    ),
    Reference("spec.imagePullSecrets[].name", SECRET),
    Reference("spec.serviceAccountName", ACCOUNT),
    Reference("spec.serviceAccount", ACCOUNT),
)
"""The references of every pod template."""

POD_SELECTIONS = (
    *(
        Selection(f"spec.affinity.{affinity}.{when}.labelSelector")
        for affinity in ("podAffinity", "podAntiAffinity")
        for when in (
            "requiredDuringSchedulingIgnoredDuringExecution[]",
            "preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm",
        )
    ),
    Selection("spec.topologySpreadConstraints[].labelSelector"),
)
"""The selectors of every pod template: where its pods go, by which pods are there."""

_WORKLOAD = Kind(selections=(Selection("spec.selector"),))
_TWICE = "it would run twice"
_WHOLE_CLUSTER = "it belongs to the whole cluster, and the copy uses the one that is there"
_FLUX = "Flux itself acts on it; its copy would do the same work again"
_CHART = "a Helm chart that Flux inflates cannot be copied"
_TARGET = (Reference("spec.scaleTargetRef"),)
_MONITOR_SECRETS = tuple(
    Reference(f"spec.{endpoints}[].{place}.name", SECRET)
    for endpoints in ("endpoints", "podMetricsEndpoints")
    for place in ("basicAuth.username", "basicAuth.password", "bearerTokenSecret", "authorization.credentials")
)
_BACKENDS = (
    Reference("spec.rules[].backendRefs[]", default=SERVICE),
    Reference("spec.rules[].filters[].requestMirror.backendRef", default=SERVICE),
    Reference("spec.rules[].backendRefs[].filters[].requestMirror.backendRef", default=SERVICE),
    Reference("spec.parentRefs[]", default=GATEWAY),
)
_ROLE_REFERENCES = (Reference("subjects[]"), Reference("roleRef"))
_STRATEGIES = (
    *(Reference(f"spec.strategy.{place}Service", SERVICE) for place in ("canary.canary", "canary.stable")),
    *(Reference(f"spec.strategy.{place}Service", SERVICE) for place in ("blueGreen.active", "blueGreen.preview")),
    Reference("spec.strategy.canary.trafficRouting.nginx.stableIngress", "networking.k8s.io/Ingress"),
    Reference("spec.strategy.canary.trafficRouting.istio.virtualService.name", VIRTUAL_SERVICE),
    Reference("spec.strategy.canary.trafficRouting.istio.virtualServices[].name", VIRTUAL_SERVICE),
    Reference("spec.strategy.canary.trafficRouting.istio.destinationRule.name", DESTINATION_RULE),
    Reference("spec.strategy.canary.steps[].analysis.templates[].templateName", "argoproj.io/AnalysisTemplate"),
    Reference("spec.strategy.canary.analysis.templates[].templateName", "argoproj.io/AnalysisTemplate"),
    Reference("spec.strategy.blueGreen.prePromotionAnalysis.templates[].templateName", "argoproj.io/AnalysisTemplate"),
    Reference("spec.strategy.blueGreen.postPromotionAnalysis.templates[].templateName", "argoproj.io/AnalysisTemplate"),
    Reference("spec.workloadRef"),
)

KINDS: Mapping[str, Kind] = {
    # workloads
    "/Pod": Kind(),
    "/ReplicationController": Kind(selections=(Selection("spec.selector", plain=True),)),
    "apps/Deployment": _WORKLOAD,
    "apps/ReplicaSet": _WORKLOAD,
    "apps/DaemonSet": Kind(
        selections=(Selection("spec.selector"),), note="it runs once more on every node that it matches"
    ),
    "apps/StatefulSet": Kind(
        selections=(Selection("spec.selector"),), references=(Reference("spec.serviceName", SERVICE),)
    ),
    "argoproj.io/Rollout": Kind(selections=(Selection("spec.selector"),), references=_STRATEGIES),
    "argoproj.io/AnalysisTemplate": Kind(),
    "serving.knative.dev/Service": Kind(),
    "batch/Job": Kind(left_out=_TWICE),
    "batch/CronJob": Kind(left_out=_TWICE),
    "keda.sh/ScaledJob": Kind(left_out=_TWICE),
    # what they use
    CONFIG_MAP: Kind(),
    SECRET: Kind(),
    ACCOUNT: Kind(references=(Reference("secrets[].name", SECRET), Reference("imagePullSecrets[].name", SECRET))),
    CLAIM: Kind(note="its volume is new and empty"),
    "external-secrets.io/ExternalSecret": Kind(references=(Reference("spec.secretStoreRef"),)),
    "external-secrets.io/SecretStore": Kind(),
    "secrets-store.csi.x-k8s.io/SecretProviderClass": Kind(
        references=(Reference("spec.secretObjects[].secretName", SECRET),)
    ),
    "bitnami.com/SealedSecret": Kind(left_out="it is sealed for its own name, and the copy uses the original's Secret"),
    "cert-manager.io/Certificate": Kind(),
    "cert-manager.io/Issuer": Kind(),
    # who finds and reaches them
    SERVICE: Kind(selections=(Selection("spec.selector", plain=True),)),
    "/Endpoints": Kind(note="its addresses are the original's"),
    "networking.k8s.io/Ingress": Kind(
        references=(
            Reference("spec.defaultBackend.service.name", SERVICE),
            Reference("spec.rules[].http.paths[].backend.service.name", SERVICE),
        )
    ),
    GATEWAY: Kind(note="it gets an address of its own"),
    "gateway.networking.k8s.io/HTTPRoute": Kind(references=_BACKENDS),
    "gateway.networking.k8s.io/GRPCRoute": Kind(references=_BACKENDS),
    "gateway.networking.k8s.io/TLSRoute": Kind(references=_BACKENDS),
    "gateway.networking.k8s.io/TCPRoute": Kind(left_out="it has no host, and its port has a taker"),
    "gateway.networking.k8s.io/UDPRoute": Kind(left_out="it has no host, and its port has a taker"),
    "networking.istio.io/Gateway": Kind(),
    VIRTUAL_SERVICE: Kind(),
    DESTINATION_RULE: Kind(),
    "networking.k8s.io/NetworkPolicy": Kind(
        selections=(
            Selection("spec.podSelector"),
            Selection("spec.ingress[].from[].podSelector", peer=True),
            Selection("spec.egress[].to[].podSelector", peer=True),
        )
    ),
    "cilium.io/CiliumNetworkPolicy": Kind(
        selections=(
            Selection("spec.endpointSelector"),
            Selection("spec.ingress[].fromEndpoints[]", peer=True),
            Selection("spec.egress[].toEndpoints[]", peer=True),
        )
    ),
    # who scales, guards and watches them
    "autoscaling/HorizontalPodAutoscaler": Kind(references=_TARGET),
    "autoscaling.k8s.io/VerticalPodAutoscaler": Kind(references=(Reference("spec.targetRef"),)),
    "keda.sh/ScaledObject": Kind(
        references=(
            Reference("spec.scaleTargetRef", default="apps/Deployment"),
            Reference("spec.triggers[].authenticationRef", default="keda.sh/TriggerAuthentication"),
        )
    ),
    "keda.sh/TriggerAuthentication": Kind(
        references=(
            Reference("spec.secretTargetRef[].name", SECRET),
            Reference("spec.configMapTargetRef[].name", CONFIG_MAP),
        )
    ),
    "policy/PodDisruptionBudget": _WORKLOAD,
    "monitoring.coreos.com/ServiceMonitor": Kind(
        selections=(Selection("spec.selector", over=SERVICES),), references=_MONITOR_SECRETS
    ),
    "monitoring.coreos.com/PodMonitor": Kind(selections=(Selection("spec.selector"),), references=_MONITOR_SECRETS),
    "monitoring.coreos.com/PrometheusRule": Kind(
        left_out="its alerts would be raised twice, and its expressions name the original"
    ),
    # who may do what
    "rbac.authorization.k8s.io/Role": Kind(),
    "rbac.authorization.k8s.io/RoleBinding": Kind(references=_ROLE_REFERENCES),
    "rbac.authorization.k8s.io/ClusterRole": Kind(),
    "rbac.authorization.k8s.io/ClusterRoleBinding": Kind(references=_ROLE_REFERENCES),
    # what there is one of
    **dict.fromkeys(
        (
            "/Namespace",
            "/PersistentVolume",
            "apiextensions.k8s.io/CustomResourceDefinition",
            "apiregistration.k8s.io/APIService",
            "admissionregistration.k8s.io/MutatingWebhookConfiguration",
            "admissionregistration.k8s.io/ValidatingWebhookConfiguration",
            "admissionregistration.k8s.io/ValidatingAdmissionPolicy",
            "admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding",
            "scheduling.k8s.io/PriorityClass",
            "storage.k8s.io/StorageClass",
            "networking.k8s.io/IngressClass",
            "gateway.networking.k8s.io/GatewayClass",
            "cert-manager.io/ClusterIssuer",
            "external-secrets.io/ClusterSecretStore",
            "external-secrets.io/ClusterExternalSecret",
        ),
        Kind(left_out=_WHOLE_CLUSTER),
    ),
    **dict.fromkeys(("/ResourceQuota", "/LimitRange"), Kind(left_out="it holds for the whole namespace already")),
    # what others act on
    "helm.toolkit.fluxcd.io/HelmRelease": Kind(left_out=_CHART),
    "kustomize.toolkit.fluxcd.io/Kustomization": Kind(left_out=_FLUX),
    **dict.fromkeys(
        (f"source.toolkit.fluxcd.io/{kind}" for kind in ("GitRepository", "HelmRepository", "HelmChart", "Bucket")),
        Kind(left_out=_FLUX),
    ),
    "source.toolkit.fluxcd.io/OCIRepository": Kind(left_out=_FLUX),
    **dict.fromkeys(
        (f"image.toolkit.fluxcd.io/{kind}" for kind in ("ImagePolicy", "ImageRepository", "ImageUpdateAutomation")),
        Kind(left_out=_FLUX),
    ),
    **dict.fromkeys(
        (f"notification.toolkit.fluxcd.io/{kind}" for kind in ("Alert", "Provider", "Receiver")), Kind(left_out=_FLUX)
    ),
    "argoproj.io/Application": Kind(left_out="Argo CD itself acts on it; its copy would do the same work again"),
    "argoproj.io/ApplicationSet": Kind(left_out="Argo CD itself acts on it; its copy would do the same work again"),
}
"""Every kind that is looked into, by `group/Kind`; others are copied with their names and labels changed, unchecked."""

_SHORT = {kind.rpartition("/")[2]: kind for kind in KINDS if "Gateway" not in kind and not kind.endswith("/Service")}


def full_type(api: str, kind: str, default: str) -> str:
    """Return the `group/Kind` that a reference means: `api` is its apiVersion or API group, both may be missing."""
    if not kind:
        return default
    if kind == "Service" and not api:
        return SERVICE
    # `v1` is a version of the core group, a name with a dot or a slash is a group.
    group = api.partition("/")[0] if "/" in api or "." in api else ""
    if group or api:
        return f"{group}/{kind}"
    return default if default.endswith(f"/{kind}") else _SHORT.get(kind, f"/{kind}")
