"""Texts that look like markers and are none: what is wrong with each, and the marker that is meant."""

import pytest

from gitops_promotion.core.markers.near import near_misses

MARKER = '# {"$imagepolicy": "shop:web:tag"}'
MISSPELLED = "this comment looks like a marker and is none: "


@pytest.mark.parametrize(
    ("comment", "problem", "marker"),
    [
        ('# {"imagepolicy": "shop:web:tag"}', "the $ of $imagepolicy is missing", MARKER),
        ('# {"ImagePolicy": "shop:web:tag"}', "the $ of $imagepolicy is missing", MARKER),
        ('# {"$ImagePolicy": "shop:web:tag"}', "its key is $ImagePolicy, where upper and lower case count", MARKER),
        ('# {"$imagepolcy": "shop:web:tag"}', "its key is $imagepolcy", MARKER),
        ("# {'$imagepolicy': 'shop:web:tag'}", "key and value need double quotes", MARKER),
        ('# "$imagepolicy": "shop:web:tag"', "it needs braces around it", MARKER),
        ('# {"$imagepolicy": "shop:web:tag:x"}', "its value has more than three parts", MARKER),
        ("# $imagepolicy: shop:web:tag", "key and value need double quotes, it needs braces around it", MARKER),
        ('# {"imagepolicy": "shop:web:tga"}', "the $ of $imagepolicy is missing", MARKER),
        ('# {"imagepolicy": "shop:web:nam"}', "the $ of $imagepolicy is missing", MARKER.replace("tag", "name")),
        ('# {"imagepolicy": "shop:web:xyz"}', "the $ of $imagepolicy is missing", MARKER),
        ('# {"imagepolicy": "shop:web"}', "the $ of $imagepolicy is missing", MARKER.replace(":tag", "")),
    ],
)
def test_a_misspelled_marker_is_found_with_what_is_wrong(comment: str, problem: str, marker: str) -> None:
    [miss] = near_misses(f"a: 1\ntag: v1 {comment}\n".encode())
    assert (miss.line, miss.kind, miss.problem) == (2, "misspelled", f"{MISSPELLED}{problem}")
    assert miss.marker == marker
    assert near_misses(f"tag: v1 {comment}\n".encode(), known_lines=[1]) == []


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (f"a: |\n  tag: v1 {MARKER}\n", ["in-block"]),
        (f"a: >\n  tag: v1 {MARKER}\n", ["in-block"]),
        (f"# tag: v1 {MARKER}\n", ["commented-out"]),
        (f"# tag: v1 {MARKER}{' ' * 2000}\n", []),
        (f"# see {MARKER}\n", []),
        (f"a: 'tag: v1 {MARKER}'\n", []),
        (f"tag: v1 {MARKER}\n", []),
        ('tag: v1 # {"$policy": "shop:web:tag"}\n', []),
    ],
)
def test_a_marker_in_a_text_or_a_comment_sets_nothing(text: str, kinds: list[str]) -> None:
    assert [miss.kind for miss in near_misses(text.encode())] == kinds
