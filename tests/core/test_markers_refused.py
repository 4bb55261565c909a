"""A marked value that is no tag and no image reference is never replaced: it is refused, or changed behind its `=`."""

import pytest

from gitops_promotion.core.markers import only_tags_differ, read_tag, set_tag
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ManifestError

IMAGE = '# {"$imagepolicy": "webshop:webui"}'
TAG = '# {"$imagepolicy": "webshop:webui:tag"}'
NAME = '# {"$imagepolicy": "webshop:webui:name"}'
DIGEST = '# {"$imagepolicy": "webshop:webui:digest"}'
OLD = "sha256:" + "0" * 64
NEW = "sha256:" + "f" * 64
# A second marker, so that the refused value is the only reason for an error.
SECOND = f"other: 1 {TAG}\nweb: a/b:1 {IMAGE}\n"


def refusal(line: str, tag: str = "2.0.0", image: str = "") -> str:
    files = {"a.yaml": f"{SECOND}{line}\n".encode()}
    with pytest.raises(ManifestError) as error:
        set_tag(files, group="webshop", app="webui", tag=Tag.parse(tag), image=image)
    assert str(error.value).startswith("a.yaml:3: ")
    return str(error.value)


WRITE_TAG = f"write {TAG}"
NO_REFERENCE = "is not an image reference: write name[:tag][@digest]"
NO_TAG = "is no tag: write the present tag alone, or take the marker out"

REFUSED = {
    # A marker for the whole image behind a version: `1.0.0` would become `1.0.0:2.0.0`.
    f"version: 1.0.0 {IMAGE}": WRITE_TAG,
    f'version: "1.0.0" {IMAGE}': WRITE_TAG,
    f"version: v1 {IMAGE}": WRITE_TAG,
    f"version: 1.2.3+build.5 {IMAGE}": WRITE_TAG,
    f'version: ">=1.0.0 <2.0.0" {IMAGE}': WRITE_TAG,
    f"version: ^1.2 {IMAGE}": WRITE_TAG,
    f"version: 1.x {IMAGE}": WRITE_TAG,
    f"targetRevision: 1.0.0 {IMAGE}": WRITE_TAG,
    f"targetRevision: main {IMAGE}": WRITE_TAG,
    f"appVersion: web {IMAGE}": WRITE_TAG,
    f"ref: {{a: b,\n  tag: x {IMAGE}\n}}": WRITE_TAG,
    f"tag: x {IMAGE}": WRITE_TAG,
    f"imageTag: main-abc {IMAGE}": WRITE_TAG,
    f"newTag: 1.0@{OLD} {IMAGE}": WRITE_TAG,
    f"semver: 1.x {IMAGE}": WRITE_TAG,
    f"anything: 1.0.0-rc.1 {IMAGE}": WRITE_TAG,
    f"anything: 20240131-abc1234 {IMAGE}": WRITE_TAG,
    f"anything: 0ddf7cc {IMAGE}": WRITE_TAG,
    f"anything: latest {IMAGE}": WRITE_TAG,
    f"image: 1.0.0 {IMAGE}": WRITE_TAG,
    f"list: [x, 1.0.0 {IMAGE}\n]": WRITE_TAG,
    f"list: [x, VERSION=1.0.0 {IMAGE}\n]": WRITE_TAG,
    # The name of something: it would become the tag, or `name:2.0.0`.
    f"name: webui {TAG}": "is a name by its key 'name': put the marker behind the tag",
    f"name: webui {IMAGE}": f"is an image's name alone, but its marker names the whole image: write {NAME}",
    f"newName: ghcr.io/org/webui {IMAGE}": f"write {NAME}",
    f"repository: ghcr.io/org/webui {IMAGE}": f"write {NAME}",
    f"repository: ghcr.io/org/webui {TAG}": "is no tag, and no image reference with a tag: write name:tag",
    f"chart: webui-1.2.3 {TAG}": "is a name by its key 'chart': put the marker behind the tag",
    f"chart: webui-1.2.3 {IMAGE}": "is the name of a chart: put the marker behind the chart's version",
    f"helm.sh/chart: webui-1.2.3 {TAG}": "is a name by its key 'helm.sh/chart'",
    f"path: ghcr.io/org/webui {TAG}": "is no tag, and no image reference with a tag",
    f"targetRevision: refs/tags/v1.2.3 {TAG}": NO_REFERENCE,
    f"targetRevision: refs/tags/v1.2.3 {IMAGE}": NO_REFERENCE,
    f"image: v1.2.3 {TAG}": "is a tag, but its key says that it is an image: write name:tag",
    # Addresses and files.
    f"url: https://example.com/webui-1.0.0.tgz {TAG}": NO_REFERENCE,
    f"url: https://example.com/webui-1.0.0.tgz {IMAGE}": NO_REFERENCE,
    f"url: https://example.com:8080/webui {IMAGE}": NO_REFERENCE,
    f"url: oci://ghcr.io/org/charts {IMAGE}": NO_REFERENCE,
    f"url: ssh://git@example.com/org/webui {IMAGE}": NO_REFERENCE,
    f"url: git@github.com:org/webui {IMAGE}": NO_REFERENCE,
    f"base: github.com/org/webui//deploy?ref=v1.0.0 {TAG}": NO_REFERENCE,
    f"base: https://github.com/org/webui?ref=v1.0.0 {TAG}": NO_REFERENCE,
    f"path: ./charts/webui {IMAGE}": NO_REFERENCE,
    f"path: /usr/bin/webui {IMAGE}": NO_REFERENCE,
    f"path: charts/webui-1.0.0.tgz {IMAGE}": NO_REFERENCE,
    f"path: releases/webui.yaml {IMAGE}": NO_REFERENCE,
    f"mail: team@example.com {IMAGE}": NO_REFERENCE,
    f"arn: arn:aws:ecr:eu-north-1:1234:repository/webui {IMAGE}": NO_REFERENCE,
    # Text with more than one value in it.
    f"args: --image ghcr.io/org/webui:1.0.0 {IMAGE}": NO_REFERENCE,
    f"args: --version 1.0.0 {TAG}": NO_TAG,
    f"images: a/b:1,c/d:1 {IMAGE}": NO_REFERENCE,
    f"args: --set=a=1,image.tag=1.0.0 {TAG}": NO_TAG,
    f'json: \'{{"tag": "1.0.0"}}\' {TAG}': NO_REFERENCE,
    f'json: \'{{"image":"a/b:1.0.0"}}\' {IMAGE}': NO_REFERENCE,
    f"json: '[\"1.0.0\"]' {TAG}": NO_TAG,
    f"json: '{{webui}}' {IMAGE}": NO_REFERENCE,
    f'text: it\'s "plain" {TAG}': NO_TAG,
    f"text: one\n  two {TAG}": NO_TAG,
    f"text: {'a' * 129} {TAG}": NO_TAG,
    f"tag: ${{TAG}} {TAG}": NO_TAG,
    f"tag: <tag> {TAG}": NO_TAG,
    f"tag: v1@latest {TAG}": "has no digest behind the '@'",
    f"tag: 'v1@' {TAG}": "has no digest behind the '@'",
    # A `KEY=value` whose value is no tag.
    f"a: VERSION= {TAG}": "has nothing behind the '=': write the present value there",
    f"a: dGFnCg= {TAG}": "has nothing behind the '='",
    f"a: dGFn== {TAG}": NO_TAG,
    f'a: VERSION="1.0.0" {TAG}': NO_TAG,
    f"a: APP_NAME=webui {TAG}": "is a name by its key 'name'",
    f"a: URL=https://example.com/a {IMAGE}": NO_REFERENCE,
    # Digests.
    f"digest: {OLD} {TAG}": f"is a digest, but its marker names the tag: write {DIGEST}",
    f"digest: {OLD} {IMAGE}": f"is a digest, but its marker names the whole image: write {DIGEST}",
}


@pytest.mark.parametrize("line", REFUSED)
def test_a_value_that_is_no_tag_and_no_image_reference_is_never_replaced(line: str) -> None:
    reason = REFUSED[line]
    files = {"a.yaml": f"{SECOND}{line}\n".encode()}
    with pytest.raises(ManifestError) as error:
        set_tag(files, group="webshop", app="webui", tag=Tag("2.0.0"))
    assert str(error.value).startswith(("a.yaml:3: ", "a.yaml:4: "))
    assert reason in str(error.value)
    assert error.value.faults[0].path == "a.yaml"


@pytest.mark.parametrize("line", REFUSED)
def test_a_refused_value_is_no_difference_of_tags_alone(line: str) -> None:
    good = f"{SECOND}x: v1 {TAG}\n".encode()
    bad = f"{SECOND}{line}\n".encode()
    assert not only_tags_differ(good, bad, "webshop", "webui")
    assert not only_tags_differ(bad, good, "webshop", "webui")


def test_only_tags_differ_sees_that_a_tag_became_another_text() -> None:
    old, new = (f"tag: {value} {TAG}".encode() for value in ("v1", "v1 --privileged"))
    assert not only_tags_differ(old, new, "webshop", "webui")


def test_a_digest_marker_takes_digests_alone() -> None:
    assert "is no digest: write sha256:<64 hex digits>" in refusal(f"digest: latest {DIGEST}", f"2@{NEW}")
    assert "is no digest" in refusal(f"digest: ${{DIGEST}} {DIGEST}", f"2@{NEW}")


def test_a_name_marker_takes_names_alone() -> None:
    assert NO_REFERENCE in refusal(f"a: https://example.com/a {NAME}", image="c/d")
    assert WRITE_TAG in refusal(f"a: 1.0.0 {NAME}", image="c/d")


def test_a_name_marker_on_another_value_does_not_disturb_a_new_tag() -> None:
    files = {"a.yaml": f"a: https://example.com/a {NAME}\nb: v1 {TAG}\n".encode()}
    edited = set_tag(files, group="webshop", app="webui", tag=Tag("v2"))
    assert edited.edits == {"a.yaml": f"a: https://example.com/a {NAME}\nb: v2 {TAG}\n".encode()}


ASSIGNMENTS = {
    f"VERSION=1.0.0 {TAG}": f"VERSION=2.0.0 {TAG}",
    f"'VERSION=1.0.0' {TAG}": f"'VERSION=2.0.0' {TAG}",
    f"IMAGE_TAG=main-abc {TAG}": f"IMAGE_TAG=2.0.0 {TAG}",
    f"IMAGE=ghcr.io/org/webui:1 {IMAGE}": f"IMAGE=ghcr.io/org/webui:2.0.0 {IMAGE}",
    f"IMAGE=ghcr.io/org/webui:1 {TAG}": f"IMAGE=ghcr.io/org/webui:2.0.0 {TAG}",
    f"WEB_IMAGE=webui {TAG}": f"WEB_IMAGE=webui:2.0.0 {TAG}",
    f"IMAGE=webui@{OLD} {IMAGE}": f"IMAGE=webui:2.0.0 {IMAGE}",
    f"--image=ghcr.io/org/webui:1 {IMAGE}": f"--image=ghcr.io/org/webui:2.0.0 {IMAGE}",
    f"--version=1.0.0 {TAG}": f"--version=2.0.0 {TAG}",
    f"-v=1.0.0 {TAG}": f"-v=2.0.0 {TAG}",
    f"--set=image.tag=1.0.0 {TAG}": f"--set=image.tag=2.0.0 {TAG}",
    f"--set=containers[0].image=a/b:1 {IMAGE}": f"--set=containers[0].image=a/b:2.0.0 {IMAGE}",
    f"app.kubernetes.io/version=1.0.0 {TAG}": f"app.kubernetes.io/version=2.0.0 {TAG}",
    f"IMAGE=${{REGISTRY}}/webui:1 {IMAGE}": f"IMAGE=${{REGISTRY}}/webui:2.0.0 {IMAGE}",
}


@pytest.mark.parametrize("line", ASSIGNMENTS)
def test_an_assignment_changes_behind_its_equals_sign(line: str) -> None:
    before, after = (f"literals:\n- {text}\n".encode() for text in (line, ASSIGNMENTS[line]))
    edited = set_tag({"a.yaml": before}, group="webshop", app="webui", tag=Tag("2.0.0"))
    assert edited.edits == {"a.yaml": after}
    assert only_tags_differ(before, after, "webshop", "webui")
    assert read_tag({"a.yaml": after}, "webshop", "webui") == Tag("2.0.0")
    assert set_tag({"a.yaml": after}, group="webshop", app="webui", tag=Tag("2.0.0")).edits == {}


def test_another_key_of_an_assignment_is_more_than_another_tag() -> None:
    old, new = (f"- {key}=1.0.0 {TAG}".encode() for key in ("VERSION", "LD_PRELOAD"))
    assert not only_tags_differ(old, new, "webshop", "webui")


def test_name_and_digest_of_an_assignment_change_behind_its_equals_sign() -> None:
    before = f"- IMAGE=a/b {NAME}\n- TAG=1 {TAG}\n- DIGEST={OLD} {DIGEST}\n"
    after = f"- IMAGE=c/d {NAME}\n- TAG=2 {TAG}\n- DIGEST={NEW} {DIGEST}\n"
    edited = set_tag({"a.yaml": before.encode()}, group="webshop", app="webui", tag=Tag("2", NEW), image="c/d")
    assert edited.edits == {"a.yaml": after.encode()}


TAKEN = {
    "a version range": (f'version: ">=1.0.0 <2.0.0" {TAG}', f'version: "2.0.0" {TAG}'),
    "another range": (f"version: ~1.2 || ^2, 3.x {TAG}", f"version: 2.0.0 {TAG}"),
    "a version with build metadata": (f"version: 1.2.3+5 {TAG}", f"version: 2.0.0 {TAG}"),
    "null": (f"tag: null {TAG}", f"tag: 2.0.0 {TAG}"),
    "a chart with its registry": (f"chart: oci://r.io/a/web:1.0.0 {IMAGE}", f"chart: oci://r.io/a/web:2.0.0 {IMAGE}"),
    "a transport": (f"from: docker://r.io/a/web:1 {TAG}", f"from: docker://r.io/a/web:2.0.0 {TAG}"),
    "a name with its tag": (f"repository: r.io/a/web:1 {IMAGE}", f"repository: r.io/a/web:2.0.0 {IMAGE}"),
    "an address of IPv6": (f"image: '[::1]:5000/web:1' {IMAGE}", f"image: '[::1]:5000/web:2.0.0' {IMAGE}"),
    "placeholders": (
        f"image: '${{R:-r.io/a}}/$(B)/web-$ENV:1' {IMAGE}",
        f"image: '${{R:-r.io/a}}/$(B)/web-$ENV:2.0.0' {IMAGE}",
    ),
    "a template without blanks": (
        f"image: '{{{{registry}}}}/web:1' {IMAGE}",
        f"image: '{{{{registry}}}}/web:2.0.0' {IMAGE}",
    ),
}


@pytest.mark.parametrize("case", TAKEN)
def test_unusual_values_that_hold_a_tag_are_set(case: str) -> None:
    before, after = TAKEN[case]
    edited = set_tag({"a.yaml": before.encode()}, group="webshop", app="webui", tag=Tag("2.0.0"))
    assert edited.edits == {"a.yaml": after.encode()}


def test_a_null_is_not_taken_for_the_tag_null() -> None:
    edited = set_tag({"a.yaml": f"tag: null {TAG}".encode()}, group="webshop", app="webui", tag=Tag("null"))
    assert edited.edits == {"a.yaml": f'tag: "null" {TAG}'.encode()}
