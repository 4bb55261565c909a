"""docs/markers.md says what the editor does."""

import re
from pathlib import Path

import pytest

from gitops_promotion.core.markers.edit import set_tag
from gitops_promotion.core.markers.scan import scan
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ManifestError

TEXT = (Path(__file__).parents[2] / "docs" / "markers.md").read_text(encoding="utf-8")
FORMS = re.findall(r"^\| `(webshop:webui\S*)` \| `(.*?)` \| (.*?) \|$", TEXT, re.MULTILINE)
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize(("marker", "before", "after"), FORMS)
def test_each_form_of_the_table_does_what_the_table_says(marker: str, before: str, after: str) -> None:
    line = f'x: {before} # {{"$imagepolicy": "{marker}"}}\ny: 1 # {{"$imagepolicy": "webshop:webui:tag"}}\n'
    files = {"a.yaml": line.encode()}
    if after.startswith("an error"):
        with pytest.raises(ManifestError, match="must change with the tag"):
            set_tag(files, group="webshop", app="webui", tag=Tag("2.0.0"))
    else:
        edited = set_tag(files, group="webshop", app="webui", tag=Tag("2.0.0")).edits["a.yaml"]
        assert f"x: {after.strip('`')} # " in edited.decode()


@pytest.mark.parametrize("block", BLOCKS)
def test_every_marker_of_the_examples_has_an_effect(block: str) -> None:
    result = scan(block.encode(), "docs/markers.md")
    assert len(result.markers) == block.count("$imagepolicy")
    assert result.misplaced == ()


def test_the_example_of_quotes_is_what_happens() -> None:
    before, after = (block for block in BLOCKS if block.startswith("tag: "))
    edited = set_tag({"a.yaml": before.encode()}, group="webshop", app="webui", tag=Tag("1.10"))
    assert edited.edits["a.yaml"].decode() == after


def test_the_documentation_has_tables_and_examples() -> None:
    assert len(FORMS) == 7
    assert len(BLOCKS) == 4
