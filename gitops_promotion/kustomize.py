"""Running kustomize: what a folder of a repository really gives Flux to apply."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gitops_promotion.core import untrusted
from gitops_promotion.errors import BuildError, KustomizeError, RestrictedError

TIMEOUT = 120.0
"""Seconds that one build may take, a remote base's download included."""

_OLDEST = 5
# `v5.8.1`, older ones `{Version:kustomize/v4.5.7 ...}`; kubectl has it on a line of its own.
_VERSION = re.compile(r"(?:Kustomize Version: *|^|kustomize/)v(\d+)(\.\d+\.\d+)", re.MULTILINE)
_KEPT = (
    "PATH",
    "HOME",
    "TMPDIR",
    "LANG",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SSH_AUTH_SOCK",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)
_HOW = (
    "install kustomize 5 or newer (https://kubectl.docs.kubernetes.io/installation/kustomize/), or kubectl 1.27 or "
    "newer, and put it on the PATH; the container image of gitops-promotion brings it"
)
_CHARTS = (
    "charts are not inflated, here as in Flux: keep what helmCharts gives in files, or set featureOverwrite: true for "
    "the application"
)
_LONGEST = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Kustomize:
    """A program that builds kustomizations, and what it says its version is."""

    command: tuple[str, ...]
    version: str
    environ: Mapping[str, str]

    @classmethod
    def find(cls, environ: Mapping[str, str]) -> "Kustomize":
        """Return `kustomize` of the PATH, else `kubectl` with the one it embeds. Raises KustomizeError."""
        # An allow-list: whatever a token is called, a plugin or a remote base must not read it from the environment.
        kept = {name: environ[name] for name in _KEPT if name in environ}
        # A remote base is fetched by git, which must not sit and wait for a password.
        kept["GIT_TERMINAL_PROMPT"] = "0"
        unfit = []
        for name, asking, building in (
            ("kustomize", ("version",), ("build",)),
            ("kubectl", ("version", "--client"), ("kustomize",)),
        ):
            path = shutil.which(name, path=environ.get("PATH"))
            if path is None:
                continue
            try:
                said = _run((path, *asking), kept, Path("/"), f"{path} does not tell its version")
            except KustomizeError as error:
                unfit.append(str(error))
                continue
            found = _VERSION.search(said.decode(errors="replace"))
            if found and int(found[1]) >= _OLDEST:
                return cls(command=(path, *building), version=f"v{found[1]}{found[2]}", environ=kept)
            unfit.append(f"{path} is v{found[1]}{found[2]}" if found else f"{path} has none")
        raise KustomizeError(f"no kustomize {_OLDEST} or newer ({'; '.join(unfit) or 'none was found'}): {_HOW}")

    def build(self, root: Path, folder: str, *, anywhere: bool = False) -> bytes:
        """Return what the kustomization in `folder` of the tree at `root` gives, as YAML.

        No plugin and no chart is run, and files are read below each kustomization's own folder only, unless they may
        be `anywhere`. Raises KustomizeError whose text names paths as the repository has them; RestrictedError if it
        is about such a file.
        """
        unrestricted = ("--load-restrictor", "LoadRestrictionsNone") if anywhere else ()
        what = f"{folder} does not build with {Path(self.command[0]).name} {self.version}"
        return _run((*self.command, str(root / folder), *unrestricted), self.environ, root, what)


def _run(command: tuple[str, ...], environ: Mapping[str, str], folder: Path, what: str) -> bytes:
    try:
        # A session of its own: what it started itself, git for a remote base, ends with it.
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise KustomizeError(f"{command[0]} cannot be started ({error.strerror}): {_HOW}") from error
    try:
        stdout, stderr = process.communicate(timeout=TIMEOUT)
    except BaseException as error:
        # An interrupted communicate() waits a little itself, and may have seen the end.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise KustomizeError(
                f"{what}: no answer within {TIMEOUT:g} s: try `{' '.join(command[:2])}` there by hand, a remote base "
                "may be out of reach"
            ) from error
        raise
    if process.returncode:
        said = _one_line(stderr, folder)
        kind = RestrictedError if b"is not in or below" in stderr else BuildError
        hint = _CHARTS if b"--enable-helm" in stderr else "try it by hand, in a clone of the repository"
        raise kind(f"{what}: {said}: {hint}", said)
    return stdout


def _one_line(stderr: bytes, root: Path) -> str:
    text = stderr.decode(errors="replace").replace(f"{root}/", "").replace(str(root), ".")
    # Some kubectls log what they have to say.
    text = re.sub(r"^[EF]\d{4} [\d:.]+ +\d+ \S+\] (?:\"command failed\" err=)?", "", text, flags=re.MULTILINE)
    # Deprecations are told on every run, and say nothing of why this one failed.
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("# Warning")]
    shown = " ".join(lines).removeprefix("Error: ").removeprefix("error: ") or "no reason given"
    shown = untrusted.lines(shown)
    return shown if len(shown) <= _LONGEST else "..." + shown[-_LONGEST:]
