"""The JSON Schemas say what the program reads and writes: every key, and no more than there is."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from gitops_promotion import cli, render
from gitops_promotion.commands import demo
from gitops_promotion.commands.schema import SCHEMAS, schema
from gitops_promotion.core.config import KEYS, parse
from gitops_promotion.core.config.schema import CONFIG_ID, TYPES
from gitops_promotion.errors import ConfigError
from gitops_promotion.render.schema import DOCUMENTS
from tests.test_render import VIEWS

ROOT = Path(__file__).parents[1]
CONFIG = Draft202012Validator(json.loads(schema("config")))
OUTPUT = Draft202012Validator(json.loads(schema("output")))


def load(text: str) -> Any:
    """A document as an editor sees it: dates are texts."""
    return json.loads(json.dumps(YAML(typ="safe", pure=True).load(text), default=str))


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(json.loads(schema(name)))


def test_no_key_has_a_kind_that_the_configuration_lacks() -> None:
    paths = {f"{where}.{key}" if where else key for where, keys in KEYS.items() for key in keys}
    assert set(TYPES) <= paths


def examples() -> Iterator[tuple[str, str]]:
    for page in ("configuration.md", "layouts.md", "image-automation.md"):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        for match in re.finditer(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            has_environments = re.search("^environments:", match[1], re.MULTILINE)
            if has_environments or page == "configuration.md":
                whole = match[1] if has_environments else f"environments: [{{name: dev}}, {{name: prod}}]\n{match[1]}"
                yield f"{page}:{text.count(chr(10), 0, match.start()) + 1}", whole
    yield "demo", demo.files()["gitops-promotion.yaml"]
    yield "extensions", "x-mine: {a: 1}\nenvironments: [{name: dev, x-more: 1}]\n"
    yield "empty values", "environments: [{name: dev, auto: , after: []}]\nprflow:\ngroups: ~\nprovider: ''\n"
    yield "odd names", "environments: [{name: 010, auto: yes}, {name: on}, {name: 1.10}]\n"


@pytest.mark.parametrize(("place", "text"), list(examples()))
def test_what_the_program_accepts_the_schema_accepts(place: str, text: str) -> None:
    assert parse(text, place).pipeline.names
    assert [error.message for error in CONFIG.iter_errors(load(text))] == []


@pytest.mark.parametrize(
    "text",
    [
        "prflow: per-app\n",
        "environments: dev\n",
        "environments: [dev]\n",
        "environments: [{auto: true}]\n",
        "environments: [{name: dev, auto: perhaps}]\n",
        "environments: [{name: dev, unknown: 1}]\n",
        "environments: [{name: dev}]\nprFlow: per-app\n",
        "environments: [{name: dev}]\nprflow: per-repo\n",
        "environments: [{name: dev, path: []}]\n",
        "environments: [{name: dev, after: {any: [a], all: [b]}}]\n",
        "environments: [{name: dev, windows: [{from: '09:00'}]}]\n",
        "environments: [{name: dev}]\ngroups: {shop: {apps: {}}}\n",
        "environments: [{name: dev}]\ngroups: {shop: {applications: {web: {environment: dev}}}}\n",
        "environments: [{name: dev}]\ncommitAuthor: {nam: x}\n",
        "environments: [{name: dev}]\nfreezes: [{from: 2026-01-01}]\n",
    ],
)
def test_what_the_schema_refuses_the_program_refuses(text: str) -> None:
    assert list(CONFIG.iter_errors(load(text)))
    with pytest.raises(ConfigError):
        parse(text, "gitops-promotion.yaml")


def test_unknown_keys_are_refused_in_every_mapping() -> None:
    def closed(node: Any) -> Iterator[bool]:
        if isinstance(node, dict):
            if "properties" in node and "minProperties" not in node:
                yield node.get("additionalProperties") is False
            for child in node.values():
                yield from closed(child)
        elif isinstance(node, list):
            for child in node:
                yield from closed(child)

    assert all(closed(json.loads(schema("config"))))
    assert all(closed(json.loads(schema("holds"))))


def test_the_holds_file_is_a_list_of_holds() -> None:
    validator = Draft202012Validator(json.loads(schema("holds")))
    assert validator.is_valid({"holds": [{"group": "shop", "app": "*", "environment": "prod", "reason": "x"}]})
    assert not validator.is_valid({"holds": [{"groups": "shop"}]})
    assert not validator.is_valid({"hold": []})


def test_every_view_has_its_document() -> None:
    assert set(DOCUMENTS) - {"metrics"} == set(get_args(render.View))


@pytest.mark.parametrize("view", VIEWS)
def test_a_document_has_the_keys_of_the_schema(view: render.View) -> None:
    document = json.loads(render.rendering("json", view)(VIEWS[view], colour=False))
    assert [error.message for error in OUTPUT.iter_errors(document)] == []
    assert set(DOCUMENTS[view]) <= set(document) - {"version"}


def test_an_outcome_has_the_keys_of_the_schema_and_no_other() -> None:
    document = json.loads(render.rendering("json", "report")(VIEWS["report"], colour=False))
    [outcome, *_] = document["outcomes"]
    assert set(outcome) == set(DOCUMENTS["report"]["outcomes"]["items"]["properties"])
    outcome["result"] = "done"
    assert not OUTPUT.is_valid(document)


def test_the_verb_prints_the_schema_and_the_page_has_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["schema"])
    printed = capsys.readouterr().out
    assert printed == schema("config")
    path = CONFIG_ID.partition("/main/")[2]
    assert (ROOT / path).read_text(encoding="utf-8") == printed, "write it again: gitops-promotion schema"
    cli.main(["schema", "output"])
    assert capsys.readouterr().out == schema("output")


def test_the_first_configuration_of_the_page_names_its_schema() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    first = re.search(r"^```yaml\n(.*)$", text, re.MULTILINE)
    assert first
    assert first[1] == f"# yaml-language-server: $schema={CONFIG_ID}"
