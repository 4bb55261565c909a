"""The import rule, read from the sources.

errors <- core <- {bounded_http, partial_import} <- {git, kustomize, providers/*, registry, render, notify, terminal,
ci} <- workflow <- commands <- cli <- action; siblings are strangers.
"""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.util import resolve_name
from pathlib import Path

import pytest

PACKAGE = "gitops_promotion"
ROOT = Path(__file__).parents[1] / PACKAGE
FLOORS = {
    "errors": 0,
    "core": 1,
    "bounded_http": 2,
    "partial_import": 2,
    **dict.fromkeys(("git", "kustomize", "providers", "registry", "render", "notify", "terminal", "ci"), 3),
    "workflow": 4,
    "commands": 5,
    "cli": 6,
    "action": 7,
}
SDKS = {
    "git": "gitops_promotion.git.process",
    "github": "gitops_promotion.providers.github.api",
    "azure": "gitops_promotion.providers.azure_devops.api",
    "msrest": "gitops_promotion.providers.azure_devops.api",
}
# What core may use of the standard library; everything else may read a clock, a file, the environment or the network.
PURE = {
    "base64",
    "bisect",
    "collections",
    "contextlib",
    "copy",
    "dataclasses",
    "datetime",
    "difflib",
    "enum",
    "fnmatch",
    "functools",
    "hashlib",
    "heapq",
    "html",
    "ipaddress",
    "itertools",
    "json",
    "math",
    "operator",
    "pathlib.PurePosixPath",
    "posixpath.join",
    "posixpath.normpath",
    "re",
    "shlex",
    "statistics",
    "string",
    "textwrap",
    "types",
    "typing",
    "unicodedata",
    "urllib.parse",
    "zoneinfo",  # the time zone database is a table, as that of unicodedata
}
PURE_THIRD_PARTIES = {"jinja2", "ruamel", "yaml"}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "__import__"}
CLOCKS = {"now", "utcnow", "today"}


def parse(source: str) -> list[ast.AST]:
    """Return everything in a source."""
    return [*ast.walk(ast.parse(source))]


def imports(module: str, nodes: Sequence[ast.AST]) -> Iterator[str]:
    """Full names of what a module imports, wherever the statement stands; `from a import b` gives a.b."""
    package = module if (ROOT.parent / module.replace(".", "/")).is_dir() else module.rpartition(".")[0]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module
            yield from (f"{base}.{alias.name}" for alias in node.names)


def room(module: str) -> str:
    """`gitops_promotion.providers.local.x` is in room `providers.local`; `providers.http` is shared by all adapters."""
    parts = module.split(".")[1:]
    return ".".join(parts[:2]) if parts[0] == "providers" and _is_adapter(".".join(parts[:2])) else parts[0]


def faults(module: str, source: str) -> list[str]:
    """What a module does against the rule."""
    found = []
    own = room(module)
    nodes = parse(source)
    for name in imports(module, nodes):
        top = name.split(".")[0]
        if top in SDKS and SDKS[top] != module:
            found.append(f"{module} imports {name}: only {SDKS[top]} may")
        if top == PACKAGE and name.count("."):
            found += _between_rooms(module, own, name)
        elif own in ("core", "errors") and top in sys.stdlib_module_names:
            if PURE.isdisjoint({top, name, name.rpartition(".")[0]}):
                found.append(f"{module} imports {name}: {own} is pure")
        elif own in ("core", "errors") and top not in (*PURE_THIRD_PARTIES, PACKAGE):
            found.append(f"{module} imports {name}: {own} is pure")
    if own == "core":
        found += [f"{module} calls {name}: core is pure" for name in _impure_calls(nodes)]
    return found


def _between_rooms(module: str, own: str, name: str) -> list[str]:
    other = room(name)
    floors = FLOORS.get(own.split(".")[0]), FLOORS.get(other.split(".")[0])
    if None in floors:
        return [f"{module} imports {name}: one of them is in no room"] if own != "__main__" else []
    shared = own.split(".")[0] == other.split(".")[0] and (own == other or not _is_adapter(other))
    if shared or (floors[0] or 0) > (floors[1] or 0):
        return []
    return [f"{module} imports {name}: not a floor below"]


def _is_adapter(other: str) -> bool:
    # `from gitops_promotion.providers import Provider` and `import gitops_promotion.providers.local` look alike here
    name = other.partition(".")[2]
    return bool(name) and (ROOT / "providers" / name / "__init__.py").exists()


def _impure_calls(nodes: Sequence[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
                yield node.func.id
            elif isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS:
                yield node.func.attr


def modules() -> dict[str, str]:
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    return found


def test_every_module_imports_from_the_floors_below_only() -> None:
    sources = modules()
    assert {"gitops_promotion.errors", "gitops_promotion.core.config", "gitops_promotion.ci"} <= set(sources)
    assert [fault for name, source in sources.items() if name != PACKAGE for fault in faults(name, source)] == []


def test_the_package_itself_imports_nothing() -> None:
    assert list(imports(PACKAGE, parse(modules()[PACKAGE]))) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("errors", "from gitops_promotion.core import model"),
        ("errors", "import click"),
        ("errors", "import os"),
        ("core.gate", "from gitops_promotion.git import Repository"),
        ("core.gate", "def f():\n    from gitops_promotion import ci"),
        ("core.gate", "from ..git import Repository"),
        ("core.gate", "import os"),
        ("core.gate", "import os.path"),
        ("core.gate", "from pathlib import Path"),
        ("core.gate", "import subprocess"),
        ("core.gate", "from time import monotonic"),
        ("core.gate", "import socket"),
        ("core.gate", "from urllib.request import urlopen"),
        ("core.gate", "import random"),
        ("core.gate", "import click"),
        ("core.gate", "import requests"),
        ("core.gate", "now = datetime.now()"),
        ("core.gate", "datetime.date.today()"),
        ("core.gate", "open('x')"),
        ("core.gate", "print('x')"),
        ("git", "from gitops_promotion.ci import CIContext"),
        ("git", "import github"),
        ("git", "import git"),
        ("git.remote", "from git import Repo"),
        ("git.remote", "from gitops_promotion.ci import CIContext"),
        ("ci", "from gitops_promotion import render"),
        ("render", "from gitops_promotion.providers import Provider"),
        ("render", "from gitops_promotion.commands.new import new"),
        ("providers.local", "from gitops_promotion.git import Repository"),
        ("providers.github", "from gitops_promotion.providers.local import connect"),
        ("providers.github", "from .. import local"),
        ("providers.github.api", "from gitops_promotion.providers.local import connect"),
        ("providers.github", "import github"),
        ("providers.local", "from gitops_promotion.providers.github import connect"),
        ("providers", "from gitops_promotion.providers import local"),
        ("providers.http", "from gitops_promotion.providers.github import api"),
        ("providers.github", "import azure.devops.connection"),
        ("providers.local", "import git"),
        ("commands.new", "from gitops_promotion.cli import main"),
        ("commands.new", "from git import Repo"),
        ("cli", "import github"),
        ("extra", "from gitops_promotion.core import model"),
    ],
)
def test_a_break_of_the_rule_is_found(module: str, source: str) -> None:
    assert len(faults(f"{PACKAGE}.{module}", source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "core.gate",
            "from gitops_promotion.core.model import Verdict\nfrom gitops_promotion.errors import UsageError",
        ),
        ("core.gate", "from datetime import datetime\nfrom collections.abc import Mapping\nimport urllib.parse"),
        (
            "core.gate",
            "from urllib.parse import quote\nfrom pathlib import PurePosixPath\nfrom ruamel.yaml import YAML",
        ),
        ("git.process", "import os\nimport git\nfrom gitops_promotion.core.model import Refs"),
        ("git.remote", "from gitops_promotion.git.process import Runner\nfrom .checkout import Setting"),
        ("providers", "from gitops_promotion.core import model\nfrom importlib.metadata import entry_points"),
        (
            "providers.local",
            "from gitops_promotion.providers import Provider\nfrom gitops_promotion.core.model import Store",
        ),
        ("providers.local", "from . import Provider"),
        ("providers.github.api", "from gitops_promotion.providers.http import retrying"),
        ("providers.choose", "from gitops_promotion.providers import registry"),
        ("providers.github", "from gitops_promotion.providers.github.api import Api"),
        ("providers.github.api", "import github\nfrom gitops_promotion.providers.github import address"),
        ("providers.azure_devops.api", "import azure.devops.connection\nimport msrest"),
        (
            "commands.new",
            "from gitops_promotion.workflow.run import Session\nfrom gitops_promotion import git, render",
        ),
        ("cli", "import click\nfrom gitops_promotion.commands import new"),
        ("__main__", "from gitops_promotion.cli import main"),
    ],
)
def test_what_the_rule_allows_is_no_fault(module: str, source: str) -> None:
    assert faults(f"{PACKAGE}.{module}", source) == []


# What a list of environments would be asked for, if they were one.
NEIGHBOURS = re.compile(
    r"\bpairwise\b|\b(?:previous|next)_environment\b|\b(?:pipeline|way)(?:\([^()]*\))?\.(?:names|environments)\["
    r"|\.index\([^()]*\) *[+-]"
)


def test_one_module_alone_knows_which_environment_comes_before_which() -> None:
    assert [name for name, source in modules().items() if NEIGHBOURS.search(source)] == [f"{PACKAGE}.core.environments"]


@pytest.mark.parametrize(
    "source",
    ["pairwise(names)", "tip.config.pipeline.names[0]", "config.way(application).names[1:]", "names.index(env) - 1"],
)
def test_a_neighbour_in_a_list_of_environments_is_found(source: str) -> None:
    assert NEIGHBOURS.search(source)


def test_help_loads_no_sdk_no_yaml_and_no_retries() -> None:
    code = """
import json, sys
from gitops_promotion.cli import main
try:
    main()
finally:
    print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})), file=sys.stderr)
"""
    environ = {**os.environ, "PYTHONPATH": str(ROOT.parent)}
    run = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, env=environ, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "Usage" in run.stdout
    loaded = set(json.loads(run.stderr.splitlines()[-1]))
    assert "click" in loaded
    assert loaded.isdisjoint({"git", "github", "azure", "msrest", "ruamel", "yaml", "tenacity", "requests", "rich"})


@pytest.mark.parametrize("verb", ["new", "promote", "status"])
def test_a_verb_on_github_imports_nothing_that_it_does_not_use(verb: str) -> None:
    code = f"""
import json, sys
from gitops_promotion.cli import run
from gitops_promotion.cli.verbs import {verb}
from gitops_promotion.commands import {verb}
from gitops_promotion.git import process
from gitops_promotion.providers.github import provider
from gitops_promotion.workflow import run
process._gitpython()
print(json.dumps(list(sys.modules)))
"""
    environ = {**os.environ, "PYTHONPATH": str(ROOT.parent)}
    program = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ, check=True)
    loaded = set(json.loads(program.stdout))
    assert {"git.cmd", "github.Requester"}.isdisjoint(loaded), "whoever imports these packages gets half of them"
    third_parties = {"azure", "cryptography", "git", "github", "jinja2", "msrest", "rich", "ruamel.yaml", "statistics"}
    own = {f"{PACKAGE}.{name}" for name in ("notify", "registry", "workflow.notifying", "workflow.board")}
    assert loaded.isdisjoint(third_parties | own)


def test_connecting_to_github_imports_no_cryptography_but_for_an_app() -> None:
    code = """
import sys
from gitops_promotion.providers.github import api
assert api.Requester
print("cryptography" in sys.modules)
try:
    api.app_auth("1", "no key")
except ValueError:
    print("cryptography" in sys.modules)
"""
    environ = {**os.environ, "PYTHONPATH": str(ROOT.parent)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ, check=True)
    assert run.stdout.split() == ["False", "True"]
