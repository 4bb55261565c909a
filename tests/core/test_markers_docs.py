"""The editor does what docs/markers.md says."""

import re
from pathlib import Path

import pytest

from gitops_promotion.core.markers import scan, set_tag
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ManifestError

TEXT = (Path(__file__).parents[2] / "docs" / "markers.md").read_text(encoding="utf-8")
TABLES = {
    heading: re.findall(r"^\| `(webshop:webui\S*)` \| `(.*?)` \| (.*?) \|$", section, re.MULTILINE)
    for heading, section in re.findall(r"^##+ (.*?)\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL)
}
FORMS = TABLES["Forms"]
REFUSED = TABLES["Values that are refused"]
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


def manifest(marker: str, value: str) -> dict[str, bytes]:
    value = value.replace("sha256:...", "sha256:" + "0" * 64)
    line = f'x: {value} # {{"$imagepolicy": "{marker}"}}\ny: 1 # {{"$imagepolicy": "webshop:webui:tag"}}\n'
    return {"a.yaml": line.encode()}


@pytest.mark.parametrize(("marker", "before", "after"), FORMS)
def test_each_form_of_the_table_does_what_the_table_says(marker: str, before: str, after: str) -> None:
    files = manifest(marker, before)
    if after.startswith("an error"):
        with pytest.raises(ManifestError, match="must change with the tag"):
            set_tag(files, group="webshop", app="webui", tag=Tag("2.0.0"))
    else:
        edited = set_tag(files, group="webshop", app="webui", tag=Tag("2.0.0")).edits["a.yaml"]
        assert f"x: {after.strip('`')} # " in edited.decode()


@pytest.mark.parametrize(("marker", "value", "reason"), REFUSED)
def test_each_value_of_the_table_of_refused_values_is_refused(marker: str, value: str, reason: str) -> None:
    with pytest.raises(ManifestError, match=r"^a\.yaml:1: ") as error:
        set_tag(manifest(marker, value), group="webshop", app="webui", tag=Tag("2.0.0", "sha256:" + "f" * 64))
    suffix = re.fullmatch(r"write `(:\w+)`", reason)
    assert (f'write # {{"$imagepolicy": "webshop:webui{suffix[1]}"}}' if suffix else reason) in str(error.value)


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
    assert (len(FORMS), len(REFUSED), len(BLOCKS)) == (11, 10, 5)
