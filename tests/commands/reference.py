"""A repository with the shape of https://github.com/fluxcd/flux2-kustomize-helm-example, and little else in it."""

_RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: podinfo
  namespace: podinfo
spec:
  chart:
    spec:
      version: "{version}"
  values:
    httpRoute:
      hostnames:
        - podinfo.{environment}
"""

_KUSTOMIZATION = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: apps
  namespace: flux-system
spec:
  interval: 1h
  sourceRef:
    kind: ExternalArtifact
    name: apps
  path: ./{environment}
  prune: true
  wait: true
"""

_BASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: podinfo
spec:
  chart:
    spec:
      chart: podinfo
  values:
    redis:
      repository: public.ecr.aws/docker/library/redis
      tag: 8.6.2
"""

FILES = {
    "README.md": "# The reference\n",
    "apps/base/podinfo/release.yaml": _BASE,
    **{
        f"apps/{environment}/podinfo-values.yaml": _RELEASE.format(environment=environment, version=version)
        for environment, version in (("staging", ">=1.0.0-alpha"), ("production", ">=1.0.0"))
    },
    **{
        f"clusters/{environment}/apps.yaml": _KUSTOMIZATION.format(environment=environment)
        for environment in ("staging", "production")
    },
}
