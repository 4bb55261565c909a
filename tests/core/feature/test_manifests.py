"""Objects of kustomize's output are written as files that every YAML parser reads as the same objects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from gitops_promotion.core.feature.manifests import Object, Plain, Value, parse, text, write
from gitops_promotion.errors import KustomizeError
from tests.support.examples import examples

HEAD = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n"
strings = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30) | st.sampled_from(
    [
        "",
        "yes",
        "0644",
        "1e3",
        "a: b",
        "- x",
        "#",
        "a\nb",
        "a\n",
        " a\nb",
        "\n",
        "a\n\n",
        "a \nb",
        "{}",
        "'",
        '"',
        "\t",
        "*x",
    ]
)
values = st.recursive(
    strings | st.sampled_from([Plain("1"), Plain("0x1f"), Plain("true"), Plain("null"), Plain("1.10")]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(strings, children, max_size=3),
    max_leaves=8,
)


@examples(150)
@given(values)
def test_a_written_value_is_read_as_the_same_value(value: Value) -> None:
    content = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "data": value}
    assert [obj.content for obj in parse(write(content))] == [content]


@examples(80)
@given(strings)
def test_another_parser_reads_the_same_string(value: str) -> None:
    assert YAML(typ="safe", pure=True).load(write({"a": value}).decode()) == {"a": value}


def test_empty_lines_of_nested_text_have_no_trailing_blanks() -> None:
    # Linters reject trailing blanks.
    assert write({"data": {"a.sh": "one\n\ntwo\n"}}) == b"data:\n  a.sh: |\n    one\n\n    two\n"


def test_scalars_that_are_no_strings_keep_their_text() -> None:
    (obj,) = parse(HEAD + b"data: {a: 0644, b: 1.10, c: true, d: ~, e: , f: '1'}\n")
    numbers = {"a": Plain("0644"), "b": Plain("1.10"), "c": Plain("true")}
    assert obj.content["data"] == numbers | {"d": Plain("~"), "e": Plain("null"), "f": "1"}
    assert (text(Plain("1.10")), text("x"), text([])) == ("1.10", "x", "")


def test_aliases_are_expanded_and_a_bomb_of_aliases_is_an_error() -> None:
    (obj,) = parse(HEAD + b"data: {a: &a {b: c}, d: *a}\n")
    assert obj.content["data"] == {"a": {"b": "c"}, "d": {"b": "c"}}
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 20))
    with pytest.raises(KustomizeError, match="expand to too much data"):
        parse(HEAD + bomb.encode())


@pytest.mark.parametrize(
    "output", [b"- a\n", b"a: b\n", b"kind: X\n", b"a: [\n", b"kind: {a: b}\nmetadata: {name: x}\n"]
)
def test_output_that_is_no_object_is_an_error(output: bytes) -> None:
    with pytest.raises(KustomizeError):
        parse(output)


def test_an_object_has_an_identity_and_labels_whatever_its_metadata() -> None:
    (obj,) = parse(b"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x, namespace: y, labels: {a: 1}}\n")
    assert obj.id == ("apps", "Deployment", "y", "x")
    assert obj.labels == {"a": "1"}
    assert Object({"metadata": []}).labels == {}


def test_a_separator_inside_of_a_text_does_not_split_a_document() -> None:
    output = HEAD + b"data:\n  a: |\n    ---\n    b\n---\n" + HEAD.replace(b"name: x", b"name: y")
    assert [obj.name for obj in parse(output)] == ["x", "y"]
