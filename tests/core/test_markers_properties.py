"""For any YAML: only marked scalars change, to the new tag; every byte outside them stays."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from gitops_promotion.core.markers.edit import only_tags_differ, read_tag, set_tag
from gitops_promotion.core.markers.scan import Scan, scan
from gitops_promotion.core.tags import ImageReference, Tag
from gitops_promotion.errors import ManifestError
from tests.support.examples import ANY, ASCII, examples

FEW = examples(150)

tags = st.one_of(
    st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,12}", fullmatch=True, alphabet=ASCII),
    st.from_regex(r"[0-9][0-9._eExobXB-]{0,6}", fullmatch=True, alphabet=ASCII),
    st.sampled_from(["true", "no", "y", "null", "1e3", "0o17", "2024-01-01", "089", "1_0"]),
)
names = st.sampled_from(["nginx", "ghcr.io/org/web", "reg:5000/a/b", "localhost:1/x"])
blanks = st.sampled_from([" ", "  ", "\t", " \t "])
breaks = st.sampled_from(["\n", "\r\n"])
marks = st.sampled_from(["g:a", "g:a:tag", "g:b", "g:a-2:tag", "g:b:tag"])
styles = st.sampled_from(["{}", "'{}'", '"{}"', "&x {}", "!!str '{}'"])
plain_values = st.sampled_from(
    ["text", '\'q # {"$imagepolicy": "g:a"}\'', '"d\\" # x"', "1", "~", "é😀", "*x", "{}", "[a,  'b']"]
)


@st.composite
def entries(draw: st.DrawFn, indent: str) -> list[str]:
    """The lines of one entry of a mapping."""
    key = draw(st.sampled_from(["image", "tag", "web", "日本", '"k e {}"', "'q{}'"])).format(draw(st.integers(0, 99)))
    match draw(st.integers(0, 6)):
        case 0 | 1 | 2:
            mark = draw(marks)
            alone = mark.endswith(":tag") and key != "image" and draw(st.booleans())
            value = draw(tags) if alone else f"{draw(names)}:{draw(tags)}"
            value = draw(styles).format(value)
            comment = draw(st.sampled_from(["#", "# ", "##\t"])) + f'{{"$imagepolicy": "{mark}"}}'
            return [f"{indent}{key}:{draw(blanks)}{value}{draw(blanks)}{comment}"]
        case 3:
            return [
                f"{indent}{key}: |",
                f'{indent}  x: y # {{"$imagepolicy": "g:a"}}',
                f"{indent}  \t",
                f"{indent}  z\u2028",
            ]
        case 4:
            mark = draw(marks)
            return [
                f"{indent}{key}: [a,",
                f'{indent}  {{b: {draw(names)}:1,{draw(blanks)}# {{"$imagepolicy": "{mark}"}}',
                f"{indent}  c: d }}]",
            ]
        case 5:
            return [f'{indent}# {key}: nginx:1 # {{"$imagepolicy": "g:a"}}', ""]
        case _:
            return [f"{indent}{key}: {draw(plain_values)}", f"{indent}other: {{x: y}} # c"]


@st.composite
def manifests(draw: st.DrawFn) -> bytes:
    """Some documents of mappings and sequences, of any line end, with or without byte order mark and last newline."""
    lines = ["first: &x v"] if draw(st.booleans()) else ["# comment", "---", "first: &x v"]
    for block in draw(st.lists(st.integers(0, 2), min_size=1, max_size=6)):
        if block == 0:
            lines += draw(entries(""))
        elif block == 1:
            lines += [f"map{len(lines)}:", *draw(entries("    ")), *draw(entries("    "))]
        else:
            items = [
                ["  - " + first[4:], *following] for first, *following in (draw(entries("    ")), draw(entries("    ")))
            ]
            lines += ["---", f"first: &x{draw(blanks)}v", "list:", *(line for item in items for line in item)]
    text = draw(breaks).join(lines) + draw(st.sampled_from(["", "\n", "\n\n", "\r\n"]))
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + text.encode()


def parsed(content: bytes) -> list[Any]:
    """Every scalar of the file with its kind of event, as a reader sees it."""
    text = content.decode("utf-8-sig").replace("\u2028", "x").replace("\t", " ")
    return [(type(e).__name__, getattr(e, "value", None)) for e in YAML(typ="safe", pure=True).parse(text)]


def readable(content: bytes) -> Scan | None:
    try:
        return scan(content, "f.yaml")
    except ManifestError:
        return None


@FEW
@given(manifests(), tags, st.booleans())
@example(b'tag: v1 # {"$imagepolicy": "g:a:tag"}', "089", True)
def test_only_the_marked_scalars_change_and_every_byte_outside_them_stays(
    content: bytes, tag: str, pinned: bool
) -> None:
    new_tag = Tag(tag, "sha256:" + "a" * 64 if pinned else "")
    before = readable(content)
    if before is None:
        return
    live = [m for m in before.markers if (m.group, m.app) == ("g", "a")]
    if not live:
        with pytest.raises(ManifestError):
            set_tag({"f.yaml": content}, group="g", app="a", tag=new_tag)
        return
    if pinned and not any("digest" in m.part.read(m.marked).pinned().sets for m in live):
        with pytest.raises(ManifestError, match="cannot hold the digest"):
            set_tag({"f.yaml": content}, group="g", app="a", tag=new_tag)
        return
    edited = set_tag({"f.yaml": content}, group="g", app="a", tag=new_tag)
    after = edited.edits.get("f.yaml", content)

    edited_markers = [m for m in scan(after, "f.yaml").markers if (m.group, m.app) == ("g", "a")]
    assert len(edited_markers) == len(live) == edited.markers
    edges = [[0, *(edge for m in ms for edge in (m.start, m.end)), None] for ms in (live, edited_markers)]
    for old, new in zip(*(zip(e[::2], e[1::2], strict=True) for e in edges), strict=True):
        assert content[slice(*old)] == after[slice(*new)]
    for marker in edited_markers:
        reference = ImageReference.parse(marker.value) if "/" in marker.value or ":" in marker.value else None
        assert (reference.tag if reference else marker.value.rpartition(":")[2]) == tag
    assert only_tags_differ(content, after, "g", "a")
    assert read_tag({"f.yaml": after}, "g", "a") in (new_tag, Tag(tag))
    assert set_tag({"f.yaml": after}, group="g", app="a", tag=new_tag).edits == {}

    changed = [(o, n) for o, n in zip(parsed(content), parsed(after), strict=True) if o != n]
    assert len(changed) <= len(live)
    assert all(o[0] == n[0] == "ScalarEvent" and tag in n[1] for o, n in changed)


@FEW
@given(
    st.one_of(st.binary(max_size=60), st.text(ANY, max_size=60).map(lambda t: t.encode("utf-8", "surrogatepass"))),
    st.booleans(),
)
def test_any_bytes_are_read_or_refused_and_never_crash(noise: bytes, first: bool) -> None:
    good = b'\ntag: v1 # {"$imagepolicy": "g:a:tag"}\n'
    content = noise + good if first else good + noise
    try:
        edited = set_tag({"f.yaml": content}, group="g", app="a", tag=Tag("v2"))
    except ManifestError as error:
        assert "\n" not in str(error)
        return
    after = edited.edits["f.yaml"]
    assert only_tags_differ(content, after, "g", "a")


INDICATORS = [
    *"a-?:{}[],'|>&*!%#\"",
    "b: ",
    "- ",
    "? ",
    ": ",
    ", ",
    "&x ",
    "*x",
    "!!str ",
    "---",
    "...",
    "v1",
    "{{ x }}",
]
BREAKS = ["\n", "\n  ", "\n\t", "\t", " ", "\r\n", "\r", "\u2028", "\u0085"]
LONGER = ["%YAML 1.1\n", "%TAG ! x\n", ' # {"$imagepolicy": "g:a:tag"}\n', ' # {"$imagepolicy": "g:b"}\n']
PIECES = [*INDICATORS, *BREAKS, *LONGER, "\\u0041", "\\U00110000"]


@examples(400)
@given(st.lists(st.sampled_from(PIECES), max_size=25))
def test_anything_like_yaml_is_read_or_refused_and_only_its_tags_change(pieces: list[str]) -> None:
    content = b'k: v1 # {"$imagepolicy": "g:a:tag"}\n' + "".join(pieces).encode()
    try:
        edited = set_tag({"f.yaml": content}, group="g", app="a", tag=Tag("1e3"))
    except ManifestError:
        return
    after = edited.edits.get("f.yaml", content)
    assert only_tags_differ(content, after, "g", "a")
    assert set_tag({"f.yaml": after}, group="g", app="a", tag=Tag("1e3")).edits == {}
