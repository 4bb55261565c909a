"""What a promotion's pull request says of its tag (docs/pull-requests.md), on plain git and a registry on loopback."""

import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from gitops_promotion.workflow import describing
from tests.registry.server import Answer, Registry, serving

if TYPE_CHECKING:
    from tests.commands.conftest import Shop

QA = "webshop/qa/webui.yaml"
OLD, NEW = "a" * 40, "b" * 40
SOURCE = "https://github.com/acme/webui"


@pytest.fixture
def registry(shop: "Shop", monkeypatch: pytest.MonkeyPatch, config: Callable[..., str]) -> Iterator[Registry]:
    """A registry that qa has its image from, and a configuration with `changelog`."""
    monkeypatch.setenv("DOCKER_CONFIG", str(shop.tmp_path))
    with serving(Registry()) as served:
        for tag, revision in (("1.0.0", OLD), ("1.4.2", NEW)):
            labels = {"org.opencontainers.image.source": SOURCE, "org.opencontainers.image.revision": revision}
            served.push("webshop/webui", tag, labels=labels)
        text = shop.remote.show(QA, "main")
        changes = config(autos=(True, False, False), more="changelog: true\n")
        shop.edit({QA: text.replace("ghcr.io", served.host), "gitops-promotion.yaml": changes})
        yield served


def body(shop: "Shop", number: int) -> str:
    return shop.local("show", str(number))


def test_the_way_and_the_link_by_the_images_labels_stand_in_the_description(
    shop: "Shop", registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_API_URL", f"http://{registry.host}")
    shop.new("1.4.2")
    assert shop.run("promote", "--all").results == ["opened"]
    shown = body(shop, 2)
    assert re.search(r"The way so far:\s+- `dev` since \d{4}-\d\d-\d\d \d\d:\d\d UTC, by #1\s", shown)
    assert f"[What changed]({SOURCE}/compare/{OLD}...{NEW}): `1.0.0` → `1.4.2`" in shown
    assert all(path.startswith("/v2/") for path in registry.paths), "no repository is asked on an image's word"
    requests = len(registry.requests)
    before = shop.remote.git("for-each-ref")
    assert shop.run("promote", "--all").results == ["unchanged"]
    assert (len(registry.requests), shop.remote.git("for-each-ref")) == (requests, before)


def test_the_commits_of_a_repository_of_the_configuration_are_listed_without_our_token(
    shop: "Shop", registry: Registry, config: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_API_URL", f"http://{registry.host}")
    monkeypatch.setenv("GITOPS_PROMOTION_TOKEN", "our-t0ken")
    commit = {"sha": NEW, "commit": {"message": "Round `prices`\n\nBecause."}}
    answer = json.dumps({"commits": [commit], "total_commits": 1}).encode()
    path = f"/repos/acme/webui/compare/{OLD}...{NEW}"
    registry.instead[path] = Answer(body=answer)
    groups = f"groups: {{webshop: {{applications: {{webui: {{sourceRepository: {SOURCE}}}}}}}}}\n"
    more = f"changelog: true\n{groups}"
    shop.edit({"gitops-promotion.yaml": config(autos=(True, False, False), more=more)})
    shop.new("1.4.2")
    shop.run("promote", "--all")
    assert "- `bbbbbbb` `` Round `prices` ``" in body(shop, 2)
    assert [authorization for _, asked, authorization in registry.requests if asked.startswith(path)] == [""]
    registry.push("webshop/webui", "1.4.3", labels={"org.opencontainers.image.source": SOURCE})
    shop.new("1.4.3")
    opened = shop.run("promote", "--all").only
    assert "the commits could not be read" in body(shop, opened["pull_request"]["number"])


def test_a_registry_that_does_not_answer_stops_no_promotion(
    shop: "Shop", registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(describing, "SECONDS", 0.2)
    registry.silent = threading.Event()
    shop.new("1.4.2")
    done = shop.run("promote", "--all")
    assert done.results == ["opened"]
    assert "did not answer within 0.2s" in done.stderr
    shown = body(shop, 2)
    assert "Changelog unavailable" in shown
    assert "- `dev` since" in shown


def test_a_repository_of_the_configuration_needs_no_registry(shop: "Shop", config: Callable[..., str]) -> None:
    groups = f"groups: {{webshop: {{applications: {{webui: {{sourceRepository: {SOURCE}}}}}}}}}\n"
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False), more=groups)})
    assert shop.new("1.4.2").results == ["opened"]
    shown = body(shop, 1)
    assert f"[What changed]({SOURCE}/compare/1.0.0...1.4.2)" in shown
    assert "The way so far" not in shown
    assert shop.new("1.4.2").results == ["unchanged"]


def test_a_rollback_says_what_it_removes(shop: "Shop", config: Callable[..., str]) -> None:
    shop.flux("dev")
    shop.new("1.4.2")
    groups = f"groups: {{webshop: {{applications: {{webui: {{sourceRepository: {SOURCE}}}}}}}}}\n"
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False), more=groups)})
    names = ("--group", "webshop", "--app", "webui", "--env", "dev", "--to", "1.0.0", "--no-hold")
    opened = shop.run("rollback", *names).only
    shown = body(shop, opened["pull_request"]["number"])
    assert f"[What this removes]({SOURCE}/compare/1.0.0...1.4.2): `1.4.2` → `1.0.0`" in shown


def test_a_label_that_is_refused_is_a_warning(shop: "Shop", config: Callable[..., str]) -> None:
    more = "labels: ['env/{{ environment }}']\ntemplates: {title: '{{ app }} {{ tag }}', commit: c}\n"
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False), more=more)})
    opened = shop.new("1.4.2").only
    assert opened["pull_request"]["title"] == "webui 1.4.2"
    assert [warning for warning in opened["warnings"] if "env/dev" in warning]
    assert len(opened["warnings"]) == 1
    again = shop.new("1.4.2").only
    assert (again["result"], again["warnings"]) == ("unchanged", []), "the branch is known as ours by its trailers"


def test_the_rendered_difference_is_shown_and_no_build_that_fails_stops_a_promotion(
    shop: "Shop", config: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = shop.tmp_path / "bin" / "kustomize"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\n[ "$1" = version ] && { echo v5.0.0; exit; }\nexec /bin/cat "$2/webui.yaml"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    manifest = shop.remote.show("webshop/dev/webui.yaml", "main").replace("spec:", "metadata: {name: webui}\nspec:")
    more = config(autos=(False, True, False), more="renderedDiff: true\n")
    shop.edit({"gitops-promotion.yaml": more, "webshop/dev/webui.yaml": manifest})
    shop.new("1.4.2")
    assert "-  image: ghcr.io/webshop/webui:1.0.0\n+  image: ghcr.io/webshop/webui:1.4.2" in body(shop, 1)
    program.write_text('#!/bin/sh\n[ "$1" = version ] && { echo v5.0.0; exit; }\nexit 1\n')
    done = shop.new("1.4.3")
    assert done.results == ["updated"]
    assert "no rendered difference: webshop/dev does not build" in done.stderr
    assert "Rendered difference" not in body(shop, 1)
