"""The place of a marked value: the number of its document, and the keys and indexes that lead to it."""

import pytest

from gitops_promotion.core.markers import Place, scan
from gitops_promotion.core.markers.places import Values, read_values

M = '# {"$imagepolicy": "g:a:tag"}'

PLACES: dict[str, tuple[str, list[tuple[int, tuple[str | int, ...]]]]] = {
    "a key": (f"tag: v1 {M}", [(0, ("tag",))]),
    "a nested key": (f"a:\n  b:\n    tag: v1 {M}", [(0, ("a", "b", "tag"))]),
    "an item": (f"- x\n- v1 {M}", [(0, (1,))]),
    "a key of an item": (
        f"spec:\n  containers:\n  - image: x\n  - image: v1 {M}",
        [(0, ("spec", "containers", 1, "image"))],
    ),
    "nested lists": (f"- - x\n  - - v1 {M}", [(0, (0, 1, 0))]),
    "flow collections": (f"a: [x, {{b: 1, tag: v1, {M}\n}}, y, v1 {M}\n]", [(0, ("a", 1, "tag")), (0, ("a", 3))]),
    "several documents": (f"---\na: 1\n---\n---\ntag: v1 {M}\n...\n---\n- v1 {M}", [(2, ("tag",)), (3, (0,))]),
    "documents without a separator before the first": (
        f"tag: v1 {M}\n---\ntag: v1 {M}",
        [(0, ("tag",)), (1, ("tag",))],
    ),
    "a quoted key is the same key": (f'"tag": v1 {M}', [(0, ("tag",))]),
    "a key with an escape is the same key": (f'"t\\x61g": v1 {M}', [(0, ("tag",))]),
    "an explicit key": (f"? tag\n: v1 {M}", [(0, ("tag",))]),
    "a number as a key": (f"1: v1 {M}", [(0, ("1",))]),
    "a key behind a key with no value": (f"a:\nb: {{c}}\ntag: v1 {M}", [(0, ("tag",))]),
    "a value behind an alias": (f"a: &x 1\nb: *x\nc: [*x, v1 {M}\n]", [(0, ("c", 1))]),
    "a value with an anchor": (f"tag: &x v1 {M}", [(0, ("tag",))]),
    "a merge key": (f"<<: {{a: 1}}\ntag: v1 {M}", [(0, ("tag",))]),
    "a collection as a key": (f"? [x, y]\n: tag: v1 {M}\nb: v1 {M}", [(0, ("", "tag")), (0, ("b",))]),
    "a key twice": (f"tag: v1 {M}\ntag: v1 {M}", [(0, ("tag",)), (0, ("tag",))]),
    "behind a block scalar": (f"a: |\n  b: v1 {M}\ntag: v1 {M}", [(0, ("tag",))]),
}


@pytest.mark.parametrize("case", PLACES)
def test_a_marker_knows_the_document_and_the_path_of_its_value(case: str) -> None:
    text, places = PLACES[case]
    assert [marker.place for marker in scan(text.encode(), "f.yaml").markers] == [Place(*place) for place in places]


def test_places_do_not_depend_on_blanks_comments_and_order() -> None:
    block = scan(f"a:\n  x: 1\n  tag: v1 {M}\n".encode(), "f.yaml").markers
    flow = scan(f"# c\n\na: {{tag: v2, {M}\n  x: 1}}\n".encode(), "f.yaml").markers
    assert block[0].place == flow[0].place


@pytest.mark.parametrize(
    ("text", "images"),
    [
        ("a: &a {image: w:1}\nb: {<<: *a}\n", ["w:1", "w:1"]),
        ("a: &a {image: w:1}\nb: {<<: *a, image: w:2}\n", ["w:1", "w:2"]),
        ("a: &a {image: w:1}\nb: &b {image: w:2}\nc: {<<: [*b, *a]}\n", ["w:1", "w:2", "w:2"]),
        ("a: &a {x: 1}\nb: &b {<<: *a, image: w:2}\nc: {<<: [*a, *b]}\n", ["w:2", "w:2"]),
        ("a: &a {image: w:1}\nb: {<<: [*a, {image: w:2}], image: w:3}\n", ["w:1", "w:3"]),
    ],
)
def test_a_merged_mapping_gives_the_values_that_its_mapping_lacks_the_first_one_wins(
    text: str, images: list[str]
) -> None:
    values = read_values(text.encode(), "f.yaml")
    own = {place: text for place, text in values.texts.items() if place[-1] == "image" and "<<" not in place}
    assert [own[place] for place in sorted(own, key=str)] == images


def test_a_file_that_is_too_large_or_is_no_yaml_has_no_readable_values() -> None:
    for content in (b"#" * ((16 << 20) + 1), b"a: [", b"\xff", b"[" * 2000 + b"]" * 2000):
        assert read_values(content, "f.yaml") == Values(readable=False)
    assert read_values(b"#" * (16 << 20), "f.yaml").readable
