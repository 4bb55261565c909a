"""Bytes that a golden file cannot show: line ends, tabs, byte order marks, encodings, odd characters."""

import pytest

from gitops_promotion.core.markers.edit import only_tags_differ, set_tag
from gitops_promotion.core.markers.scan import scan
from gitops_promotion.core.markers.spelling import line_words, mentions
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ManifestError

M = b'# {"$imagepolicy": "webshop:webui:tag"}'
BOM = b"\xef\xbb\xbf"


def put(content: bytes, tag: str = "v2") -> bytes:
    edited = set_tag({"f.yaml": content}, group="webshop", app="webui", tag=Tag(tag))
    after = edited.edits.get("f.yaml", content)
    assert not set_tag({"f.yaml": after}, group="webshop", app="webui", tag=Tag(tag)).edits
    assert only_tags_differ(content, after, "webshop", "webui")
    return after


KEPT = {
    "CRLF": b"a: b\r\ntag: v1 " + M + b"\r\nc: d\r\n",
    "mixed line ends": b"a: b\r\ntag: v1 " + M + b"\nc: d\r\n\n\r\n",
    "lone CR": b"a: b\rtag: v1 " + M + b"\rc: d\r",
    "no final newline": b"a: b\ntag: v1 " + M,
    "CR at the end": b"tag: v1 " + M + b"\r",
    "BOM": BOM + b"tag: v1 " + M + b"\n",
    "BOM before a document start": BOM + b"---\ntag: v1 " + M + b"\n",
    "BOM before a comment": BOM + b"# x\ntag: v1 " + M + b"\n",
    "BOM, CRLF and no final newline": BOM + b"a: b\r\ntag: v1 " + M,
    "tab before the comment": b"tag: v1\t" + M + b"\n",
    "tabs and blanks before the comment": b"tag: v1 \t \t" + M + b"\n",
    "tab behind the colon": b"tag:\tv1 " + M + b"\n",
    "tab behind a quoted value": b'tag: "v1"\t' + M + b"\n",
    "tab at the end of a line": b"a: b\t\nc:\t\n  d: e\t# f\ntag: v1 " + M + b"\t\n",
    "tab inside a plain value": b"a: b\tc\ntag: v1 " + M + b"\n",
    "tab after a separator": b"---\t# x\ntag: v1 " + M + b"\n",
    "tab in a block scalar header": b"a: |\t# x\n  y\ntag: v1 " + M + b"\n",
    "tabs inside a block scalar": b"Makefile: |\n  all:\n  \techo\t# x\n  \t\n\ntag: v1 " + M + b"\n",
    "tabs in a quoted value": b'a: "b\tc\\\td"\ntag: v1 ' + M + b"\n",
    "tabs indenting inside a flow collection": b"a: [\n\tb,\n\tv1, " + M + b"\n\t]\n",
    "U+2028 in a quoted value": "a: 'x\u2028y\u2029'\n".encode() + b"tag: v1 " + M + b"\n",
    "form feed in a quoted escape": b'a: "\\f\\v"\ntag: v1 ' + M + b"\n",
    "no-break blank in a value": "a: x\u00a0y\n".encode() + b"tag: v1 " + M + b"\n",
    "characters of two, three and four bytes": "ä: ö\n日本: '語'\n😀: 😀\n".encode() + b"tag: v1 " + M + b"\n",
    "four bytes on the marked line": "{😀: é, tag: v1, ".encode() + M + b"\n}\n",
    "blanks at line ends": b"a: b   \n   \ntag: v1 " + M + b"   \n  ",
    "many empty lines": b"\n\n\ntag: v1 " + M + b"\n\n\n\n",
    "a long line": b"a: " + b"x " * 5000 + b"\ntag: v1 " + M + b"\n",
    "deep nesting": b"a: " + b"[" * 300 + b"]" * 300 + b"\ntag: v1 " + M + b"\n",
}


@pytest.mark.parametrize("case", KEPT)
def test_b34_every_other_byte_stays(case: str) -> None:
    before = KEPT[case]
    assert before.count(b"v1") == 1
    assert put(before) == before.replace(b"v1", b"v2")
    assert put(before, "20") == before.replace(b'"v1"', b'"20"').replace(b"v1", b'"20"')


@pytest.mark.parametrize("breaks", [b"\n", b"\r\n", b"\r"])
def test_lines_are_counted_as_editors_do(breaks: bytes) -> None:
    content = breaks.join([b"a: |", "  x\u2028  y\u0085".encode(), b"", b"tag: v1 " + M, b"", b"b: v1 " + M])
    assert [marker.line for marker in scan(content, "f.yaml").markers] == [4, 6]


def test_the_offsets_of_a_marker_are_those_of_its_bytes() -> None:
    content = BOM + "ü: [é,\n 'v1', ".encode() + M + b"\n]\n"
    (marker,) = scan(content, "f.yaml").markers
    assert content[marker.start : marker.end] == b"'v1'"
    assert (marker.value, marker.quote, marker.line) == ("v1", "'", 2)


def test_a_byte_order_mark_is_no_part_of_the_first_comment() -> None:
    content = BOM + b'# tag: v1 # {"$imagepolicy": "webshop:webui:tag"}\ntag: v1 ' + M
    assert len(scan(content, "f.yaml").markers) == 1
    assert scan(content, "f.yaml").misplaced == ()


def test_a_marker_counts_once_if_its_line_has_the_key_twice() -> None:
    content = b'tag: v1 # {"$imagepolicy": "webshop:web\\u0075i:tag", "\\u0020": "$imagepolicy"}\n'
    assert [(m.app, m.part.suffix) for m in scan(content, "f.yaml").markers] == [("webui", "tag")]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-32"])
def test_utf_16_never_matches_as_in_flux(encoding: str) -> None:
    content = (b"tag: v1 " + M + b"\n").decode().encode(encoding)
    assert scan(content, "f.yaml").markers == ()
    assert not mentions(content, "webshop", "webui")


BROKEN = {
    "latin-1": (b"# caf\xe9\ntag: v1 " + M, "f.yaml:1: not UTF-8 text: save the file as UTF-8"),
    "latin-1 in a later line": (b"\r\na: b\rtag: v1 " + M + b"\n# \xff", "f.yaml:4: not UTF-8 text"),
    "an encoded surrogate": (b"tag: v1 " + M + b"\n# \xed\xa0\x80", "f.yaml:2: not UTF-8 text"),
    "a control character": (
        b"tag: v1 " + M + b"\na: \x07",
        "f.yaml:2: not valid YAML: the character U+0007 is not allowed",
    ),
    "NUL": (b"tag: v1 " + M + b"\na: \x00", "f.yaml:2: not valid YAML: the character U+0000 is not allowed"),
    "an open quote": (b"tag: v1 " + M + b"\na: 'b\n", "f.yaml:3: not valid YAML: found unexpected end of stream"),
    "an open bracket": (b"tag: v1 " + M + b"\na: [b\n", "f.yaml:3: not valid YAML: did not find expected ',' or ']'"),
    "a tab that indents": (b"a:\n\tb: c\ntag: v1 " + M, "f.yaml:2: not valid YAML: found character '\\t'"),
    "wrong indentation": (
        b"a: b\n  c: d\ntag: v1 " + M,
        "f.yaml:2: not valid YAML: mapping values are not allowed in this context",
    ),
    "no blank before the comment": (
        b"tag: v1" + M,
        "f.yaml:1: not valid YAML: mapping values are not allowed in this context",
    ),
    "an unknown escape": (b'a: "\\q"\ntag: v1 ' + M, "f.yaml:1: not valid YAML: found unknown escape character"),
    "an impossible character": (
        b'a: b\nc: "\\UFFFFFFFF"\ntag: v1 ' + M,
        "f.yaml:2: not valid YAML: found invalid Unicode character escape code",
    ),
    "an undefined tag handle": (b"a: !x!y z\ntag: v1 " + M, "f.yaml:1: not valid YAML: found undefined tag handle"),
    "a YAML version of the future": (
        b"%YAML 2.0\n---\ntag: v1 " + M,
        "f.yaml:1: not valid YAML: found incompatible YAML",
    ),
    "a bomb of brackets": (
        b"tag: v1 " + M + b"\na: " + b"[" * 100_000,
        "f.yaml:2: not valid YAML: collections are nested too deeply",
    ),
    "half a surrogate pair": (
        b'a: "\\ud800"\ntag: v1 ' + M,
        "f.yaml:1: not valid YAML: found invalid Unicode character escape code",
    ),
    "a bomb of indentation": (
        b"tag: v1 " + M + b"\na:\n" + b"".join(b" " * n + b"a:\n" for n in range(1, 600)) + b" " * 600 + b"a: b\n",
        "f.yaml:502: not valid YAML: collections are nested too deeply",
    ),
    # Kubernetes, kustomize and Flux refuse the following files too.
    "tab behind the dash": (b"- \tv1 " + M + b"\n", "f.yaml:1: not valid YAML: found character '\\t'"),
    "tab before a comment line": (b"\t# x\ntag: v1 " + M, "f.yaml:1: not valid YAML: found character '\\t'"),
    "tab on an empty line": (b"a: b\n\t\ntag: v1 " + M, "f.yaml:2: not valid YAML: found a tab"),
    "tabs in the first line of a block scalar": (
        b"a: |\n  \t\t\n  b\ntag: v1 " + M,
        "f.yaml:2: not valid YAML: found a tab character where an indentation space is expected",
    ),
    "U+2028 that ends a plain value": (
        "a: x\u2028y\n".encode() + b"tag: v1 " + M,
        "f.yaml:2: not valid YAML: could not find expected ':' (U+2028 on line 1 ends a line in YAML)",
    ),
    "U+2028 that ends a comment": (
        "a: x # y\u2028z: {\n".encode() + b"tag: v1 " + M,
        "f.yaml:2: not valid YAML: did not find expected ',' or '}' (U+2028 on line 1 ends a line in YAML)",
    ),
    "U+2028 that ends a block scalar": (
        "a: |\n  x\u2028y\n  z\n".encode() + b"tag: v1 " + M,
        "f.yaml:4: not valid YAML: could not find expected ':' (U+2028 on line 2 ends a line in YAML)",
    ),
    "U+0085 that ends a block scalar": (
        "a: |\n  x\u0085y\n  z\n".encode() + b"tag: v1 " + M,
        "f.yaml:4: not valid YAML: could not find expected ':' (U+0085 on line 2 ends a line in YAML)",
    ),
    "U+2028 that ends a marker's comment": (
        b'tag: v1 # {"x": "\xe2\x80\xa8", "$imagepolicy": "webshop:webui:tag"}\n',
        "f.yaml:1: not valid YAML: did not find expected key (U+2028 on line 1 ends a line in YAML)",
    ),
    "conflict markers": (b"<<<<<<< HEAD\ntag: v1 " + M + b"\n=======\n", "f.yaml:2: not valid YAML:"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_b34_a_file_with_the_marker_that_does_not_parse_is_an_error_with_file_and_line(case: str) -> None:
    content, message = BROKEN[case]
    good = b"tag: v1 " + M
    with pytest.raises(ManifestError) as error:
        set_tag({"f.yaml": content, "good.yaml": good}, group="webshop", app="webui", tag=Tag("v2"))
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
    # Somebody else's broken file is not in the way.
    foreign = content.replace(b"webui", b"webui-2")
    edited = set_tag({"f.yaml": foreign, "good.yaml": good}, group="webshop", app="webui", tag=Tag("v2"))
    assert edited.edits == {"good.yaml": b"tag: v2 " + M}


def test_a_broken_file_matters_if_json_escapes_could_spell_the_application() -> None:
    content = b'a: [\nb: v1 # {"$imagepolicy": "webshop:web\\u0075i"}'
    with pytest.raises(ManifestError, match=r"^f\.yaml:2: "):
        set_tag({"f.yaml": content, "good.yaml": b"tag: v1 " + M}, group="webshop", app="webui", tag=Tag("v2"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (M, True),
        (b'# {"$imagepolicy":"webshop:webui"}', True),
        (b'# {"$imagepolicy": "webshop:webui', False),
        (b'# {"$imagepolicy": "webshop:webui-2"}', False),
        (b'# {"$imagepolicy": "my-webshop:webui"}', False),
        (b'# {"$imagepolicy": "webshop : webui "}', True),
        (b"# {'$imagepolicy': 'webshop:webui'}", False),
        (b'# {"$imagepolicy": "\\u0077ebshop:webui"}', True),
        (b'# {"$imagepolicy": "x:y"}\na: "\\u0077"', False),
        (b'a: "webshop:webui"', False),
    ],
)
def test_a_file_is_parsed_only_if_it_may_hold_the_applications_marker(content: bytes, expected: bool) -> None:
    assert mentions(content, "webshop", "webui") is expected


def test_the_words_of_a_search_by_lines_are_those_of_a_marker_and_of_the_names() -> None:
    assert line_words() == (('"$imagepolicy"',),)
    assert line_words(["g:a", "g:b"]) == (('"$imagepolicy"',), ("g:a", "g:b", "\\"))


IMG = b'# {"$imagepolicy": "webshop:webui"}'


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"tag: v1 " + M, b"tag: v1 " + M, True),
        (b"tag: v1 " + M, b'tag: "2" ' + M, True),
        (b"tag: v1 " + M, b"tag:  v2 " + M, False),
        (b"tag: v1 " + M, b"tag: v2 " + M + b"\n", False),
        (b"a: 1\ntag: v1 " + M, b"a: 2\ntag: v2 " + M, False),
        (b"tag: v1 " + M, b"tag: v2 " + M.replace(b"webui", b"other"), False),
        (b"tag: v1 " + M.replace(b"webui", b"other"), b"tag: v2 " + M.replace(b"webui", b"other"), False),
        (b"a: v1 " + M, b"a: v1 " + M + b"\nb: v1 " + M, False),
        (b"image: a:1 " + IMG, b"image: a:2@sha256:00 " + IMG, True),
        (b"image: nginx " + IMG, b"image: nginx:2 " + IMG, True),
        (b"image: a:1 " + IMG, b"image: evil/a:1 " + IMG, False),
        (b"a: x " + IMG.replace(b'i"', b'i:name"'), b"a: y " + IMG.replace(b'i"', b'i:name"'), False),
        (b"tag: v1 " + M, b"tag: [v1 " + M, False),
        (b"tag: v1 " + M, b"tag: v1\n" + M, False),
        (b"a: b", b"a: c", False),
    ],
)
def test_only_tags_differ_sees_any_other_change(old: bytes, new: bytes, expected: bool) -> None:
    assert only_tags_differ(old, new, "webshop", "webui") is expected
    assert only_tags_differ(new, old, "webshop", "webui") is expected
