"""`feature` and `feature-delete` in the environments of tests/kustomizations/environments, one a file.

The `.expected` file beside it has the result. `tests/kustomizations/record` writes it; read it before you commit it.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kubernetes_validate  # type: ignore[import-untyped]  # it has no types
import pytest
from ruamel.yaml import YAML

from gitops_promotion.core.markers.scan import scan
from tests.kustomizations.program import RECORDING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.commands.conftest import Run, Shop
    from tests.conftest import Remote

FOLDER = Path(__file__).parents[1] / "kustomizations/environments"
CASES = sorted(FOLDER.glob("*.txt"))
CONFIG = """\
environments: [{name: dev, auto: true}, {name: prod}]
groups: {shop: {applications: {web: {featureLabelSelector: {app: web}}, other: {}}}}
"""
KUBERNETES = "1.33"


def case(path: Path) -> tuple[list[str], dict[str, str]]:
    """Return the arguments of a case and its files."""
    head, *parts = re.split(r"^== (.+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    arguments = re.search(r"^\$ (.+)$", head, re.MULTILINE)
    assert arguments
    return arguments[1].split(), dict(zip(parts[::2], parts[1::2], strict=True))


def check(path: Path, result: str) -> None:
    """Compare the result with the expected one, or record it."""
    expected = path.with_suffix(".expected")
    if RECORDING:
        expected.write_text(result, encoding="utf-8")
    assert result == expected.read_text(encoding="utf-8")


def notes(shop: "Shop", run: "Run") -> str:
    """Return the description of the pull request, without its metadata and files."""
    description = shop.local("show", str(run.only["pull_request"]["number"]))
    text = description.partition("-->\n")[2].partition("\nFiles:\n")[0]
    return "\n".join(line for line in text.splitlines() if line) + "\n"


def changed(remote: "Remote", before: str) -> str:
    diff = remote.git("diff", "--no-color", "--unified=1", before, "main")
    return re.sub(r"^(?:index|new file|diff) .*\n", "", diff, flags=re.MULTILINE) + "\n"


def validated(remote: "Remote", before: str) -> list[str]:
    """Validate each new file by the schema of its kind; return the kinds that have one."""
    kinds = []
    for path in remote.git("diff", "--name-only", "--diff-filter=A", before, "main").splitlines():
        text = remote.show(path, "main")
        assert scan(text.encode(), path).markers == (), "neither Flux nor promote may find a marker in a copy"
        document: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
        document.pop("sops", None)  # Flux removes it before it applies a Secret
        try:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            assert "." in document["apiVersion"], "a kind of Kubernetes itself"
            continue
        kinds.append(document["kind"])
    return kinds


@pytest.mark.parametrize(
    "path",
    [
        # A real kustomize takes most of the time; with --thorough it builds all of them.
        pytest.param(path, marks=pytest.mark.kustomize(check=path.stem in ("flux-generates", "kinds")), id=path.stem)
        for path in CASES
    ],
)
def test_a_feature_in_this_environment(
    path: Path, make_remote: "Callable[..., Remote]", make_shop: "Callable[[Remote], Shop]", kustomize: str
) -> None:
    arguments, files = case(path)
    remote = make_remote({"gitops-promotion.yaml": CONFIG, **files})
    shop = make_shop(remote)
    before = remote.sha("main")
    refs = remote.git("for-each-ref")
    run = shop.run("feature", "--group", "shop", *arguments, code=None)
    if run.code:
        assert run.code == 2
        assert remote.git("for-each-ref") == refs, "nothing is written"
        check(path, run.only["message"] + "\n")
        return
    assert run.results == ["merged"]
    check(path, notes(shop, run) + "\n" + changed(remote, before))
    assert validated(remote, before)
    if path.stem in ("overlay", "flux-generates"):  # test_feature_generated.py covers others
        refs = remote.git("for-each-ref")
        assert shop.run("feature", "--group", "shop", *arguments).results == ["unchanged"]
        assert remote.git("for-each-ref") == refs, "a second run changes nothing"
    feature = arguments[arguments.index("--feature") + 1]
    deleted = shop.run("feature-delete", "--group", "shop", "--app", "web", "--feature", feature)
    assert deleted.results == ["merged"]
    assert remote.git("diff", before, "main") == "", "byte for byte as it was"
