"""Characters that end a line, or only seem to: which value a marker belongs to, as Kubernetes and kustomize read it."""

import pytest

from gitops_promotion.core.markers import is_manifest, scan
from gitops_promotion.errors import ManifestError, PromotionError

M = '# {"$imagepolicy": "g:a:tag"}'

BREAKS = {"LF": "\n", "CR LF": "\r\n", "lone CR": "\r", "U+0085": "\u0085", "U+2028": "\u2028", "U+2029": "\u2029"}
# In each text, `%` stands for a line break. Each was built with kustomize 5.5 too, which reads the same values.
LIVE = {
    "a comment hides no line": (f"a: b # x%tag: v1 {M}", {("tag",): "v1"}),
    "a comment line hides no line": (f"# x%tag: v1 {M}", {("tag",): "v1"}),
    "a value hides no key": (f"a: x%tag: v1 {M}", {("tag",): "v1"}),
    "a block scalar ends at a line that is not indented": (f"a: |\n  x%tag: v1 {M}", {("tag",): "v1"}),
    "a line behind a marker is not its comment": (f"tag: v1 {M}%other: v2 {M}", {("tag",): "v1", ("other",): "v2"}),
    "a document ends": (f"a: b%---%tag: v1 {M}", {("tag",): "v1"}),
    "a value on the next line": (f"tag:%  v1 {M}", {("tag",): "v1"}),
    "an item on the next line": (f"list:%- v1 {M}", {("list", 0): "v1"}),
    "a flow collection": (f"a: {{b: c,%  tag: v1 {M}%  }}", {("a", "tag"): "v1"}),
    "a document begins behind a word": (f"--- a%...%---%tag: v1 {M}", {("tag",): "v1"}),
}
NOT_LIVE = {
    "a marker on the next line": (f"tag: v1%{M}", "no value ends on its line"),
    "a marker behind a key": (f"tag: {M}%  v1", "it stands behind a key whose value is not on that line"),
}
QUOTED = {
    "a double-quoted value": f'a: "x%tag: v1 {M}"'.replace(
        '{"$imagepolicy": "g:a:tag"}', "{'$imagepolicy': 'g:a:tag'}"
    ),
    "a single-quoted value": f"a: 'x%  tag: v1 {M}'",
    "a block scalar": f"a: |\n  x%  tag: v1 {M}%b: c",
}


@pytest.mark.parametrize("line_break", BREAKS)
@pytest.mark.parametrize("case", LIVE)
def test_each_line_break_of_yaml_ends_a_line(case: str, line_break: str) -> None:
    text, values = LIVE[case]
    result = scan(text.replace("%", BREAKS[line_break]).encode(), "f.yaml")
    assert {marker.place.path: marker.value for marker in result.markers} == values
    assert result.misplaced == ()


@pytest.mark.parametrize("line_break", BREAKS)
@pytest.mark.parametrize("case", NOT_LIVE)
def test_a_marker_behind_a_line_break_does_not_belong_to_the_line_before(case: str, line_break: str) -> None:
    text, reason = NOT_LIVE[case]
    result = scan(text.replace("%", BREAKS[line_break]).encode(), "f.yaml")
    assert result.markers == ()
    assert [misplaced.reason.startswith(reason) for misplaced in result.misplaced] == [True]


def test_a_marker_behind_a_collection_says_what_to_do() -> None:
    [misplaced] = scan(f"a: {{b: c}} {M}".encode(), "f.yaml").misplaced
    assert misplaced.reason == "it stands behind a collection: give the value a line of its own"


@pytest.mark.parametrize("line_break", BREAKS)
@pytest.mark.parametrize("case", QUOTED)
def test_text_in_a_value_stays_text_behind_a_line_break(case: str, line_break: str) -> None:
    content = f"{QUOTED[case]}%z: v1 {M}".replace("%", BREAKS[line_break]).encode()
    result = scan(content, "f.yaml")
    assert [marker.place.path for marker in result.markers] == [("z",)]
    assert result.misplaced == ()


@pytest.mark.parametrize("character", ["\u00a0", "\u2003", "\u3000", "\u200b"])
def test_blanks_of_other_scripts_end_no_line_and_no_value(character: str) -> None:
    without_blanks = M.replace(": ", ":")
    text = f"a: b # x{character}tag: v1 {M}\ntag: v1{character}{without_blanks}\nc: v1 {M}\n"
    result = scan(text.encode(), "f.yaml")
    assert {marker.place.path: marker.value for marker in result.markers} == {("c",): "v1"}


@pytest.mark.parametrize(
    ("character", "name"), [("\f", "U+000C"), ("\v", "U+000B"), ("\x1c", "U+001C"), ("\x7f", "U+007F")]
)
@pytest.mark.parametrize(
    "text", [f"# x%tag: v2\ntag: v1 {M}", f'a: "x%"\ntag: v1 {M}', f"tag: v1%{M}", f"tag: v1 {M}%"]
)
def test_other_control_characters_are_an_error_with_the_line(text: str, character: str, name: str) -> None:
    line = text[: text.index("%")].count("\n") + 1
    with pytest.raises(ManifestError) as error:
        scan(text.replace("%", character).encode(), "f.yaml")
    assert str(error.value).startswith(f"f.yaml:{line}: not valid YAML: the character {name} is not allowed")


@pytest.mark.parametrize("line_break", ["\u0085", "\u2028", "\u2029"])
def test_a_hidden_line_break_that_breaks_the_yaml_is_named(line_break: str) -> None:
    content = f"a: b\nc: x # y{line_break}z\ntag: v1 {M}\n".encode()
    with pytest.raises(ManifestError) as error:
        scan(content, "f.yaml")
    assert f"(U+{ord(line_break):04X} on line 2 ends a line in YAML)" in str(error.value)


def test_a_file_larger_than_16_mib_is_one_clear_error() -> None:
    # One that is as large is read: tests/core/test_limits.py.
    content = f"tag: v1 {M}\n".encode().ljust((16 << 20) + 1, b"#")
    with pytest.raises(ManifestError) as error:
        scan(content, "f.yaml")
    assert str(error.value) == "f.yaml:1: larger than 16 MiB: move the marked values to a file of their own"
    assert scan(b"#" * (17 << 20), "f.yaml").markers == ()


def test_a_pyyaml_without_libyaml_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yaml.__with_libyaml__", False)
    with pytest.raises(PromotionError, match=r"^PyYAML is installed without libyaml: install "):
        scan(f"tag: v1 {M} without libyaml".encode(), "f.yaml")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.yaml", True),
        ("a/b.yml", True),
        ("Kustomization", True),
        ("a/Kustomization", True),
        (".hidden/.yaml", True),
        ("a.json/b.yaml", True),
        ("a.YAML", False),
        ("a.Yml", False),
        ("a.yaml.bak", False),
        ("a.yaml/b", False),
        ("a.json", False),
        ("kustomization", False),
        ("KUSTOMIZATION", False),
        ("MyKustomization", False),
        ("Kustomization/a.json", False),
        ("yaml", False),
    ],
)
def test_the_files_that_are_read_are_those_flux_reads(path: str, expected: bool) -> None:
    assert is_manifest(path) is expected
