"""Limits of `core`: what is at a limit is taken, and what is beyond it is refused or cut (docs/limits.md)."""

import json
from datetime import UTC, datetime

import pytest

from gitops_promotion.core import overrides, plan, repo_url, templates
from gitops_promotion.core.config import notifications, parse
from gitops_promotion.core.gates import calendar_keys
from gitops_promotion.core.kustomization_files import Listing, sources
from gitops_promotion.core.markers import places
from gitops_promotion.core.markers.scan import MAX_MIB, scan
from gitops_promotion.core.notifications import told
from gitops_promotion.core.pull_request_text import METADATA_LIMIT, READ_LIMIT, read_metadata
from gitops_promotion.core.tags import ImageReference
from gitops_promotion.errors import ConfigError, ManifestError

BASE = "environments:\n- {name: dev, auto: true}\n"
WINDOW = '{days: [mon], from: "09:00", to: "16:00", zone: UTC}'
FREEZE = "{from: 2026-12-20, until: 2027-01-06, reason: x, zone: UTC}"
MARKER = b'tag: v1 # {"$imagepolicy": "shop:web:tag"}\n'


def faults(text: str) -> str:
    try:
        parse(text, "c")
    except ConfigError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("text", "item", "most"),
    [
        ("environments:\n- {name: dev, auto: true, windows: [%s]}\n", WINDOW, calendar_keys._MOST),
        (BASE + "freezes: [%s]\n", FREEZE, calendar_keys._MOST),
        (BASE + "notifications: [%s]\n", "{name: c%d, type: slack}", notifications._MOST),
    ],
    ids=["windows", "freezes", "channels"],
)
def test_a_list_of_the_configuration_may_be_as_long_as_its_limit(text: str, item: str, most: int) -> None:
    def written(count: int) -> str:
        if "%d" not in item:
            return text % ", ".join([f"&item {item}", *["*item"] * (count - 1)])
        return text % ", ".join(item.replace("%d", str(number)) for number in range(count))

    assert faults(written(most)) == ""
    assert f"has {most + 1} entries, at most {most} are accepted" in faults(written(most + 1))


@pytest.mark.parametrize(
    ("key", "most"),
    [("clusters: %d", 1000), ("approvals: {strategy: majority, quorum: %d, approvers: [a]}", 100)],
    ids=["clusters", "quorum"],
)
def test_a_number_of_the_configuration_may_be_as_large_as_its_limit(key: str, most: int) -> None:
    def written(number: int) -> str:
        return f"environments:\n- {{name: dev, auto: true, {key % number}}}\n"

    assert f"from 1 to {most}" not in faults(written(most))
    assert f"from 1 to {most}" in faults(written(most + 1))


def test_a_template_may_be_as_long_as_its_limit() -> None:
    assert templates.problem_of("x" * templates.MAX_SOURCE, one_line=True) == ("", 0)
    problem, _ = templates.problem_of("x" * (templates.MAX_SOURCE + 1), one_line=True)
    assert problem == "has more than 10000 characters: shorten it"


def test_a_label_is_cut() -> None:
    label = templates.Template(source="{{ tag }}", key="labels", path="c", line=1)
    assert len(plan._labels([label], {"tag": "x" * 500})[0]) == plan.LABEL_LIMIT


def test_an_address_of_a_repository_may_be_as_long_as_its_limit() -> None:
    start = "https://github.com/acme/"
    assert repo_url.repo_url_problem(start + "x" * (repo_url.LIMIT - len(start))) == ""
    assert "has more than 1000 characters" in repo_url.repo_url_problem(start + "x" * repo_url.LIMIT)


def test_an_image_reference_may_be_as_long_as_its_limit() -> None:
    assert ImageReference.parse("x" * 998 + ":1") is not None
    assert ImageReference.parse("x" * 999 + ":1") is None


def test_an_override_cuts_person_and_reason() -> None:
    override = overrides.Override(person="p" * 999, reason="r" * 999)
    assert len(override.trailers["Override-By"]) == overrides._PERSON_LIMIT
    assert len(override.trailers["Override-Reason"]) == overrides.REASON_LIMIT


def test_metadata_are_looked_for_in_the_beginning_of_a_body() -> None:
    metadata = '<!-- metadata = {"group": "g"} -->'
    assert read_metadata(metadata.rjust(READ_LIMIT)) is not None
    assert read_metadata(metadata.rjust(READ_LIMIT + 1)) is None


def test_metadata_may_be_as_long_as_their_limit() -> None:
    def metadata(length: int) -> str:
        return "<!-- metadata = " + '{"group": "g"}'.replace("}", "".ljust(length - 14) + "}") + " -->"

    assert read_metadata(metadata(METADATA_LIMIT)) is not None
    assert read_metadata(metadata(METADATA_LIMIT + 1)) is None


def test_a_manifest_may_be_as_large_as_its_limit() -> None:
    large = MARKER + b"#" * ((MAX_MIB << 20) - len(MARKER))
    assert len(scan(large, "m.yaml").markers) == 1
    assert places.read_values(large, "m.yaml").readable
    with pytest.raises(ManifestError, match="larger than 16 MiB"):
        scan(large + b"#", "m.yaml")
    assert not places.read_values(large + b"#", "m.yaml").readable


def test_a_manifest_may_be_as_deep_as_its_limit() -> None:
    def nested(depth: int) -> bytes:
        return b"a: " + b"[" * depth + b"]" * depth + b"\n"

    assert len(scan(nested(499) + MARKER, "m.yaml").markers) == 1
    with pytest.raises(ManifestError, match="nested too deeply"):
        scan(nested(500) + MARKER, "m.yaml")
    assert places.read_values(b"a: " + b"[" * 98 + b"x" + b"]" * 98, "m.yaml").readable
    assert not places.read_values(b"a: " + b"[" * 100 + b"x" + b"]" * 100, "m.yaml").readable


def test_aliases_may_repeat_values_up_to_a_number() -> None:
    def expanded(levels: int) -> bytes:
        lines = ["a0: &a0 x", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels))]
        return "\n".join(lines).encode()

    assert places.read_values(expanded(5), "m.yaml").readable
    with pytest.raises(ManifestError, match="its aliases expand to too much data"):
        places.read_values(expanded(7), "m.yaml")


def test_an_environment_may_read_as_many_files_as_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitops_promotion.core.kustomization_files._MOST_FILES", 3)

    def read(count: int) -> None:
        names = [f"{number}.yaml" for number in range(count)]
        files = {"prod/kustomization.yaml": f"resources: {json.dumps(names)}", **{f"prod/{name}": "" for name in names}}
        sources(Listing.of(files, {}), list(files), lambda path: files[path].encode())

    read(2)
    with pytest.raises(ManifestError, match="reads more than 3 files: split it"):
        read(3)


def test_a_link_is_followed_up_to_a_number_of_links() -> None:
    def last(count: int) -> object:
        links = {f"l{number}": f"l{number + 1}" for number in range(count)}
        return Listing.of({f"l{count}": ""}, links).resolve("l0")

    assert last(39) is not None
    assert last(40) is None


def test_a_record_of_what_was_told_may_be_as_large_as_its_limit() -> None:
    record = told.Record(claims={"0" * 16: datetime(2026, 1, 1, tzinfo=UTC)}).encode("n")
    assert told.Record.parse(record.ljust(told.LIMIT)).claims
    with pytest.raises(ValueError, match="no record"):
        told.Record.parse(record.ljust(told.LIMIT + 1))
