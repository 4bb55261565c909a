# syntax=docker/dockerfile:1
# The images are named by tag here; every release records in its action.yml the digest of what was built from them.

FROM --platform=$BUILDPLATFORM golang:1.26-trixie AS kustomize
ARG TARGETOS=linux
ARG TARGETARCH
# From its source: the module's checksum is in the public checksum database, which go compares. No patch of Debian's.
ARG KUSTOMIZE=v5.8.1
WORKDIR /src
RUN go mod init build && go get "sigs.k8s.io/kustomize/kustomize/v5@${KUSTOMIZE}"
RUN CGO_ENABLED=0 GOOS="${TARGETOS}" GOARCH="${TARGETARCH}" \
    go build -trimpath -ldflags="-s -w" -o /kustomize sigs.k8s.io/kustomize/kustomize/v5

FROM python:3.13-slim-trixie AS package
WORKDIR /src
COPY . .
RUN python -m venv --without-pip /opt/gitops-promotion \
    && python -m pip --python /opt/gitops-promotion/bin/python install --no-cache-dir .

FROM python:3.13-slim-trixie
# No versions: Debian keeps only the newest of a package, so a pinned one is gone at its first fix.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git tini \
    && rm -rf /var/lib/apt/lists/*
COPY --from=kustomize /kustomize /usr/local/bin/kustomize
COPY --from=package /opt/gitops-promotion /opt/gitops-promotion
ENV PATH="/opt/gitops-promotion/bin:${PATH}"
# Root, as GitHub wants it of an action: the workspace belongs to the runner's user, and the runner's files too.
WORKDIR /workspace
ENTRYPOINT ["tini", "--", "gitops-promotion"]
