"""`graph`: the picture of a pipeline, in each of its formats."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_promotion import render
from gitops_promotion.core.config import parse
from gitops_promotion.core.graph import Graph, draw
from gitops_promotion.core.names import Application
from tests.support.examples import ASCII

CONFIG = """\
prflow: per-env
pathTemplate: "clusters/{env}/{group}"
environments:
- {name: dev, auto: true}
- {name: eu, after: dev}
- {name: us, after: dev, path: us, marker: "flux-system:{app}-{env}"}
- {name: end, after: [eu, us]}
- {name: archive, after: {any: [eu, us]}}
"""
FILES = {"dev": [f"clusters/dev/shop/{number}.yaml" for number in range(7)], "us": ["us/web.yaml"]}
APPLICATIONS = {"dev": [Application("shop", "web")], "us": [Application("shop", "web")]}


def graph(text: str = CONFIG, **more: Any) -> Graph:
    return draw(parse(text, "c.yaml"), FILES, APPLICATIONS, **more)


def shown(output: str, view: Graph) -> str:
    return render.rendering(output, "graph")(view, colour=False)


def test_the_document_has_the_keys_of_version_1() -> None:
    document = json.loads(shown("json", graph()))
    assert list(document) == ["version", "entry", "environments"]
    assert (document["version"], document["entry"]) == (1, "dev")
    assert document["environments"][2] == {
        "name": "us",
        "auto": False,
        "sources": ["dev"],
        "require": "all",
        "targets": ["end", "archive"],
        "patterns": ["us"],
        "markers": ["flux-system:{app}-us"],
        "files": ["us/web.yaml"],
        "applications": ["shop/web"],
    }
    by_name = {environment["name"]: environment for environment in document["environments"]}
    assert by_name["dev"]["patterns"] == ["clusters/dev/{group}"]
    assert (by_name["archive"]["require"], by_name["end"]["require"]) == ("any", "all")
    assert by_name["dev"]["sources"] == by_name["archive"]["targets"] == by_name["eu"]["files"] == []


def test_the_flowchart_draws_names_that_mermaid_reserves() -> None:
    assert shown("mermaid", graph()).splitlines() == [
        "flowchart LR",
        '  e0["dev<br/>1 application<br/>merges by itself"]',
        '  e1["eu<br/>0 applications<br/>a person merges"]',
        '  e2["us<br/>1 application<br/>a person merges"]',
        '  e3["end<br/>0 applications<br/>a person merges"]',
        '  e4["archive<br/>0 applications<br/>a person merges"]',
        "  e0 --> e1",
        "  e0 --> e2",
        "  e1 --> e3",
        "  e2 --> e3",
        "  e1 -. any .-> e4",
        "  e2 -. any .-> e4",
    ]


# The characters of names, and words of Mermaid.
NAME = st.one_of(
    st.sampled_from(["end", "graph", "default", "subgraph", "click", "style", "x", "o", "1", "010"]),
    st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,5}[A-Za-z0-9])?", fullmatch=True, alphabet=ASCII).filter(
        lambda name: ".." not in name and not name.endswith(".lock")
    ),
)


@given(st.lists(NAME, min_size=1, max_size=6, unique_by=str.lower))
def test_every_line_of_a_flowchart_is_a_node_or_an_arrow_whatever_the_names(names: list[str]) -> None:
    lines = "".join(f"- {{name: '{name}'}}\n" for name in names)
    first, *others = shown("mermaid", graph(f"environments:\n{lines}")).splitlines()
    assert first == "flowchart LR"
    node = re.compile(r'  e\d+\["[A-Za-z0-9._-]+<br/>\d+ applications?<br/>[a-z ]+"\]')
    assert all(node.fullmatch(line) or re.fullmatch(r"  e\d+ --> e\d+", line) for line in others)
    assert len(others) == 2 * len(names) - 1


def test_the_text_shows_the_order_and_what_is_found() -> None:
    text = shown("human", graph())
    assert text.startswith("dev -> eu, us; eu and us -> end; eu or us -> archive\n\ndev: the entry, merges by itself\n")
    assert (
        "us: after dev, a person merges\n"
        "  path          us\n"
        "  marker        flux-system:{app}-us\n"
        "  files         1 (us/web.yaml)\n"
        "  applications  1 (shop/web)\n"
        "  next          end, archive\n"
    ) in text
    assert "  files         7 (clusters/dev/shop/0.yaml, " in text
    assert "4.yaml, 2 more)\n" in text
    assert "end: after eu and us, a person merges\n" in text
    assert "archive: after eu or us, a person merges\n" in text
    assert "  applications  none\n  next          none\n" in text


def test_a_path_of_the_tree_cannot_talk_to_the_terminal() -> None:
    config = parse("environments: [{name: dev}]", "c.yaml")
    text = shown("human", draw(config, {"dev": ["a\x1b[2J\n.yaml"]}, {}))
    assert "\x1b" not in text
    assert len(text.splitlines()) == 8


@pytest.mark.parametrize(("errors", "code"), [((), 0), (("x",), 2)])
def test_errors_of_the_layout_end_with_2(errors: tuple[str, ...], code: int) -> None:
    assert graph(errors=errors, warnings=("y",)).exit_code == code


def test_every_key_of_the_document_is_told_and_no_other() -> None:
    text = (Path(__file__).parents[2] / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    part = text.partition("\n### graph\n")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", part, re.MULTILINE)
    told = [key for row in rows for key in re.findall(r"`(\w+)`", row)]
    document = json.loads(shown("json", graph()))
    assert sorted(told) == sorted(document["environments"][0])
    assert all(f"`{key}`" in part for key in document if key != "version")
