"""`demo`: promotes in a small webshop, with the real verbs on a real remote in a folder."""

import os
import shlex
import subprocess
import tempfile
import textwrap
from collections.abc import Callable, Mapping
from contextlib import chdir
from pathlib import Path

from gitops_promotion.errors import GitError, UsageError

_ENVIRONMENTS = ("dev", "qa", "prod")

_CONFIG = """\
# In promotion order. auto: true merges automatically when the checks pass.
environments:
  - {name: dev, auto: true}
  - {name: qa, auto: true}
  - {name: prod, auto: false}
status_timeout_minutes: 5
groups:
  webshop:
    applications:
      webui:
        featureLabelSelector: {app: webui} # `feature` copies the objects with this label
"""

_WEBUI = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: webui
  labels: {app: webui}
spec:
  selector:
    matchLabels: {app: webui}
  template:
    metadata:
      labels: {app: webui}
    spec:
      containers:
        - name: webui
          image: ghcr.io/acme/webui:%(tag)s # {"$imagepolicy": "webshop:webui"}
        - name: proxy
          image: envoyproxy/envoy:v1.31.0 # no marker: never promoted
---
apiVersion: v1
kind: Service
metadata:
  name: webui
  labels: {app: webui}
spec:
  selector: {app: webui}
  ports:
    - {port: 80, targetPort: 8080}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: webui
  labels: {app: webui}
spec:
  rules:
    - host: webui.%(environment)s.example.org
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: {service: {name: webui, port: {number: 80}}}
"""

_KUSTOMIZATION = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: webshop
resources:
  - webui.yaml
  - ../../bases/cart
images:
  - name: cart
    newName: ghcr.io/acme/cart
    newTag: "%s" # {"$imagepolicy": "webshop:cart:tag"}
"""

_CART_KUSTOMIZATION = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - deployment.yaml
"""

_CART = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: cart
spec:
  selector:
    matchLabels: {app: cart}
  template:
    metadata:
      labels: {app: cart}
    spec:
      containers:
        - name: cart
          image: cart # the environment's kustomization sets name and tag
"""

_HELM_RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: mailer
  namespace: platform
spec:
  interval: 10m
  chart:
    spec:
      chart: mailer
      sourceRef: {kind: HelmRepository, name: acme}
  values:
    image:
      repository: ghcr.io/acme/mailer
      tag: %s # {"$imagepolicy": "platform:mailer:tag"}
"""


def files() -> dict[str, str]:
    """Return the files of the demo repository by path: two groups, three applications, three environments.

    They build without a network.
    """
    files = {
        "gitops-promotion.yaml": _CONFIG,
        "bases/cart/kustomization.yaml": _CART_KUSTOMIZATION,
        "bases/cart/deployment.yaml": _CART,
    }
    for name in _ENVIRONMENTS:
        files[f"webshop/{name}/webui.yaml"] = _WEBUI % {"tag": "1.4.1", "environment": name}
        files[f"webshop/{name}/kustomization.yaml"] = _KUSTOMIZATION % "2.0.3"
        files[f"platform/{name}/mailer.yaml"] = _HELM_RELEASE % "0.9.1"
    return files


class _Tour:
    def __init__(self, verb: Callable[[list[str]], int], write: Callable[[str], None]) -> None:
        self._verb = verb
        self._write = write

    def chapter(self, text: str) -> None:
        self._write("\n" + textwrap.fill(text, 100, initial_indent="# ", subsequent_indent="# "))

    def promotion(self, *args: str) -> None:
        self._write(f"$ gitops-promotion {shlex.join(args)}")
        code = self._verb([*args, "--quiet"])
        if code:
            self._write(f"(exit code {code})")

    def git(self, *args: str) -> None:
        self._write(f"$ git {shlex.join(args)}")
        self._write(git(*args).rstrip("\n"))


def demo(folder: Path | None, *, verb: Callable[[list[str]], int], write: Callable[[str], None]) -> None:
    """Build the repository in `folder` (default: a new temporary one), and promote webui up to the gate of prod.

    `verb` runs one command line of this program and returns its exit code; `write` prints a text. Raises UsageError
    for a folder that is not empty, GitError if git fails.
    """
    root = _empty(folder)
    checkout = root / "webshop"
    tour = _Tour(verb, write)
    write(f"# A GitOps repository with two groups, three applications and three environments, in {checkout}")
    write(f"# Its remote is the bare repository {root / 'remote.git'}: no server is needed.")
    _build(root)
    with chdir(checkout):
        tour.chapter("CI has built webui 1.4.2. The tag goes to the first environment, where no check is required.")
        tour.promotion("new", "--group", "webshop", "--app", "webui", "--tag", "1.4.2")
        tour.git("pull", "--quiet")
        tour.git("show", "--format=%h %s", "--unified=0", "--first-parent", "-m", "HEAD")
        tour.chapter("A merge into main starts `promote`, which proposes the new tag of dev for qa.")
        tour.promotion("promote")
        tour.chapter("Its required check waits: Flux has not reported yet that dev is healthy with 1.4.2.")
        tour.promotion("status", "--pr", "2", "--timeout", "0")
        tour.chapter("Flux applies dev and reports it on the commit. Here you report it in Flux's place.")
        tour.promotion("local", "set-status", "main", "kustomization/webshop-dev/2fb0a5b0", "success")
        tour.promotion("status", "--pr", "2")
        tour.chapter("The check passed, so the pull request merged: qa has the tag. The next environment is prod.")
        tour.promotion("promote")
        tour.promotion("local", "set-status", "main", "kustomization/webshop-qa/77c1d9e4", "success")
        tour.promotion("status", "--pr", "3")
        tour.chapter("qa is healthy, but prod has auto: false: the pull request waits for a person. That is you.")
        tour.promotion("local", "list")
        tour.git("pull", "--quiet")
        tour.git("log", "--oneline", "--first-parent")
        tour.promotion("why", "--app", "webui", "--env", "prod")
        tour.chapter("What is where, and what waits:")
        tour.promotion("board")
    write(
        f"\n# Continue by hand:\n"
        f"#   cd {checkout}\n"
        f"#   gitops-promotion local show 3      # the change in prod, with its statuses\n"
        f"#   gitops-promotion local merge 3     # approves it; `local close 3` declines it for good\n"
        f"#   gitops-promotion new --group webshop --app cart --tag 2.1.0\n"
        f"#   gitops-promotion promote --all --dry-run\n"
        f"#   gitops-promotion board --html board.html    # the same as a page\n"
        f"# and, with kustomize or kubectl on the PATH:\n"
        f"#   gitops-promotion feature --group webshop --app webui --tag pr-123-4e8b6b5 --feature pr-123"
    )


def _empty(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="gitops-promotion-demo-"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_empty = not any(folder.iterdir())
    except OSError as error:
        raise UsageError(f"{folder} cannot be used ({error.strerror}): name another folder for the demo") from None
    if not is_empty:
        raise UsageError(f"{folder} exists and is not empty: name another folder for the demo")
    return folder.resolve()


def _build(root: Path) -> None:
    git("init", "--quiet", "--bare", "--initial-branch=main", str(root / "remote.git"))
    git("clone", "--quiet", str(root / "remote.git"), str(root / "webshop"), quiet=True)
    for path, text in files().items():
        file = root / "webshop" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    with chdir(root / "webshop"):
        git("checkout", "--quiet", "-B", "main")
        git("add", ".")
        git("-c", "commit.gpgSign=false", "commit", "--quiet", "--no-verify", "-m", "The webshop as it runs today")
        git("push", "--quiet", "--no-verify", "-u", "origin", "main")


def git(*args: str, quiet: bool = False) -> str:
    """Run git as a person would in the current folder and return what it prints. Raises GitError."""
    environ: Mapping[str, str] = {
        "GIT_AUTHOR_NAME": "Demo",
        "GIT_AUTHOR_EMAIL": "demo@example.org",
        "GIT_COMMITTER_NAME": "Demo",
        "GIT_COMMITTER_EMAIL": "demo@example.org",
        **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
        "GIT_PAGER": "cat",
    }
    try:
        process = subprocess.run(["git", *args], env=environ, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise GitError("git is not installed: install git 2.39 or newer") from None
    if process.returncode and not quiet:
        raise GitError(f"git {args[0]} failed: {process.stderr.strip() or process.stdout.strip()}")
    return process.stdout
