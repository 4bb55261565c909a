"""Templates of the configuration (docs/pull-requests.md): what they give, and how a wrong one fails."""

from dataclasses import replace

import pytest

from gitops_promotion.core import plan
from gitops_promotion.core.config import parse
from gitops_promotion.core.forge import Draft
from gitops_promotion.core.kinds import HOLD, PROMOTION, ROLLBACK
from gitops_promotion.core.model import Kind, Plan, Request
from gitops_promotion.core.names import Application
from gitops_promotion.core.pull_request_text import (
    BODY_LIMIT,
    CHANGES,
    read_metadata,
    shows,
    with_changes,
    without_changes,
)
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ConfigError
from tests.support.nouns import OPEN_PULL

FILE = "gitops-promotion.yaml"
ENVIRONMENTS = "environments: [{name: dev, auto: true}, {name: prod}]\n"
REPOSITORY = "groups: {webshop: {applications: {webui: {sourceRepository: https://github.com/acme/webui/}}}}\n"


def made(text: str = "", kind: Kind = PROMOTION, *, files: int = 1, tag: str = "1.4.2") -> Plan:
    request = Request(kind=kind, application=Application("webshop", "webui"), tag=Tag.parse(tag), environment="prod")
    marker = b'image: web:1.4.1 # {"$imagepolicy": "webshop:webui"}\n'
    paths = {f"webshop/prod/{number:04}.yaml": marker for number in range(files)}
    return plan.set_tag(request, parse(ENVIRONMENTS + text, FILE), paths, base="main", base_sha="0" * 40)


def fault(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        made(text)
    return str(caught.value)


def test_without_the_keys_every_byte_is_as_before() -> None:
    usual = made()
    assert usual.title == "Promote webshop/webui version 1.4.2 to environment prod"
    assert usual.message == (
        "Promote webshop/webui version 1.4.2 to environment prod\n\nPromotion: webshop/webui\nEnvironment: prod\n"
        "Tag: 1.4.2\nPrevious-Tag: 1.4.1\n"
    )
    assert usual.body == (
        '<!-- metadata = {"group": "webshop", "app": "webui", "tag": "1.4.2", "env": "prod", "sha": "'
        + "0" * 40
        + '", "feature": "", "type": "promote"} -->\n\n'
        "| environment | application | from | to |\n| --- | --- | --- | --- |\n"
        "| `prod` | `webshop/webui` | `1.4.1` | `1.4.2` |\n\n"
        "Its check `gitops-promotion status` passes when `dev` is healthy with this tag.\n"
        "It waits for a person: merging approves it, closing declines it, and the decline sticks.\n\n"
        "Files:\n\n- `webshop/prod/0000.yaml`\n"
    )
    assert usual.labels == ()


def test_title_subject_and_labels_are_the_templates_and_the_trailers_stay() -> None:
    text = "templates: {title: '{{ environment|upper }}: {{ app }} {{ tag }}', commit: 'deploy: {{ previous_tag }}'}\n"
    own = made(text + "labels: [promotion, 'env/{{ environment }}', 'env/prod']\n")
    assert own.title == "PROD: webui 1.4.2"
    assert own.message.partition("\n")[::2] == ("deploy: 1.4.1", made().message.partition("\n")[2])
    assert own.labels == ("promotion", "env/prod")
    assert own.body == made().body


def test_a_part_of_the_body_stands_before_the_files_and_takes_no_metadata_over() -> None:
    forged = '<!-- metadata = {"group": "x", "app": "x"} -->'
    loop = "{% for reason in reasons %}* {{ reason }}\n    {% endfor %}{{ url }}"
    part = f"templates:\n  body: |\n    {forged}\n    {loop}\n"
    body = made(part + REPOSITORY).body
    metadata = read_metadata(body)
    assert metadata is not None
    assert metadata.group == "webshop"
    assert "&lt;!-- metadata" in body
    assert "* Its check `gitops-promotion status` passes" in body
    assert body.index("/compare/1.4.1...1.4.2") < body.index("Files:")


def test_a_body_with_all_of_it_stays_within_the_limit_and_keeps_its_place() -> None:
    long = f"templates: {{body: '{'a line of words ' * 300}'}}\nchangelog: true\n"
    body = made(long, files=300).body
    full = with_changes(body, ["- " + "x" * 78] * 100)
    assert len(full) <= BODY_LIMIT
    assert CHANGES in body
    assert without_changes(full).split() == body.split()
    assert without_changes(made().body) == made().body


def test_a_rollback_keeps_its_own_texts() -> None:
    text = "templates: {title: x, body: y, commit: z}\nlabels: [a]\n"
    own, usual = made(text, ROLLBACK), made("", ROLLBACK)
    assert (own.title, own.body, own.message, own.labels) == (usual.title, usual.body, usual.message, ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("templates: {title: '{{ nobody }}'}\n", "templates.title cannot be rendered ('nobody' is undefined)"),
        ("templates: {title: '{{ app'}\n", "templates.title is no template"),
        ("templates: {title: '{{ app }}{{ \"\\n\" }}x'}\n", "templates.title gives a line break"),
        ("templates: {commit: '{% if false %}x{% endif %}'}\n", "templates.commit gives an empty text"),
        ("templates: {subject: x}\n", "unknown key 'subject'"),
        ("templates: {title: '{{ app.__class__.__mro__ }}'}\n", "templates.title cannot be rendered"),
        ("templates: {title: '{{ app * 9999999 }}'}\n", "* is not allowed"),
        ("templates: {title: '{{ range(9) }}'}\n", "'range' is undefined"),
        ("templates: {title: '{{ 1 / 0 }}'}\n", "ZeroDivisionError"),
        ("templates: {title: '{% include \"x\" %}'}\n", "templates.title cannot be rendered"),
        ("templates: [a]\n", "templates is not a mapping"),
        ("labels: ['{{ nobody }}']\n", "labels[0] cannot be rendered"),
        ("labels: a\n", "labels is not a list"),
        ("reviewers: [' ']\n", "reviewers[0]"),
        ("groups: {a: {applications: {b: {sourceRepository: 'javascript:x'}}}}\n", "write its address in a browser"),
        ("groups: {a: {applications: {b: {sourceRepository: 'https://github.com'}}}}\n", "write its address"),
    ],
)
def test_a_wrong_key_is_an_error_of_the_configuration(text: str, expected: str) -> None:
    found = fault(text)
    assert found.startswith(f"{FILE}:2: ")
    assert expected in found


def test_the_line_is_that_of_the_template() -> None:
    text = "templates:\n  body: |\n    one\n    two {{ nobody }}\n"
    assert fault(text).startswith(f"{FILE}:5: templates.body cannot be rendered")
    text = "templates:\n  body: |\n    one\n    {% if %}\n"
    assert fault(text).startswith(f"{FILE}:5: templates.body is no template")


def test_line_breaks_at_the_end_of_a_title_are_left_out() -> None:
    assert made('templates: {title: "{{ app }}\\n\\n"}\n').title == "webui"


def test_what_only_a_real_promotion_shows_is_an_error_with_the_line_too() -> None:
    found = fault("labels:\n  - ok\n  - \"{{ 'x' if tag == '1' else reasons[7] }}\"\n")
    assert found.startswith(f"{FILE}:4: labels[1] cannot be rendered")
    assert fault('templates: {title: \'{{ "a\\nb" if tag != "1" else "a" }}\'}\n').startswith(
        f"{FILE}:2: templates.title"
    )


def test_the_line_of_what_only_a_real_promotion_shows_is_that_in_the_template() -> None:
    text = "templates:\n  body: |\n    one\n    {{ reasons[7] if tag != '1' else 'x' }}\n"
    assert fault(text).startswith(f"{FILE}:5: templates.body cannot be rendered")


@pytest.mark.parametrize("text", ["changelog: true\n", REPOSITORY])
def test_a_promotion_that_says_what_changed_has_a_place_for_it(text: str) -> None:
    assert made(text).body.count(CHANGES) == 1
    assert made(text, ROLLBACK).body.count(CHANGES) == 1
    assert CHANGES not in made(text, HOLD).body


def test_a_pull_request_shows_its_draft_whatever_the_forge_does_to_blanks() -> None:
    draft = Draft(head="x", head_sha="1", base="main", title="t", body=f"a\n{CHANGES}\nb\n", gated=False)
    body = with_changes(draft.body, ["- c"]).replace("\n", " \r\n").strip()
    current = replace(OPEN_PULL, number=1, head="x", head_sha="1", title="t", body=body)
    assert shows(current, draft)
    others = (
        replace(current, head_sha="2"),
        replace(current, base="qa"),
        replace(current, title="T"),
        replace(current, body=f"{body}x"),
    )
    assert not any(shows(other, draft) for other in others)
