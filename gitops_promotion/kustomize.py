"""Running kustomize: the objects that a folder of a repository gives Flux to apply."""

import math
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO

from gitops_promotion.core import durations, untrusted
from gitops_promotion.errors import BuildError, KustomizeError, RestrictedError

TIMEOUT = 120.0
"""Seconds for one build, the download of a remote base included."""

OUTPUT_LIMIT = 256 << 20
"""The most bytes that one build may print, also for the repository's own files."""

# The oldest major version that can be used.
_OLDEST = 5
# Nothing listens at the port of `discard`.
_NO_PROXY = "http://127.0.0.1:9"
# kustomize prints `v5.8.1`, versions before 5 `{Version:kustomize/v4.5.7 ...}`; kubectl prints it on a separate line.
_VERSION = re.compile(r"(?:Kustomize Version: *|^|kustomize/)v(\d+)(\.\d+\.\d+)", re.MULTILINE)
_VARIABLES = (
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
_INSTALL = (
    "install kustomize 5 or newer (https://kubectl.docs.kubernetes.io/installation/kustomize/), or kubectl 1.27 or "
    "newer, and put it on the PATH; the container image of gitops-promotion brings it"
)
_CHARTS = (
    "charts are not inflated, here as in Flux: keep the output of helmCharts in files, or set featureOverwrite: true "
    "for the application"
)
# Characters of the reason in an error.
_REASON_LIMIT = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one build may use at most: seconds, and bytes of memory and of output."""

    seconds: float = 60.0
    memory: int = 2 << 30
    output: int = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Kustomize:
    """A program that builds kustomizations, and its version."""

    command: tuple[str, ...]
    version: str
    environ: Mapping[str, str]
    limits: Limits | None = None

    @classmethod
    def find(cls, environ: Mapping[str, str]) -> "Kustomize":
        """Return `kustomize` of the PATH, else `kubectl` with the one it embeds. Raises KustomizeError."""
        # Known names only: a plugin or a remote base must not read a token from the environment, whatever its name is.
        variables = {name: environ[name] for name in _VARIABLES if name in environ}
        # kustomize fetches a remote base with git, which must not wait for a password.
        variables["GIT_TERMINAL_PROMPT"] = "0"
        problems = []
        for name, version_arguments, build_arguments in (
            ("kustomize", ("version",), ("build",)),
            ("kubectl", ("version", "--client"), ("kustomize",)),
        ):
            path = shutil.which(name, path=environ.get("PATH"))
            if path is None:
                continue
            try:
                output = _run((path, *version_arguments), variables, Path("/"), f"{path} does not report its version")
            except KustomizeError as error:
                problems.append(str(error))
                continue
            version = _VERSION.search(output.decode(errors="replace"))
            if version and int(version[1]) >= _OLDEST:
                command = (path, *build_arguments)
                return cls(command=command, version=f"v{version[1]}{version[2]}", environ=variables)
            problems.append(f"{path} is v{version[1]}{version[2]}" if version else f"{path} reports no version")
        reason = "; ".join(problems) or "none was found"
        raise KustomizeError(f"no kustomize {_OLDEST} or newer ({reason}): {_INSTALL}")

    def confined(self, home: Path, limits: Limits) -> "Kustomize":
        """Return the same program for the files of a stranger: without network, within limits.

        `home` is an empty folder. Every request goes to a proxy that does not exist, and PATH has no git that could
        fetch a repository.
        """
        folder = str(home)
        environ = dict.fromkeys(("HOME", "TMPDIR", "PATH", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), folder)
        environ |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), _NO_PROXY)
        # Go's garbage collector frees memory before the limit ends the program.
        environ["GOMEMLIMIT"] = str(limits.memory // 2)
        return replace(self, environ=environ, limits=limits)

    def build(self, root: Path, folder: str, *, unrestricted: bool = False) -> bytes:
        """Return the output of the kustomization in `folder` of the tree at `root`, as YAML.

        No plugin and no chart runs. Files are read below the folder of each kustomization only, or anywhere with
        `unrestricted`. Raises KustomizeError, whose text names paths as the repository has them; RestrictedError if
        it is about a file outside the folder.
        """
        options = ("--load-restrictor", "LoadRestrictionsNone") if unrestricted else ()
        problem = f"{folder} does not build with {Path(self.command[0]).name} {self.version}"
        return _run((*self.command, str(root / folder), *options), self.environ, root, problem, self.limits)


def _run(
    command: tuple[str, ...], environ: Mapping[str, str], folder: Path, problem: str, limits: Limits | None = None
) -> bytes:
    """Run a program and return its output. `problem` begins the error where it fails."""
    # A file, whose size is limited, takes what would fill this program's memory.
    with tempfile.TemporaryFile(dir=environ["TMPDIR"] if limits else None) as file:
        output = _run_process(command, environ, folder, problem, file, limits)
        if file.seek(0, os.SEEK_END) > OUTPUT_LIMIT:
            raise KustomizeError(f"{problem}: its output has more than {OUTPUT_LIMIT >> 20} MiB: split the environment")
        file.seek(0)
        # A stand-in in the tests has no file to write to.
        return file.read() or output


def _run_process(
    command: tuple[str, ...],
    environ: Mapping[str, str],
    folder: Path,
    problem: str,
    output: int | IO[bytes],
    limits: Limits | None,
) -> bytes:
    """Run a program and return its output, b"" where `output` is a file that gets it. Raises KustomizeError."""
    timeout = limits.seconds if limits else TIMEOUT
    try:
        # In a session of its own the program ends together with its children, such as git for a remote base.
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=partial(_limit, limits) if limits else None,
        )
    except OSError as error:
        raise KustomizeError(f"{command[0]} cannot be started ({error.strerror}): {_INSTALL}") from error
    try:
        stdout, stderr = process.communicate(timeout=timeout)
    except BaseException as error:
        # After an interrupt communicate() waits a moment for the program, which may have ended by now.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise KustomizeError(
                f"{problem}: no result after {durations.shown(timeout)}: try `{' '.join(command[:2])}` there by hand, "
                "a remote base may be unreachable"
            ) from error
        raise
    if process.returncode:
        reason = _one_line(stderr, folder)
        kind = RestrictedError if b"is not in or below" in stderr else BuildError
        next_step = _CHARTS if b"--enable-helm" in stderr else "try it by hand, in a clone of the repository"
        raise kind(f"{problem}: {reason}: {next_step}", reason)
    return stdout or b""


def _limit(limits: Limits) -> None:
    """Limit this process, before it becomes the program."""
    for kind, value in (
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_CPU, math.ceil(limits.seconds)),
        (resource.RLIMIT_FSIZE, limits.output),
        (resource.RLIMIT_CORE, 0),
    ):
        # A limit that was lower before stays, and not every system has all of them.
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, value))


def _one_line(stderr: bytes, root: Path) -> str:
    text = stderr.decode(errors="replace").replace(f"{root}/", "").replace(str(root), ".")
    # Some versions of kubectl print errors as log messages.
    text = re.sub(r"^[EF]\d{4} [\d:.]+ +\d+ \S+\] (?:\"command failed\" err=)?", "", text, flags=re.MULTILINE)
    # Warnings about deprecations come with every run, and are not the reason of a failure.
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("# Warning")]
    reason = " ".join(lines).removeprefix("Error: ").removeprefix("error: ") or "no reason given"
    reason = untrusted.lines(reason)
    return reason if len(reason) <= _REASON_LIMIT else "..." + reason[-_REASON_LIMIT:]
