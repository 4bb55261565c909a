"""Environments generated from a number: the same number gives the same files on every machine."""

from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MARKER = '# {"$imagepolicy": "shop:web:tag"}'

Files = dict[str, bytes]


def environment(seed: int) -> Files:
    """Return files of a repository whose shop/dev has an application `web`, with the label `app: web`, and others."""
    dice = Random(seed)  # noqa: S311  it must give the same numbers every time
    has_base = dice.random() < 0.6
    folder = "base" if has_base else "shop/dev"
    image = dice.choice(["web", "ghcr.io/acme/web", "registry.example.com:5000/acme/web"])
    names = [name for name in ("web", "cart", "db") if name == "web" or dice.random() < 0.5]
    files = {f"{folder}/{name}.yaml": application(name, image, dice).encode() for name in names}
    resources = [f"{name}.yaml" for name in names]
    generators = dice.random() < 0.5
    if has_base:
        files["base/kustomization.yaml"] = (
            f"resources: [{', '.join(resources)}]\n" + (GENERATED if generators else "")
        ).encode()
        resources = ["../../base"]
    if dice.random() < 0.3:
        files["shop/dev/extra.yaml"] = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\ndata: {a: b}\n"
        resources.append("extra.yaml")
    overlay = kustomization(resources, image, dice) + (GENERATED if generators and not has_base else "")
    newline = dice.choice(["\n", "\n", "\r\n"])
    if dice.random() < 0.3:
        overlay = overlay.rstrip("\n")
    files[f"shop/dev/{dice.choice(['kustomization.yaml', 'kustomization.yml', 'Kustomization'])}"] = overlay.replace(
        "\n", newline
    ).encode()
    return files


GENERATED = "configMapGenerator:\n- {name: web, literals: [a=b]}\nsecretGenerator:\n- {name: web, literals: [c=d]}\n"


def application(name: str, image: str, dice: Random) -> str:
    labels = f"{{app: {name}{dice.choice(['', ', tier: back', ', team: shop'])}}}"
    selector = f"{{app: {name}}}"
    replicas = dice.randint(1, 4)
    kind = dice.choice(["Deployment", "Deployment", "StatefulSet"]) if name == "web" else "Deployment"
    sidecar = "      - {name: proxy, image: 'envoyproxy/envoy:v1.31'}\n" if dice.random() < 0.4 else ""
    config = "        envFrom: [{configMapRef: {name: web}}, {secretRef: {name: web}}]\n" if dice.random() < 0.5 else ""
    parts = [
        f"apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}, labels: {{app: {name}}}}}\nspec:\n"
        f"  replicas: {replicas}\n"
        + (f"  serviceName: {name}\n" if kind == "StatefulSet" else "")
        + f"  selector: {{matchLabels: {selector}}}\n  template:\n    metadata: {{labels: {labels}}}\n    spec:\n"
        f"      containers:\n      - name: {name}\n        image: {image if name == 'web' else name}\n"
        + config
        + sidecar,
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, labels: {{app: {name}}}}}\n"
        f"spec: {{selector: {selector}, ports: [{{port: 80}}]}}\n",
    ]
    optional: list[Callable[[], str]] = [
        lambda: (
            f"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}, labels: {{app: {name}}}}}\n"
            f"spec:\n  rules:\n  - host: {name}.example.com\n    http: {{paths: [{{path: /, pathType: Prefix, backend: "
            f"{{service: {{name: {name}, port: {{number: 80}}}}}}}}]}}\n"
        ),
        lambda: (
            f"apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {{name: {name}, labels: {{app: {name}}}}}\n"
            f"spec: {{minAvailable: 1, selector: {{matchLabels: {selector}}}}}\n"
        ),
        lambda: (
            f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}-tier}}\n"
            f"spec: {{selector: {{tier: back}}, ports: [{{port: 81}}]}}\n"
        ),
    ]
    parts += [make() for make in optional if dice.random() < 0.4]
    return "---\n".join(parts)


def kustomization(resources: list[str], image: str, dice: Random) -> str:
    if dice.random() < 0.3:
        text = f"resources: [{', '.join(resources)}]\n"
    else:
        indent = dice.choice(["", "  "])
        text = "resources:\n" + "".join(
            f"{indent}- {resource}{dice.choice(['', ' # why'])}\n" for resource in resources
        )
    settings = [
        "namePrefix: dev-\n",
        "nameSuffix: -v2\n",
        "namespace: shop\n",
        "commonAnnotations: {owner: shop}\n",
        "labels:\n- pairs: {environment: dev}\n  includeSelectors: true\n",
        "labels:\n- pairs: {environment: dev}\n  includeTemplates: true\n",
        "replicas:\n- {name: web, count: 2}\n",
        "# The end of it\n",
    ]
    drawn = [setting for setting in settings if dice.random() < 0.4]
    if sum(setting.startswith("labels") for setting in drawn) > 1:
        drawn.remove(settings[5])
    entry = dice.choice(
        [
            f"- name: {image}\n  newTag: 1.4.2 {MARKER}\n",
            f"- newTag: '1.4' {MARKER}\n  name: {image}\n",
            f"- name: {image}\n  newName: mirror.example.com/web\n  newTag: 1.4.2 {MARKER}\n",
        ]
    )
    parts = [text, "images:\n" + entry, *drawn]
    dice.shuffle(parts)
    return "".join(parts)
