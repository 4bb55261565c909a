"""The examples of docs/layouts.md and docs/image-automation.md find the markers that their comments name."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_promotion.core.config import parse
from gitops_promotion.core.layout import MarkerName
from gitops_promotion.core.names import Application, Site
from gitops_promotion.core.status_contexts import belongs, fill

DOCS = Path(__file__).parents[1] / "docs"
COMMENT = re.compile(r'^# (\S+) with "([\w-]+):([\w-]+)" is ([\w-]+)/([\w-]+) in ([\w-]+)$', re.MULTILINE)


def examples() -> Iterator[tuple[str, str]]:
    """Yield the configurations of the pages, each with its page and line."""
    for page in ("layouts.md", "image-automation.md"):
        text = (DOCS / page).read_text(encoding="utf-8")
        for match in re.finditer(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            if "environments:" in match[1]:
                yield f"{page}:{text.count(chr(10), 0, match.start()) + 1}", match[1]


@pytest.mark.parametrize(("place", "text"), list(examples()))
def test_an_example_finds_the_markers_of_its_comments(place: str, text: str) -> None:
    config = parse(text, place)
    assert config.warnings == ()
    comments = COMMENT.findall(text)
    assert len(comments) == text.count("# "), "each comment is a file, its marker and what they are"
    for path, group, app, application_group, application, environment in comments:
        expected = Site(Application(application_group, application), environment)
        assert config.layout.claims(path, MarkerName(group, app)) == (expected,)


def test_the_pages_have_an_example_for_each_layout() -> None:
    assert len(list(examples())) >= 15


@pytest.mark.parametrize("page", ["github.md", "azure-devops.md"])
def test_the_guides_tell_equal_kustomization_names_apart_in_two_ways(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    section = text.partition("\n### One Kustomization name in every cluster\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```yaml\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    by_provider, provider, by_expression = blocks
    assert '''commitStatusExpr: "'flux/staging/' + event.involvedObject.name"''' in provider
    apps = Application("apps", "podinfo")
    for block, contexts in (
        (by_provider, {"staging": "kustomization/apps/2fb0a5b0", "production": "kustomization/apps/77c1d9e4"}),
        (by_expression, {"staging": "flux/staging/apps", "production": "flux/production/apps"}),
    ):
        config = parse(block, page)
        assert config.warnings == ()
        for environment, context in contexts.items():
            for other in contexts:
                patterns = fill(config.context_templates[other], apps, other)
                assert belongs(context, patterns) is (environment == other)
