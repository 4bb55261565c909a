# syntax=docker/dockerfile:1
# Base images have tags here. A release adds their digests, and its action.yml names the finished image by digest.

FROM --platform=$BUILDPLATFORM golang:1.26-trixie AS kustomize
ARG TARGETOS=linux
ARG TARGETARCH
# Built from source, without Debian's patches. go compares every module with the public checksum database, and KUSTOMIZE_SUM
# is the entry of this version there.
ARG KUSTOMIZE=v5.8.1
ARG KUSTOMIZE_SUM=h1:Pgsg5psubpVEy7Nf6S89PARg5VmmWUC1l9dC6Dl4PG0=
WORKDIR /src
RUN go mod init build \
    && go get "sigs.k8s.io/kustomize/kustomize/v5@${KUSTOMIZE}" \
    && grep --quiet --line-regexp --fixed-strings "sigs.k8s.io/kustomize/kustomize/v5 ${KUSTOMIZE} ${KUSTOMIZE_SUM}" go.sum
RUN CGO_ENABLED=0 GOOS="${TARGETOS}" GOARCH="${TARGETARCH}" \
    go build -trimpath -ldflags="-s -w" -o /kustomize sigs.k8s.io/kustomize/kustomize/v5

FROM python:3.13-slim-trixie AS package
WORKDIR /src
# Wheels only, with their hashes: nothing that is downloaded runs during the installation.
COPY requirements requirements
RUN python -m venv /build \
    && /build/bin/python -m pip install --no-cache-dir --no-deps \
        --require-hashes --only-binary=:all: -r requirements/build.txt \
    && python -m venv --without-pip /opt/gitops-promotion \
    && python -m pip --python /opt/gitops-promotion/bin/python install --no-cache-dir --no-deps \
        --require-hashes --only-binary=:all: -r requirements/image.txt
COPY . .
RUN /build/bin/python -m pip wheel --no-deps --no-index --no-build-isolation --wheel-dir /wheels . \
    && python -m pip --python /opt/gitops-promotion/bin/python install --no-cache-dir --no-deps --no-index /wheels/*.whl

FROM python:3.13-slim-trixie
# No versions: Debian keeps only the newest version of a package, so a pinned one disappears with its first fix. apt checks
# Debian's signature.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git openssh-client gpg gpg-agent tini \
    && rm -rf /var/lib/apt/lists/*
COPY --from=kustomize /kustomize /usr/local/bin/kustomize
COPY --from=package /opt/gitops-promotion /opt/gitops-promotion
ENV PATH="/opt/gitops-promotion/bin:${PATH}"
# GitHub requires root for the container of an action: the workspace and the runner's files belong to another user.
WORKDIR /workspace
ENTRYPOINT ["tini", "--", "gitops-promotion"]
