"""A digest is written or refused: no tag is reported with a digest that no file has."""

import pytest

from gitops_promotion.core.markers import Edited, read_tag, set_tag
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ManifestError

OLD = "sha256:" + "0" * 64
NEW = "sha256:" + "f" * 64
OTHER = "sha256:" + "c" * 64

IMAGE = '# {"$imagepolicy": "webshop:webui"}'
TAG = '# {"$imagepolicy": "webshop:webui:tag"}'
NAME = '# {"$imagepolicy": "webshop:webui:name"}'
DIGEST = '# {"$imagepolicy": "webshop:webui:digest"}'
PLACE_DIGEST = f"put {DIGEST} behind"


def put(text: str, tag: str, image: str = "", *, pin: bool = True) -> Edited:
    files = {"a.yaml": text.encode()}
    return set_tag(files, group="webshop", app="webui", tag=Tag.parse(tag), image=image, pin=pin)


def after(text: str, tag: str, image: str = "", *, pin: bool = True) -> str:
    return put(text, tag, image, pin=pin).edits.get("a.yaml", text.encode()).decode()


NO_PLACE = [
    f"tag: 1.0.0 {TAG}",
    f'tag: "" {TAG}',
    f"version: 1.0.0 {TAG}",
    f"- VERSION=1.0.0 {TAG}",
    f"tag: 1.0.0 {TAG}\nrepository: a/b {NAME}",
]


@pytest.mark.parametrize("text", NO_PLACE)
@pytest.mark.parametrize("tag", ["1.0.0", "1.1.0"])
def test_a_digest_that_no_marker_can_hold_is_an_error_that_names_the_marker_to_add(text: str, tag: str) -> None:
    with pytest.raises(ManifestError) as error:
        put(text, f"{tag}@{NEW}")
    assert f"cannot hold the digest of {tag}@sha256:ffffffffffff..." in str(error.value)
    assert PLACE_DIGEST in str(error.value)
    assert error.value.faults[0].line == 1


def test_a_digest_asked_for_with_a_new_name_needs_a_place_too() -> None:
    with pytest.raises(ManifestError, match="cannot hold the digest"):
        put(f"repository: a/b {NAME}", f"1@{NEW}", "c/d")


def test_newtag_of_kustomize_takes_the_digest_behind_the_tag() -> None:
    text = f"images:\n- name: a/b\n  newTag: 1.0.0 {TAG}\n"
    pinned = after(text, f"1.1.0@{NEW}")
    assert pinned == f"images:\n- name: a/b\n  newTag: 1.1.0@{NEW} {TAG}\n"
    assert read_tag({"a.yaml": pinned.encode()}, "webshop", "webui") == Tag("1.1.0", NEW)
    assert put(pinned, f"1.1.0@{NEW}").edits == {}
    assert after(pinned, f"1.1.0@{OTHER}") == pinned.replace(NEW, OTHER)
    assert after(pinned, "1.1.0") == pinned
    assert after(pinned, "1.2.0") == f"images:\n- name: a/b\n  newTag: 1.2.0 {TAG}\n"


def test_newtag_leaves_the_digest_to_the_marked_digest_beside_it() -> None:
    # kustomize writes both, and no runtime reads `web:1@sha256:...@sha256:...`.
    text = f"images:\n- newTag: 1.0.0 {TAG}\n  digest: {OLD} {DIGEST}\n- newTag: 1.0.0 {TAG}\n"
    expected = f"images:\n- newTag: 1.1.0 {TAG}\n  digest: {NEW} {DIGEST}\n- newTag: 1.1.0@{NEW} {TAG}\n"
    assert after(text, f"1.1.0@{NEW}") == expected
    empty = text.replace(OLD, '""')
    assert after(empty, f"1.1.0@{NEW}") == expected.replace(f"digest: {NEW}", f'digest: "{NEW}"')


DIFFERENT_DIGESTS = [
    f"newTag: 1.0@{OLD} {TAG}",
    f"newTag: '1.0' {TAG}",
    f"tag: 1.0@{OLD} {TAG}",
    f"image: a/b:1.0@{OLD} {IMAGE}",
    f"image: a/b:1.0@{OLD} {TAG}",
    f"image: a/b:1.0 {TAG}",
    f"image: a/b:1.0 {IMAGE}",
    f"tag: '1.0' {TAG}\ndigest: {OLD} {DIGEST}",
    f"- IMAGE=a/b:1.0 {TAG}",
]


@pytest.mark.parametrize("text", DIFFERENT_DIGESTS)
def test_another_digest_of_the_same_tag_is_written(text: str) -> None:
    edited = after(text, f"1.0@{NEW}")
    assert NEW in edited
    assert OLD not in edited
    assert read_tag({"a.yaml": edited.encode()}, "webshop", "webui") == Tag("1.0", NEW)


UNMARKED = {
    "kustomize": (f"images:\n- name: a/b\n  newTag: 1.0.0 {TAG}\n  digest: {OLD}\n", 4),
    "before the tag": (f"digest: {OLD}\nnewTag: 1.0.0 {TAG}\n", 1),
    "in quotes": (f'newTag: 1.0.0 {TAG}\ndigest: "{OLD}"\n', 2),
    "in a flow mapping": (f"image: {{digest: {OLD}, tag: 1.0.0 {TAG}\n}}\n", 1),
    "a chart's values": (f"image:\n  repository: a/b\n  tag: 1.0.0 {TAG}\n  digest: {OLD}\n", 4),
    "another name of the key": (f"tag: 1.0.0 {TAG}\nimageDigest: {OLD}\n", 2),
    "digits alone": (f"tag: 1.0.0 {TAG}\nsha: {'0' * 63}a\n", 2),
    "marked for another application": (f"tag: 1.0.0 {TAG}\ndigest: {OLD} {DIGEST.replace('webui', 'cart')}\n", 2),
    "beside a whole image": (f"image: a/b:1.0.0 {IMAGE}\ndigest: {OLD}\n", 2),
    "at an anchor": (f"x: &d {OLD}\ny: {{tag: 1.0.0, {TAG}\n  digest: *d}}\n", 3),
    "marked elsewhere": (f"a: {{tag: 1.0.0, {TAG}\n  digest: {OLD}}}\nb: {OLD} {DIGEST}\n", 2),
}


@pytest.mark.parametrize("case", UNMARKED)
def test_an_unmarked_digest_beside_a_marked_value_that_changes_is_an_error_that_names_its_line(case: str) -> None:
    text, line = UNMARKED[case]
    for tag in ("1.1.0", f"1.1.0@{NEW}"):
        with pytest.raises(ManifestError) as error:
            put(f"{text}---\nimage: x:1 {IMAGE}\n", tag)
        (fault,) = error.value.faults
        assert (fault.path, fault.line) == ("a.yaml", line)
        assert PLACE_DIGEST in fault.text


@pytest.mark.parametrize("case", UNMARKED)
def test_an_unmarked_digest_stays_with_its_tag(case: str) -> None:
    assert put(UNMARKED[case][0], "1.0.0").edits == {}


BESIDE = {
    "an empty digest": f'tag: 1.0.0 {TAG}\ndigest: ""\n',
    "a digest that is null": f"tag: 1.0.0 {TAG}\ndigest: ~\n",
    "a placeholder": f"tag: 1.0.0 {TAG}\ndigest: ${{DIGEST}}\n",
    "a commit": f"tag: 1.0.0 {TAG}\nsha: {'0' * 39}a\n",
    "a checksum": f"tag: 1.0.0 {TAG}\nchecksum/config: {'0' * 64}\n",
    "the digest of another image": f"a: {{tag: 1.0.0 {TAG}\n}}\nb: {{digest: {OLD}}}\n",
    "a digest in a mapping below": f"tag: 1.0.0 {TAG}\nsidecar: {{digest: {OLD}}}\n",
    "a digest in a list": f"tag: 1.0.0 {TAG}\ndigests: [{OLD}]\n",
    "a digest in another document": f"tag: 1.0.0 {TAG}\n---\ndigest: {OLD}\n",
    "a marked digest that is empty": f"tag: 1.0.0 {TAG}\ndigest: '' {DIGEST}\n",
}


@pytest.mark.parametrize("case", BESIDE)
def test_the_tag_changes_beside(case: str) -> None:
    assert after(BESIDE[case], "1.1.0") == BESIDE[case].replace("1.0.0", "1.1.0")


def test_a_marked_digest_at_an_anchor_is_marked_for_its_aliases_too() -> None:
    text = f"x: &d {OLD} {DIGEST}\ny: {{tag: 1.0.0, {TAG}\n  digest: *d}}\n"
    assert after(text, f"1.1.0@{NEW}") == text.replace(OLD, NEW).replace("1.0.0", "1.1.0")


def test_a_new_name_beside_an_unmarked_digest_is_an_error_too() -> None:
    with pytest.raises(ManifestError, match=r"^a\.yaml:2: this digest stands beside a marked value that changes"):
        put(f"newName: a/b {NAME}\ndigest: {OLD}\n", "1.0.0", "c/d")


def test_without_pin_a_digest_is_written_only_where_a_marker_says_so() -> None:
    text = f"newTag: 1.0.0 {TAG}\nimage: a/b:1.0.0 {IMAGE}\n"
    assert after(text, f"1.1.0@{NEW}", pin=False) == f"newTag: 1.1.0 {TAG}\nimage: a/b:1.1.0@{NEW} {IMAGE}\n"
    assert after(f"tag: 1.0.0 {TAG}\n", f"1.1.0@{NEW}", pin=False) == f"tag: 1.1.0 {TAG}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"repository: a/b {NAME}", f"repository: reg:5000/c {NAME}"),
        (f'repository: "" {NAME}', f'repository: "reg:5000/c" {NAME}'),
        (f"repository: ~ {NAME}", f"repository: reg:5000/c {NAME}"),
    ],
)
def test_image_sets_the_name_where_only_a_name_marker_stands_and_says_that_no_marker_holds_the_tag(
    text: str, expected: str
) -> None:
    edited = put(text, "2.0.0", "reg:5000/c")
    assert edited.edits == {"a.yaml": expected.encode()}
    assert edited.tag == Tag("")
    (warning,) = edited.warnings
    assert warning.startswith("a.yaml:1: no marker of webshop:webui holds its tag, only the name changes: ")
    assert TAG in warning


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f'image: "" {IMAGE}', f'image: "reg:5000/c:2.0.0" {IMAGE}'),
        (f"image: '' {IMAGE}", f"image: 'reg:5000/c:2.0.0' {IMAGE}"),
        (f"image: ~ {IMAGE}", f"image: reg:5000/c:2.0.0 {IMAGE}"),
        (f"image: null {IMAGE}", f"image: reg:5000/c:2.0.0 {IMAGE}"),
        (f'image: "" {IMAGE}\ntag: "" {TAG}', f'image: "reg:5000/c:2.0.0" {IMAGE}\ntag: "2.0.0" {TAG}'),
    ],
)
def test_image_fills_an_empty_marked_value(text: str, expected: str) -> None:
    edited = put(text, "2.0.0", "reg:5000/c")
    assert edited.edits == {"a.yaml": expected.encode()}
    assert (edited.tag, edited.warnings) == (Tag("2.0.0"), ())


def test_without_an_image_an_empty_marked_image_says_how_to_give_one() -> None:
    with pytest.raises(
        ManifestError, match=r"^a\.yaml:1: '' is empty: write the name of the image, or set it by `set-"
    ):
        put(f'image: "" {IMAGE}', "2.0.0")
