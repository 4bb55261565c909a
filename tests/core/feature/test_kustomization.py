"""Entries are added to a kustomization and removed again; every other byte stays (docs/migrating.md, B35)."""

from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from gitops_promotion.core.feature import kustomization
from gitops_promotion.core.feature.kustomization import Image
from gitops_promotion.errors import ManifestError
from tests.support.examples import examples

IMAGE = Image(name="web-f/ghcr.io/x/web", new_name="ghcr.io/x/web", new_tag="1.0")
PATH = "apps/dev/kustomization.yaml"


@cache
def with_copy(text: str, folder: str = "web-f", images: tuple[Image, ...] = (IMAGE,)) -> str:
    content = kustomization.with_entries(text.encode(), PATH, resource=folder, images=images, prefix=f"{folder}/")
    return content.decode()


def without_copy(text: str, folder: str = "web-f") -> str:
    return kustomization.without_entries(text.encode(), PATH, resource=folder, prefix=f"{folder}/").decode()


def load(text: str) -> dict[str, list[object]]:
    return YAML(typ="safe", pure=True).load(text) or {}


SHAPES = [
    "",
    "# nothing but a comment",
    "resources:\n- a\n",
    "resources:\n- a",
    "resources:\n- a\n\n\n",
    "resources:\n  - a # why\n  # about b\n  - b\n  # the end\n\nnamePrefix: x\n",
    "resources:\n-   a\n-   b\nimages: [{name: a, newTag: b}]\n",
    "resources: []\n",
    "resources: [a, b]",
    "resources: [\n  a, # first\n  b, # last\n]\n",
    "resources: [a,]\n",
    "resources:\n",
    "resources: # none yet\n",
    "images:\n- name: x\n  newTag: |\n    y\nresources: [a]\n",
    "resources:\r\n- a\r\nimages:\r\n- {name: q, newTag: '1'} # c\r\n",
    "resources:\r\n- a",
    "\ufeffresources:\n- a\n",
    "---\nresources:\n- a\n",
    "---\nresources:\n- a\n...\n",
    "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
    'images:\n- newTag: 1.4.2 # {"$imagepolicy": "apps:web:tag"}\n  name: web\n  # aligned\n\nresources:\n- a\n',
    '{"resources": ["a"], "images": []}\n',
]


@pytest.mark.parametrize("before", SHAPES)
def test_b35_removing_entries_restores_the_file_byte_for_byte(before: str) -> None:
    after = with_copy(before)
    assert [*(load(before).get("resources") or []), "web-f"] == load(after)["resources"]
    assert load(after)["images"][-1] == {"name": IMAGE.name, "newName": "ghcr.io/x/web", "newTag": "1.0"}
    assert with_copy(after) == after, "a second time changes nothing"
    assert without_copy(after) == before


@pytest.mark.parametrize("before", SHAPES)
@pytest.mark.parametrize("first", ["web-f", "web-g"])
def test_two_copies_are_removed_in_any_order(before: str, first: str) -> None:
    two_copies = with_copy(with_copy(before), "web-g", (Image(name="web-g/y", new_name="y", new_tag="2"),))
    second = "web-g" if first == "web-f" else "web-f"
    assert without_copy(without_copy(two_copies, first), second) == before


lines = st.lists(
    st.sampled_from(["- a", "- ./b/", "- ../c # why", "# comment", "", "-  d", "- 'web'"]), min_size=1, max_size=6
).filter(lambda drawn: any(line.startswith("-") for line in drawn))
images = st.lists(
    st.sampled_from(
        ["- name: x\n  newTag: v1", "- {name: y, newTag: 'v2'}", "# images", "- newTag: '1' # t\n  name: z"]
    ),
    max_size=4,
)


@examples(60)
@given(lines, images, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans())
@example(["- a"], [], "\n", False, True)
def test_any_kustomization_is_restored(
    resources: list[str], entries: list[str], newline: str, final_newline: bool, images_first: bool
) -> None:
    parts = ["resources:\n" + "\n".join(resources)]
    if any(entry.startswith("-") for entry in entries):
        parts.insert(0 if images_first else 1, "images:\n" + "\n".join(entries))
    before = ("\n".join(parts) + ("\n" if final_newline else "")).replace("\n", newline)
    after = with_copy(before)
    assert load(after)["resources"] == [*load(before)["resources"], "web-f"]
    assert without_copy(after) == before


def test_b35_a_lost_entry_is_added_again() -> None:
    after = with_copy("resources:\n- a\n")
    assert with_copy(after.replace("- web-f\n", "")) == after


@pytest.mark.parametrize("entry", ["web-f", "./web-f", "web-f/", '"web-f"', "././web-f/"])
def test_an_entry_in_another_spelling_is_not_doubled_and_is_removed(entry: str) -> None:
    text = f"resources:\n- a\n- {entry} # by hand\n"
    assert with_copy(text, images=()) == text
    assert without_copy(text) == "resources:\n- a\n"


def test_a_new_tag_changes_only_the_tag() -> None:
    after = with_copy("resources:\n- a\n")
    newer = with_copy(after, images=(Image(name=IMAGE.name, new_name=IMAGE.new_name, new_tag="1.1"),))
    assert newer == after.replace('newTag: "1.0"', 'newTag: "1.1"')


def test_an_unneeded_image_is_removed() -> None:
    before = "resources:\n- a\n"
    assert with_copy(with_copy(before), images=()) == with_copy(before, images=())


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("resources: web.yaml\n", 1, "no list"),
        ("resources:\n- a\nresources:\n- b\n", 3, "twice"),
        ("resources: &all\n- a\n", 1, "anchor"),
        ("- a\n", 1, "no mapping"),
        ("a: [\n", 2, "not valid YAML"),
        ("a: 1\n---\nb: 2\n", 2, "single document"),
        ("{kind: Kustomization}\n", 1, "each key on its own line"),
    ],
)
def test_a_file_that_cannot_be_edited_is_an_error_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(ManifestError, match=message) as raised:
        with_copy(text)
    assert str(raised.value).startswith(f"{PATH}:{line}: ")
    assert [fault.line for fault in raised.value.faults] == [line]


def test_an_entry_that_shares_its_line_is_an_error() -> None:
    with pytest.raises(ManifestError, match="on its own line"):
        without_copy("? resources\n: - web-f\n")


def test_a_file_that_is_not_utf_8_is_an_error() -> None:
    with pytest.raises(ManifestError, match="UTF-8"):
        kustomization.with_entries(b"a: \xff", PATH, resource="x", images=(), prefix="x/")


def test_labels_are_read_in_both_spellings() -> None:
    text = b"commonLabels: {a: b}\nlabels:\n- pairs: {c: d}\n- includeSelectors: true\n"
    assert kustomization.own_labels(text, PATH) == {"a": "b", "c": "d"}


@pytest.mark.parametrize("name", kustomization.NAMES)
def test_b35_a_kustomization_is_found_by_each_of_its_names(name: str) -> None:
    assert kustomization.find("apps/dev", ["apps/dev/x.yaml", f"apps/dev/{name}"]) == f"apps/dev/{name}"
    assert kustomization.find("apps/dev", [f"apps/dev/web/{name}"]) is None


def test_two_kustomizations_in_a_folder_are_an_error() -> None:
    with pytest.raises(ManifestError, match="only one of them"):
        kustomization.find("a", ["a/kustomization.yaml", "a/Kustomization"])
