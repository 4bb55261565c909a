"""Generated repositories, written as one stream for `git fast-import`."""

import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENTS = ("dev", "qa", "prod")
GROUP = "shop"
START = 1_750_000_000
"""The time of the first commit, in seconds since 1970."""

MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {app}
spec:
  replicas: 2
  template:
    spec:
      containers:
        - name: app
          image: ghcr.io/acme/{app}:{tag} # {{"$imagepolicy": "{group}:{app}"}}
          env:
            - name: SETTING
              value: "{app}"
"""
PLAIN = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: config-{number}\ndata:\n  key: value-{number}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many files and applications a repository has; each application has one file in each environment."""

    name: str
    applications: int
    files: int = 0

    @property
    def contents(self) -> Iterator[tuple[str, str]]:
        """The paths and texts of all files: the configuration, the manifests, and files without a marker."""
        yield "gitops-promotion.yaml", config(ENVIRONMENTS)
        for number in range(self.applications):
            for environment in ENVIRONMENTS:
                yield manifest_path(f"app{number}", environment), manifest(f"app{number}", "1.0.0")
        for number in range(self.files - 1 - self.applications * len(ENVIRONMENTS)):
            folder = f"{GROUP}/{ENVIRONMENTS[number % 3]}/config/{number % 100}"
            yield f"{folder}/config-{number}.yaml", PLAIN.format(number=number)


def config(environments: Iterable[str]) -> str:
    """Return a configuration of automatic environments."""
    return "environments:\n" + "".join(f"  - {{name: {name}, auto: true}}\n" for name in environments)


def manifest(app: str, tag: str, group: str = GROUP) -> str:
    """Return a manifest of some lines with one marker."""
    return MANIFEST.format(app=app, tag=tag, group=group)


def manifest_path(app: str, environment: str, group: str = GROUP) -> str:
    """Return the place of an application's manifest in an environment."""
    return f"{group}/{environment}/{app}/deployment.yaml"


def blob(path: str, text: str) -> str:
    """Return the lines of a file in a commit of fast-import."""
    return f"M 100644 inline {path}\ndata {len(text)}\n{text}\n"


def commit(branch: str, message: str, *lines: str, mark: int = 1, at: int = START, parents: Iterable[int] = ()) -> str:
    """Return a commit of fast-import; `parents` are marks of earlier ones, `lines` its changed files."""
    links = [f"{'merge' if index else 'from'} :{parent}\n" for index, parent in enumerate(parents)]
    head = f"commit refs/heads/{branch}\nmark :{mark}\ncommitter Ann <ann@example.org> {at} +0000\n"
    return "".join([head, f"data {len(message)}\n{message}\n", *links, *lines])


def build(bare: Path, stream: Iterable[str], *, settings: Mapping[str, str] | None = None) -> Path:
    """Make a bare repository of a stream for fast-import, in one pack, and return it."""
    git(bare.parent, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    for key, value in (settings or {}).items():
        git(bare, "config", key, value)
    git(bare, "fast-import", "--quiet", stdin="".join(stream).encode())
    git(bare, "repack", "-adq", "--write-bitmap-index")
    return bare


def build_size(bare: Path, size: Size) -> Path:
    """Make a bare repository of one commit, and return it."""
    return build(bare, [commit("main", "Start", *(blob(path, text) for path, text in size.contents))])


def git(folder: Path, *arguments: str, stdin: bytes = b"") -> str:
    """Run git and return what it printed; a failure is an error."""
    done = subprocess.run(["git", *arguments], cwd=folder, input=stdin, check=True, capture_output=True)
    return done.stdout.decode().strip()
