"""The rules of each kind: its references to other objects, its selectors, and whether it is copied.

Sources: the API references of Kubernetes 1.33, Gateway API 1.3, Istio 1.26, KEDA 2.17, Argo Rollouts 1.8, the
Prometheus operator 0.83, cert-manager 1.18 and External Secrets 0.18. Fields with hosts are in `hosts.py`.
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
"""The keys by which a reference may name the API of its object."""

PODS = "pods"
SERVICES = "services"


@dataclass(frozen=True, slots=True)
class ReferenceField:
    """A field that names another object. Without `type` the field is a mapping that names the kind itself.

    `default` is the type if such a mapping names no kind. `serves`: an object with this field exists for the object
    that the field names, as an autoscaler for its workload.
    """

    path: str
    type: str = ""
    default: str = ""
    serves: bool = False


@dataclass(frozen=True, slots=True)
class SelectorField:
    """A field that selects by labels; `plain`: it is a mapping of labels, without matchLabels.

    `selects` is PODS or SERVICES. A `peer` selects the pods that may talk to the object's pods.
    """

    path: str
    plain: bool = False
    selects: str = PODS
    peer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRules:
    """How objects of a kind are copied. `left_out` is the reason not to copy them, `note` a remark for people."""

    references: tuple[ReferenceField, ...] = ()
    selectors: tuple[SelectorField, ...] = ()
    left_out: str = ""
    note: str = ""


POD_REFERENCES = (
    *(
        ReferenceField(f"spec.{containers}[].{place}.name", kind)
        for containers in ("containers", "initContainers", "ephemeralContainers")
        for place, kind in (
            ("envFrom[].configMapRef", CONFIG_MAP),
            ("envFrom[].secretRef", SECRET),
            ("env[].valueFrom.configMapKeyRef", CONFIG_MAP),
            ("env[].valueFrom.secretKeyRef", SECRET),
        )
    ),
    ReferenceField("spec.volumes[].configMap.name", CONFIG_MAP),
    ReferenceField("spec.volumes[].secret.secretName", SECRET),
    ReferenceField("spec.volumes[].persistentVolumeClaim.claimName", CLAIM),
    ReferenceField("spec.volumes[].projected.sources[].configMap.name", CONFIG_MAP),
    ReferenceField("spec.volumes[].projected.sources[].secret.name", SECRET),
    ReferenceField(
        "spec.volumes[].csi.volumeAttributes.secretProviderClass", "secrets-store.csi.x-k8s.io/SecretProviderClass"
    ),
    ReferenceField("spec.imagePullSecrets[].name", SECRET),
    ReferenceField("spec.serviceAccountName", ACCOUNT),
    ReferenceField("spec.serviceAccount", ACCOUNT),
)
"""The references of every pod template."""

POD_SELECTORS = (
    *(
        SelectorField(f"spec.affinity.{affinity}.{rule}.labelSelector")
        for affinity in ("podAffinity", "podAntiAffinity")
        for rule in (
            "requiredDuringSchedulingIgnoredDuringExecution[]",
            "preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm",
        )
    ),
    SelectorField("spec.topologySpreadConstraints[].labelSelector"),
)
"""The selectors of every pod template: they choose a node for its pods by the pods that run there."""

_WORKLOAD = KindRules(selectors=(SelectorField("spec.selector"),))
_TWICE = "it would run twice"
_WHOLE_CLUSTER = "it belongs to the whole cluster, and the copy uses the original"
_FLUX = "Flux acts on it, and would do the same work twice"
_CHART = "a Helm chart that Flux inflates cannot be copied"
_TARGET = (ReferenceField("spec.scaleTargetRef", serves=True),)
_MONITOR_SECRETS = tuple(
    ReferenceField(f"spec.{endpoints}[].{place}.name", SECRET)
    for endpoints in ("endpoints", "podMetricsEndpoints")
    for place in ("basicAuth.username", "basicAuth.password", "bearerTokenSecret", "authorization.credentials")
)
_BACKENDS = (
    ReferenceField("spec.rules[].backendRefs[]", default=SERVICE, serves=True),
    ReferenceField("spec.rules[].filters[].requestMirror.backendRef", default=SERVICE),
    ReferenceField("spec.rules[].backendRefs[].filters[].requestMirror.backendRef", default=SERVICE),
    ReferenceField("spec.parentRefs[]", default=GATEWAY),
)
_ROLE_REFERENCES = (ReferenceField("subjects[]"), ReferenceField("roleRef"))
_STRATEGIES = (
    *(ReferenceField(f"spec.strategy.{place}Service", SERVICE) for place in ("canary.canary", "canary.stable")),
    *(ReferenceField(f"spec.strategy.{place}Service", SERVICE) for place in ("blueGreen.active", "blueGreen.preview")),
    ReferenceField("spec.strategy.canary.trafficRouting.nginx.stableIngress", "networking.k8s.io/Ingress"),
    ReferenceField("spec.strategy.canary.trafficRouting.istio.virtualService.name", VIRTUAL_SERVICE),
    ReferenceField("spec.strategy.canary.trafficRouting.istio.virtualServices[].name", VIRTUAL_SERVICE),
    ReferenceField("spec.strategy.canary.trafficRouting.istio.destinationRule.name", DESTINATION_RULE),
    ReferenceField("spec.strategy.canary.steps[].analysis.templates[].templateName", "argoproj.io/AnalysisTemplate"),
    ReferenceField("spec.strategy.canary.analysis.templates[].templateName", "argoproj.io/AnalysisTemplate"),
    ReferenceField(
        "spec.strategy.blueGreen.prePromotionAnalysis.templates[].templateName", "argoproj.io/AnalysisTemplate"
    ),
    ReferenceField(
        "spec.strategy.blueGreen.postPromotionAnalysis.templates[].templateName", "argoproj.io/AnalysisTemplate"
    ),
    ReferenceField("spec.workloadRef", serves=True),
)

KINDS: Mapping[str, KindRules] = {
    # workloads
    "/Pod": KindRules(),
    "/ReplicationController": KindRules(selectors=(SelectorField("spec.selector", plain=True),)),
    "apps/Deployment": _WORKLOAD,
    "apps/ReplicaSet": _WORKLOAD,
    "apps/DaemonSet": KindRules(
        selectors=(SelectorField("spec.selector"),), note="it runs once more on every node that it matches"
    ),
    "apps/StatefulSet": KindRules(
        selectors=(SelectorField("spec.selector"),), references=(ReferenceField("spec.serviceName", SERVICE),)
    ),
    "argoproj.io/Rollout": KindRules(selectors=(SelectorField("spec.selector"),), references=_STRATEGIES),
    "argoproj.io/AnalysisTemplate": KindRules(),
    "serving.knative.dev/Service": KindRules(),
    "batch/Job": KindRules(left_out=_TWICE),
    "batch/CronJob": KindRules(left_out=_TWICE),
    "keda.sh/ScaledJob": KindRules(left_out=_TWICE),
    # used by workloads
    CONFIG_MAP: KindRules(),
    SECRET: KindRules(),
    ACCOUNT: KindRules(
        references=(ReferenceField("secrets[].name", SECRET), ReferenceField("imagePullSecrets[].name", SECRET))
    ),
    CLAIM: KindRules(note="its volume is new and empty"),
    "external-secrets.io/ExternalSecret": KindRules(references=(ReferenceField("spec.secretStoreRef"),)),
    "external-secrets.io/SecretStore": KindRules(),
    "secrets-store.csi.x-k8s.io/SecretProviderClass": KindRules(
        references=(ReferenceField("spec.secretObjects[].secretName", SECRET),)
    ),
    "bitnami.com/SealedSecret": KindRules(
        left_out="it is sealed for its own name, and the copy uses the original's Secret"
    ),
    "cert-manager.io/Certificate": KindRules(),
    "cert-manager.io/Issuer": KindRules(),
    # route traffic to workloads
    SERVICE: KindRules(selectors=(SelectorField("spec.selector", plain=True),)),
    "/Endpoints": KindRules(note="its addresses are the original's"),
    "networking.k8s.io/Ingress": KindRules(
        references=(
            ReferenceField("spec.defaultBackend.service.name", SERVICE, serves=True),
            ReferenceField("spec.rules[].http.paths[].backend.service.name", SERVICE, serves=True),
        )
    ),
    GATEWAY: KindRules(note="it gets an address of its own"),
    "gateway.networking.k8s.io/HTTPRoute": KindRules(references=_BACKENDS),
    "gateway.networking.k8s.io/GRPCRoute": KindRules(references=_BACKENDS),
    "gateway.networking.k8s.io/TLSRoute": KindRules(references=_BACKENDS),
    "gateway.networking.k8s.io/TCPRoute": KindRules(left_out="it has no host name, and its port is taken"),
    "gateway.networking.k8s.io/UDPRoute": KindRules(left_out="it has no host name, and its port is taken"),
    "networking.istio.io/Gateway": KindRules(),
    VIRTUAL_SERVICE: KindRules(),
    DESTINATION_RULE: KindRules(),
    "networking.k8s.io/NetworkPolicy": KindRules(
        selectors=(
            SelectorField("spec.podSelector"),
            SelectorField("spec.ingress[].from[].podSelector", peer=True),
            SelectorField("spec.egress[].to[].podSelector", peer=True),
        )
    ),
    "cilium.io/CiliumNetworkPolicy": KindRules(
        selectors=(
            SelectorField("spec.endpointSelector"),
            SelectorField("spec.ingress[].fromEndpoints[]", peer=True),
            SelectorField("spec.egress[].toEndpoints[]", peer=True),
        )
    ),
    # scale, protect and monitor workloads
    "autoscaling/HorizontalPodAutoscaler": KindRules(references=_TARGET),
    "autoscaling.k8s.io/VerticalPodAutoscaler": KindRules(references=(ReferenceField("spec.targetRef", serves=True),)),
    "keda.sh/ScaledObject": KindRules(
        references=(
            ReferenceField("spec.scaleTargetRef", default="apps/Deployment", serves=True),
            ReferenceField("spec.triggers[].authenticationRef", default="keda.sh/TriggerAuthentication"),
        )
    ),
    "keda.sh/TriggerAuthentication": KindRules(
        references=(
            ReferenceField("spec.secretTargetRef[].name", SECRET),
            ReferenceField("spec.configMapTargetRef[].name", CONFIG_MAP),
        )
    ),
    "policy/PodDisruptionBudget": _WORKLOAD,
    "monitoring.coreos.com/ServiceMonitor": KindRules(
        selectors=(SelectorField("spec.selector", selects=SERVICES),), references=_MONITOR_SECRETS
    ),
    "monitoring.coreos.com/PodMonitor": KindRules(
        selectors=(SelectorField("spec.selector"),), references=_MONITOR_SECRETS
    ),
    "monitoring.coreos.com/PrometheusRule": KindRules(
        left_out="its alerts would be raised twice, and its expressions name the original"
    ),
    # permissions
    "rbac.authorization.k8s.io/Role": KindRules(),
    "rbac.authorization.k8s.io/RoleBinding": KindRules(references=_ROLE_REFERENCES),
    "rbac.authorization.k8s.io/ClusterRole": KindRules(),
    "rbac.authorization.k8s.io/ClusterRoleBinding": KindRules(references=_ROLE_REFERENCES),
    # one for the whole cluster
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
        KindRules(left_out=_WHOLE_CLUSTER),
    ),
    **dict.fromkeys(("/ResourceQuota", "/LimitRange"), KindRules(left_out="it already applies to the whole namespace")),
    # instructions for other tools
    "helm.toolkit.fluxcd.io/HelmRelease": KindRules(left_out=_CHART),
    "kustomize.toolkit.fluxcd.io/Kustomization": KindRules(left_out=_FLUX),
    **dict.fromkeys(
        (f"source.toolkit.fluxcd.io/{kind}" for kind in ("GitRepository", "HelmRepository", "HelmChart", "Bucket")),
        KindRules(left_out=_FLUX),
    ),
    "source.toolkit.fluxcd.io/OCIRepository": KindRules(left_out=_FLUX),
    **dict.fromkeys(
        (f"image.toolkit.fluxcd.io/{kind}" for kind in ("ImagePolicy", "ImageRepository", "ImageUpdateAutomation")),
        KindRules(left_out=_FLUX),
    ),
    **dict.fromkeys(
        (f"notification.toolkit.fluxcd.io/{kind}" for kind in ("Alert", "Provider", "Receiver")),
        KindRules(left_out=_FLUX),
    ),
    "argoproj.io/Application": KindRules(left_out="Argo CD acts on it, and would do the same work twice"),
    "argoproj.io/ApplicationSet": KindRules(left_out="Argo CD acts on it, and would do the same work twice"),
}
"""The rules by `group/Kind`. Objects of any other kind are copied unchecked, with a new name and new labels."""

_TYPES_BY_KIND = {
    kind.rpartition("/")[2]: kind for kind in KINDS if "Gateway" not in kind and not kind.endswith("/Service")
}


def full_type(api: str, kind: str, default: str) -> str:
    """Return the `group/Kind` of the object that a reference names.

    `api` is the apiVersion or the API group of the reference; `api` and `kind` are "" where it has none.
    """
    if not kind:
        return default
    if kind == "Service" and not api:
        return SERVICE
    # `v1` is a version of the core group, a name with a dot or a slash is a group.
    group = api.partition("/")[0] if "/" in api or "." in api else ""
    if group or api:
        return f"{group}/{kind}"
    return default if default.endswith(f"/{kind}") else _TYPES_BY_KIND.get(kind, f"/{kind}")
