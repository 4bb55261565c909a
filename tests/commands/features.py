"""A shop with applications that have features, and the verbs of features in it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.commands.conftest import Run, Shop

CONFIG = """\
environments: [{name: dev, auto: %s}, {name: qa, auto: true}]
groups:
  shop:
    applications:
      web: {featureLabelSelector: {app: web}}
      web-api: {featureLabelSelector: {app: web-api}}
      batch: {featureOverwrite: true}
      bare: {}
"""
KUSTOMIZATION = """\
# The shop
resources:
- web.yaml
images:
- name: ghcr.io/acme/web
  newTag: 1.0.0 # {"$imagepolicy": "shop:web:tag"}
- name: ghcr.io/acme/batch
  newTag: 1.0.0 # {"$imagepolicy": "shop:batch:tag"}
"""
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: ghcr.io/acme/web}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web}}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, labels: {app: web}}
spec:
  rules:
  - host: web.example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
"""
FILES = {
    "gitops-promotion.yaml": CONFIG % "true",
    "shop/dev/kustomization.yaml": KUSTOMIZATION,
    "shop/dev/web.yaml": WEB,
    "shop/qa/kustomization.yaml": KUSTOMIZATION,
    "shop/qa/web.yaml": WEB,
}


def feature(shop: "Shop", tag: str, name: str = "pr-1", *options: str, app: str = "web", code: int | None = 0) -> "Run":
    return shop.run("feature", "--group", "shop", "--app", app, "--tag", tag, "--feature", name, *options, code=code)


def delete(shop: "Shop", name: str = "pr-1", *options: str, app: str = "web", code: int | None = 0) -> "Run":
    return shop.run("feature-delete", "--group", "shop", "--app", app, "--feature", name, *options, code=code)


def disable_auto(shop: "Shop") -> None:
    shop.edit({"gitops-promotion.yaml": CONFIG % "false"})
