"""Each form of marker behind each form of value: one line in, one line out."""

import itertools

import pytest
from ruamel.yaml import YAML

from gitops_promotion.core.markers import scan
from gitops_promotion.core.markers.edit import read_tag, set_tag, unfit
from gitops_promotion.core.tags import Tag, is_plain_string
from gitops_promotion.errors import ManifestError

OLD = "sha256:" + "0" * 64
NEW = "sha256:" + "f" * 64

IMAGE = '# {"$imagepolicy": "webshop:webui"}'
TAG = '# {"$imagepolicy": "webshop:webui:tag"}'
NAME = '# {"$imagepolicy": "webshop:webui:name"}'
DIGEST = '# {"$imagepolicy": "webshop:webui:digest"}'


def put(line: str, tag: str, image: str = "") -> str:
    """Set the tag in a document between one without and one with another application's marker, twice."""
    around = b'kind: X # x\n--- # x\n%b\n---\nother: 9 # {"$imagepolicy": "webshop:webui-2:tag"}\n'
    before = {"a.yaml": around % line.encode()}
    edited = set_tag(before, group="webshop", app="webui", tag=Tag.parse(tag), image=image)
    after = {**before, **edited.edits}
    second = set_tag(after, group="webshop", app="webui", tag=Tag.parse(tag), image=image)
    assert second.edits == {}
    head, tail = around.split(b"%b")
    assert after["a.yaml"].startswith(head)
    assert after["a.yaml"].endswith(tail)
    return after["a.yaml"][len(head) : -len(tail)].decode()


WHOLE = {
    "ghcr.io/org/webui:1.2.3": "ghcr.io/org/webui:2.0.0",
    "nginx": "nginx:2.0.0",
    "nginx:1": "nginx:2.0.0",
    "org/nginx": "org/nginx:2.0.0",
    "registry:5000/a/b": "registry:5000/a/b:2.0.0",
    "registry:5000/a/b:1.2": "registry:5000/a/b:2.0.0",
    "localhost:5000/a:1.2": "localhost:5000/a:2.0.0",
    "10.0.0.1:5000/a": "10.0.0.1:5000/a:2.0.0",
    f"registry:5000/a/b:1.2@{OLD}": "registry:5000/a/b:2.0.0",
    f"ghcr.io/a/b@{OLD}": "ghcr.io/a/b:2.0.0",
    "ghcr.io/a/b:v1@sha256:short": "ghcr.io/a/b:2.0.0",
    f"ghcr.io/a/b:2.0.0@{OLD}": f"ghcr.io/a/b:2.0.0@{OLD}",
    "app:0-placeholder": "app:2.0.0",
    "1.dkr.ecr.us-west-2.amazonaws.com/web-app:v1.0.0": "1.dkr.ecr.us-west-2.amazonaws.com/web-app:2.0.0",
    "ghcr.io/x/y:86af5de-1790894614": "ghcr.io/x/y:2.0.0",
    "x.azurecr.io/a/b:prod-abc1234-20210101120000": "x.azurecr.io/a/b:2.0.0",
    "${REGISTRY}/web:1": "${REGISTRY}/web:2.0.0",
    "docker.io/Org_x/my__app:1": "docker.io/Org_x/my__app:2.0.0",
}


@pytest.mark.parametrize("quote", ["", "'", '"'], ids=["plain", "single", "double"])
@pytest.mark.parametrize("value", WHOLE)
def test_b3_a_whole_reference_keeps_registry_and_repository(value: str, quote: str) -> None:
    assert put(f"image: {quote}{value}{quote} {IMAGE}", "2.0.0") == f"image: {quote}{WHOLE[value]}{quote} {IMAGE}"


@pytest.mark.parametrize("value", WHOLE)
def test_b3_a_tag_marker_on_a_whole_reference_changes_only_its_tag(value: str) -> None:
    assert put(f"  image:  {value}   {TAG}", "2.0.0") == f"  image:  {WHOLE[value]}   {TAG}"


def test_b3_a_tag_marker_on_a_reference_under_any_key_changes_only_its_tag() -> None:
    assert put(f"web: ghcr.io/org/webui:1 {TAG}", "2") == f"web: ghcr.io/org/webui:2 {TAG}"
    assert put(f"web: webui:1 {TAG}", "2") == f"web: webui:2 {TAG}"


SINGLES = {
    "a whole image marker under any key takes a reference": (f"web: nginx {IMAGE}", "2", f"web: nginx:2 {IMAGE}"),
    "a list item takes a reference": (f"- ghcr.io/a/b:1 {IMAGE}", "2", f"- ghcr.io/a/b:2 {IMAGE}"),
    "tag": (f"newTag: 1.2.3 {TAG}", "1.2.4", f"newTag: 1.2.4 {TAG}"),
    "tag of an image mapping": (f"image: {{tag: x, # a\n  v: 1.2.3 {TAG}\n  }}", "2.0", None),
    "tag without a blank behind #": (
        'tag: "latest" #{"$imagepolicy":"webshop:webui:tag"}',
        "2",
        'tag: "2" #{"$imagepolicy":"webshop:webui:tag"}',
    ),
    "three hashes": (
        'tag: a ### {"$imagepolicy": "webshop:webui:tag"}',
        "b",
        'tag: b ### {"$imagepolicy": "webshop:webui:tag"}',
    ),
    "blanks in the JSON": (
        'tag: a # {  "$imagepolicy" :\t"webshop:webui:tag" }  ',
        "b",
        'tag: b # {  "$imagepolicy" :\t"webshop:webui:tag" }  ',
    ),
    "more members in the JSON": (
        'tag: a # {"x": "y", "$imagepolicy": "webshop:webui:tag"}',
        "b",
        'tag: b # {"x": "y", "$imagepolicy": "webshop:webui:tag"}',
    ),
    "escapes in the JSON value": (
        'tag: a # {"$imagepolicy": "web\\u0073hop:webui:tag"}',
        "b",
        'tag: b # {"$imagepolicy": "web\\u0073hop:webui:tag"}',
    ),
    "aligned columns": (f"tag: latest                       {TAG}", "v2", f"tag: v2                       {TAG}"),
    "many blanks behind the colon": (f"tag:     latest {TAG}", "v2", f"tag:     v2 {TAG}"),
    "single-quoted tag": (f"tag: '16' {TAG}", "17", f"tag: '17' {TAG}"),
    "double-quoted tag": (f'tag: "16" {TAG}', "17", f'tag: "17" {TAG}'),
    "empty quoted tag": (f'tag: "" {TAG}', "v1", f'tag: "v1" {TAG}'),
    "tag with escapes in quotes": (f'tag: "v\\x31" {TAG}', "v2", f'tag: "v2" {TAG}'),
    "the same tag written with escapes stays": (f'tag: "v\\x31" {TAG}', "v1", f'tag: "v\\x31" {TAG}'),
    "a digest in a tag is dropped": (f"tag: v1@{OLD} {TAG}", "v2", f"tag: v2 {TAG}"),
    "a digest in a tag is replaced": (f"tag: v1@{OLD} {TAG}", f"v2@{NEW}", f"tag: v2@{NEW} {TAG}"),
    "a digest in a tag that fits stays": (f"tag: v1@{OLD} {TAG}", "v1", f"tag: v1@{OLD} {TAG}"),
    "beside a place for the digest a plain tag takes the tag alone": (
        f"tag: v1 {TAG}\nimage: a:v1 {IMAGE}",
        f"v2@{NEW}",
        f"tag: v2 {TAG}\nimage: a:v2@{NEW} {IMAGE}",
    ),
    "a reference takes tag and digest": (f"image: a/b:v1 {IMAGE}", f"v2@{NEW}", f"image: a/b:v2@{NEW} {IMAGE}"),
    "a reference's digest is replaced": (f"image: a/b:v1@{OLD} {IMAGE}", f"v1@{NEW}", f"image: a/b:v1@{NEW} {IMAGE}"),
    "a digest alone gets the tag before it": (f"image: a/b@{OLD} {IMAGE}", f"v2@{NEW}", f"image: a/b:v2@{NEW} {IMAGE}"),
    "digest": (f"digest: {OLD} {DIGEST}", f"v2@{NEW}", f"digest: {NEW} {DIGEST}"),
    "empty digest": (f'digest: "" {DIGEST}', f"v2@{NEW}", f'digest: "{NEW}" {DIGEST}'),
    "quoted digest": (f"digest: '{OLD}' {DIGEST}", f"v2@{NEW}", f"digest: '{NEW}' {DIGEST}"),
    "name stays": (f"newName: ghcr.io/a/b {NAME}\nt: 1 {TAG}", "v2", f"newName: ghcr.io/a/b {NAME}\nt: v2 {TAG}"),
    "digest with its tag unchanged stays": (
        f"tag: v1 {TAG}\ndigest: {OLD} {DIGEST}",
        "v1",
        f"tag: v1 {TAG}\ndigest: {OLD} {DIGEST}",
    ),
    "tag and digest": (
        f"tag: v1 {TAG}\ndigest: {OLD} {DIGEST}",
        f"v2@{NEW}",
        f"tag: v2 {TAG}\ndigest: {NEW} {DIGEST}",
    ),
    "a number becomes a string": (f"tag: 1234 {TAG}", "v2", f"tag: v2 {TAG}"),
    "a number becomes a quoted number": (f"tag: 1234 {TAG}", "5678", f'tag: "5678" {TAG}'),
    "a float becomes a string": (f"tag: 1.10 {TAG}", "v2", f"tag: v2 {TAG}"),
    "a boolean becomes a string": (f"tag: true {TAG}", "v2", f"tag: v2 {TAG}"),
    "a null becomes a string": (f"tag: ~ {TAG}", "v2", f"tag: v2 {TAG}"),
    "a date becomes a string": (f"tag: 2024-01-01 {TAG}", "v2", f"tag: v2 {TAG}"),
    "an explicit string tag stays": (f"tag: !!str 1234 {TAG}", "5678", f'tag: !!str "5678" {TAG}'),
    "a non-specific tag stays": (f"tag: ! x {TAG}", "v2", f"tag: ! v2 {TAG}"),
    "an anchor stays": (f"tag: &t v1 {TAG}", "v2", f"tag: &t v2 {TAG}"),
    "anchor and tag stay": (f"tag: &t !!str v1 {TAG}", "v2", f"tag: &t !!str v2 {TAG}"),
    "tag and anchor stay": (f"tag: !!str &t 'v1' {TAG}", "v2", f"tag: !!str &t 'v2' {TAG}"),
    "a verbatim tag stays": (f"tag: !<tag:yaml.org,2002:str> v1 {TAG}", "v2", None),
}


@pytest.mark.parametrize("case", SINGLES)
def test_the_marked_value_alone_changes(case: str) -> None:
    line, tag, expected = SINGLES[case]
    if expected is None:
        expected = line.replace("1.2.3", '"2.0"').replace("v1", "v2")
    assert put(line, tag) == expected


# docs/facts/flux.md, "Quoting", and the types of YAML 1.1, YAML 1.2 and go-yaml 2 and 3, read by those parsers.
NOT_STRINGS = (
    "123 0 00 007 089 0123456 1.10 1. 2026.01 1_000 1_ 1e3 7E2 1e-3 1.0e5 12e4567 0x1f 0X1F 0b101 0B1 0o17 0O7 0_x1 "
    "true True TRUE false False FALSE yes Yes YES no No NO on On ON off Off OFF y Y n N null Null NULL "
    "2026-1-31 2024-01-01 20260417202843 0b-1 2e_-3 9999999999999999999999999"
)
STRINGS = (
    "v1 1.2.3 0x 0xzz 0o8 nULL tRUE oN yES inf Inf NaN nan 2026-01 2026-01-31-1 e10 1e 1e3x _1 __ 1-2 1.2.3-rc.1 "
    "1.0.0000x 12-abcdef0 dev-20260407120000-abc123 1.3.101-rc.13 main-14-sha-1 20260526-2216 latest T Nope 0.1.0 "
    "1_a 0ddf7cc"
)


@pytest.mark.parametrize("tag", NOT_STRINGS.split())
def test_b34_a_plain_tag_that_some_reader_takes_for_another_type_gets_quotes(tag: str) -> None:
    assert put(f"tag: old {TAG}", tag) == f'tag: "{tag}" {TAG}'
    assert put(f"tag: 'old' {TAG}", tag) == f"tag: '{tag}' {TAG}"


@pytest.mark.parametrize("tag", STRINGS.split())
def test_a_tag_that_is_a_string_to_every_reader_stays_plain(tag: str) -> None:
    assert put(f"tag: old {TAG}", tag) == f"tag: {tag} {TAG}"


@pytest.mark.parametrize(
    "text", ["~", "<<", "=", ".5", ".inf", "-.INF", "+.Inf", ".NaN", "1:30", "190:20:30.15", "+1", "-1e3"]
)
def test_other_texts_that_yaml_reads_as_another_type_are_no_plain_strings(text: str) -> None:
    assert not is_plain_string(text)


def test_a_reference_that_reads_as_a_base_60_number_gets_quotes() -> None:
    assert put(f"image: 12:1 {IMAGE}", "30") == f'image: "12:30" {IMAGE}'
    assert put(f"image: nginx {IMAGE}", "30") == f"image: nginx:30 {IMAGE}"


def test_ruamel_yaml_reads_plain_strings_as_strings() -> None:
    short = ("".join(p) for n in (1, 2, 3) for p in itertools.product("019_.-exobyn", repeat=n))
    tags = [tag for tag in short if tag[0] not in ".-" and is_plain_string(tag)]
    text = "".join(f"- {tag}\n" for tag in tags)
    for version in ("1.1", "1.2"):
        loaded = YAML(typ="safe", pure=True).load(f"%YAML {version}\n---\n{text}")
        assert loaded == tags


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"newName: a/b {NAME}\nt: 1 {TAG}", f"newName: reg:5000/c {NAME}\nt: v2 {TAG}"),
        (f'newName: "a" {NAME}\nt: 1 {TAG}', f'newName: "reg:5000/c" {NAME}\nt: v2 {TAG}'),
        (f"image: a/b:1 {IMAGE}", f"image: reg:5000/c:v2 {IMAGE}"),
        (f"image: a/b:v2@{OLD} {IMAGE}", f"image: reg:5000/c:v2 {IMAGE}"),
        (f"image: a/b:1 {IMAGE}\nweb: a/b:1 {TAG}", f"image: reg:5000/c:v2 {IMAGE}\nweb: a/b:v2 {TAG}"),
        (f"image: a/b:1 {NAME}\nt: 1 {TAG}", f"image: reg:5000/c:1 {NAME}\nt: v2 {TAG}"),
    ],
)
def test_image_sets_the_name_where_a_marker_names_it(line: str, expected: str) -> None:
    assert put(line, "v2", "reg:5000/c") == expected


@pytest.mark.parametrize(
    ("line", "tag", "message"),
    [
        (
            f"d: {OLD} {DIGEST}\nt: 1 {TAG}",
            "2",
            f"a.yaml:3: '{OLD}' is a digest, which must change with the tag: give --tag 2@sha",
        ),
        (f"d: {OLD} {DIGEST}", "2", f"a.yaml:3: '{OLD}' cannot hold a tag"),
        (f"n: a/b {NAME}", "2", "a.yaml:3: 'a/b' cannot hold a tag"),
        (
            f"image: a/b:1 {DIGEST}",
            f"2@{NEW}",
            "a.yaml:3: 'a/b:1' is an image reference, but its marker names the digest",
        ),
        (
            f'image: "{{{{ .Repo }}}}:{{{{ .Tag }}}}" {IMAGE}',
            "2",
            "a.yaml:3: '{{ .Repo }}:{{ .Tag }}' is not an image reference",
        ),
        (
            f'image: "" {IMAGE}',
            "2",
            "a.yaml:3: '' is empty: write the name of the image, or set it by `set-tag --image NAME`",
        ),
        (f"image: a:b:c {IMAGE}", "2", "a.yaml:3: 'a:b:c' is not an image reference"),
        (f"image: a/b: {IMAGE}", "2", "a.yaml:3: not valid YAML: mapping values are not allowed in this context"),
        (f'image: "a\\tb" {IMAGE}', "2", r"a.yaml:3: 'a\tb' is not an image reference"),
        (f"image: a/ {IMAGE}", "2", "a.yaml:3: 'a/' is not an image reference"),
        (f"image: a@ {IMAGE}", "2", "a.yaml:3: 'a@' is not an image reference"),
        (f"tag: ${{TAG:=v1}} {TAG}", "2", "a.yaml:3: '${TAG:=v1}' is not an image reference"),
        (
            f"newTag: latest {IMAGE}",
            "2",
            'is a tag, but its marker names the whole image: write # {"$imagepolicy": "webshop:webui:tag"}',
        ),
    ],
)
def test_a_value_that_cannot_take_its_part_is_an_error_with_file_and_line(line: str, tag: str, message: str) -> None:
    with pytest.raises(ManifestError) as error:
        put(line, tag)
    assert message in str(error.value)


def test_image_without_a_marker_that_names_it_is_an_error() -> None:
    with pytest.raises(ManifestError, match=r"a\.yaml:3: 'v1' holds no image name, nor does another marker"):
        put(f"tag: v1 {TAG}", "v2", "a/b")


def _read(*lines: str) -> Tag | None:
    return read_tag({f"{i}.yaml": line.encode() for i, line in enumerate(lines)}, "webshop", "webui")


@pytest.mark.parametrize(
    ("lines", "tag"),
    [
        ((f"image: a/b:1.2 {IMAGE}",), Tag("1.2")),
        ((f"image: a/b:1.2@{OLD} {IMAGE}",), Tag("1.2", OLD)),
        ((f"tag: 1.20 {TAG}",), Tag("1.20")),
        ((f"tag: v1@{OLD} {TAG}",), Tag("v1", OLD)),
        ((f"tag: v1 {TAG}", f"image: 'x:v1' {IMAGE}", f"n: a/b {NAME}"), Tag("v1")),
        ((f"tag: v1 {TAG}", f"digest: {OLD} {DIGEST}"), Tag("v1", OLD)),
        ((f"tag: v1 {TAG}", f"digest: '' {DIGEST}"), Tag("v1")),
        ((f"n: a/b {NAME}",), None),
        (("a: b",), None),
        ((f"tag: v1 {TAG}".replace("webui", "webui-2"),), None),
        ((f"tag: v1 {TAG}".replace("webui", "x-webui"),), None),
    ],
)
def test_the_tag_of_an_application_is_what_its_markers_say(lines: tuple[str, ...], tag: Tag | None) -> None:
    assert _read(*lines) == tag


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            (f"tag: v1 {TAG}", f"image: a:v2 {IMAGE}"),
            "disagree on the tag: 0.yaml:1 = v1, 1.yaml:1 = v2; make them agree",
        ),
        ((f"tag: v1@{OLD} {TAG}", f"image: a:v1@{NEW} {IMAGE}"), f"on the digest: 0.yaml:1 = {OLD}, 1.yaml:1 = {NEW};"),
        ((f"image: nginx {IMAGE}",), "0.yaml:1: 'nginx' holds no image tag that can be read"),
        ((f'tag: "" {TAG}',), "0.yaml:1: '' holds no image tag that can be read"),
        ((f"version: ^1.2 {TAG}",), "0.yaml:1: '^1.2' is a range of versions, which names no tag: run `gitops-prom"),
        ((f'version: ">=1.0.0 <2.0.0" {TAG}',), "'>=1.0.0 <2.0.0' is a range of versions, which names no tag"),
        ((f"tag: a b {TAG}",), "0.yaml:1: 'a b' is no tag: write the present tag alone"),
        ((f"image: a:1@sha512:00 {IMAGE}",), "0.yaml:1: 'a:1@sha512:00' holds no image tag that can be read"),
        (
            (f"digest: latest {DIGEST}", f"tag: 1 {TAG}"),
            "0.yaml:1: 'latest' is no digest: write sha256:<64 hex digits>",
        ),
        ((f"digest: {OLD} {DIGEST}",), "has a :digest marker, and no other marker of the application has its tag"),
    ],
)
def test_markers_without_a_tag_or_with_two_are_an_error_that_names_each(lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(ManifestError) as error:
        _read(*lines)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("line", "previous"),
    [
        (f"tag: v1 {TAG}", "v1"),
        (f"image: a:v1@{OLD} {IMAGE}", f"v1@{OLD}"),
        (f"image: a {IMAGE}", ""),
        (f"a: v1 {TAG}\nb: v2 {TAG}", ""),
        (f"a: v1 {TAG}\nb: x:v1@{OLD} {TAG}", f"v1@{OLD}"),
    ],
)
def test_previous_is_the_tag_before_if_the_markers_agreed(line: str, previous: str) -> None:
    edited = set_tag({"a.yaml": line.encode()}, group="webshop", app="webui", tag=Tag("v9"))
    assert edited.previous == previous
    assert edited.markers == line.count("$imagepolicy")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (f"image: nginx:1 {IMAGE}", None),
        (f"image: nginx {IMAGE}", ("'nginx' holds no image tag that can be read", "correct it")),
        (f"image: a@sha256:00 {IMAGE}", ("'a@sha256:00' holds no image tag that can be read", "correct it")),
        (f"digest: {OLD} {DIGEST}", None),
        (f"name: a@sha256:00 {NAME}", None),
        (f"tag: a b {TAG}", ("'a b' is no tag", "write the present tag alone, or take the marker out")),
        (f"image: 1.4.2 {IMAGE}", ("'1.4.2' is a version, but its marker names the whole image", f"write {TAG}")),
    ],
)
def test_a_value_that_its_marker_cannot_read_has_a_problem_and_a_step(
    line: str, problem: tuple[str, str] | None
) -> None:
    [marker] = scan(line.encode(), "0.yaml").markers
    assert unfit(marker) == problem
