"""The errors and warnings for markers that are absent, misplaced or misspelled."""

import pytest

from gitops_promotion.core.markers.edit import applications, missing, set_tag
from gitops_promotion.core.markers.scan import Misplaced, scan
from gitops_promotion.core.tags import ImageReference, Tag, check_image
from gitops_promotion.errors import ManifestError, UsageError


def marked(*names: str) -> bytes:
    return "".join(f'k{i}: v1 # {{"$imagepolicy": "{name}:tag"}}\n' for i, name in enumerate(names)).encode()


def test_b2_no_marker_is_an_error_that_lists_the_ones_found_and_the_nearest_name() -> None:
    files = {"a.yaml": marked("webshop:web-ui", "webshop:cart"), "b.yaml": marked("billing:api"), "c.yaml": b"a: ["}
    with pytest.raises(ManifestError) as error:
        set_tag(files, group="webshop", app="webui", tag=Tag("v2"), location="webshop/dev")
    assert str(error.value) == (
        'no "$imagepolicy" marker of webshop:webui in webshop/dev: put # {"$imagepolicy": "webshop:webui:tag"} behind '
        "the tag to set, or did you mean webshop:web-ui? (found: billing:api, webshop:cart, webshop:web-ui)"
    )


@pytest.mark.parametrize(
    ("group", "app", "near"),
    [
        ("webshop", "web-iu", "webshop:web-ui"),
        ("webshp", "cart", "webshop:cart"),
        ("webshp", "crat", "webshop:cart"),
        ("platform", "mailer", "billing:mailer"),
        ("webshop", "mailer", "billing:mailer"),
        ("webshop", "api", ""),
        ("xxxxxxx", "yyyy", ""),
    ],
)
def test_group_and_application_are_compared_each_for_itself(group: str, app: str, near: str) -> None:
    files = {"a.yaml": marked("webshop:web-ui", "webshop:cart", "billing:mailer")}
    text = str(missing(files, group, app, "x"))
    assert (f"did you mean {near}?" in text) == bool(near)
    assert ("did you mean" in text) == bool(near)


def test_b2_a_long_list_of_found_applications_is_cut() -> None:
    error = missing({"a.yaml": marked(*(f"g{i:02}:a" for i in range(25)))}, "other", "name", "x")
    assert str(error).endswith("(found: " + ", ".join(f"g{i:02}:a" for i in range(10)) + " and 15 more)")


def test_b2_the_error_says_that_there_is_no_marker_at_all() -> None:
    assert str(missing({"a.yaml": b"a: b"}, "g", "a", "x")).endswith("(found no marker of any application)")


def test_b2_a_misplaced_marker_is_an_error_with_file_line_and_reason_if_there_is_no_live_one() -> None:
    files = {"a.yaml": b'a: b\nc: |  # {"$imagepolicy": "g:a"}\n  d\n', "b.yaml": marked("x:y")}
    with pytest.raises(ManifestError) as error:
        set_tag(files, group="g", app="a", tag=Tag("v2"))
    assert str(error.value).startswith(
        'no "$imagepolicy" marker of g:a in the files read has an effect: a.yaml:2: a block'
    )


def test_a_misplaced_marker_beside_a_live_one_is_a_warning_also_in_another_file() -> None:
    files = {"a.yaml": b'a: b\nc: |  # {"$imagepolicy": "g:a"}\n  d\n', "b.yaml": marked("g:a")}
    edited = set_tag(files, group="g", app="a", tag=Tag("v2"))
    assert list(edited.edits) == ["b.yaml"]
    (warning,) = edited.warnings
    assert warning.startswith("a.yaml:2: the marker of g:a has no effect: a block scalar carries no marker")


def test_the_misplaced_markers_of_others_are_not_reported() -> None:
    content = marked("g:a") + b'# {"$imagepolicy": "g:b"}\n'
    assert set_tag({"a.yaml": content}, group="g", app="a", tag=Tag("v2")).warnings == ()


def test_applications_are_those_of_live_markers_in_files_that_parse() -> None:
    files = {
        "a.yaml": marked("g:a", "g:b", "g:a") + b'# {"$imagepolicy": "g:c"}\n',
        "b.yaml": marked("g:d") + b"\nx: [",
        "c.yaml": marked("h:${NAME}", "../x:a", "h:a/b", "h:a..b", ":x", "y:"),
        "d.yaml": b'e: v # {"$imagepolicy": "g:e:digest"}',
    }
    assert applications(files) == {("g", "a"), ("g", "b"), ("g", "e")}


def test_only_edited_files_are_returned_and_only_marked_ones_are_parsed() -> None:
    files = {"a.yaml": marked("g:a"), "same.yaml": marked("g:a").replace(b"v1", b"v2"), "other": b"{{ no YAML"}
    edited = set_tag(files, group="g", app="a", tag=Tag("v2"))
    assert edited.edits == {"a.yaml": marked("g:a").replace(b"v1", b"v2")}
    assert edited.markers == 2


def test_a_file_with_the_key_alone_has_no_markers() -> None:
    result = scan(b'a: "$imagepolicy"\nb: c # \\u0041\n# {"$imagepolicy"}\nd: e # {"$imagepolicy": 5}\n', "f")
    assert result.markers == ()
    assert result.misplaced == ()


def test_a_json_bomb_in_a_comment_is_no_marker() -> None:
    content = marked("g:a") + b'b: c # {"$imagepolicy": "g:a", "x": ' + b"[" * 100_000 + b"\n"
    result = scan(content, "f")
    assert len(result.markers) == 1
    (misplaced,) = result.misplaced
    assert isinstance(misplaced, Misplaced)
    assert misplaced.line == 2


@pytest.mark.parametrize(
    "image", ["nginx", "a/b", "reg:5000/a/b", "Reg.example.com/a", "10.0.0.1:5000/a--b/c__d.e", "localhost/a"]
)
def test_an_image_name_may_have_registry_and_port(image: str) -> None:
    assert check_image(image) == image


@pytest.mark.parametrize(
    "image", ["", "a:1", "a@sha256:00", "A", "a//b", "/a", "a/", "a b", "-a", "a\n", "https://a/b", "a" * 256]
)
def test_an_image_name_has_no_tag_digest_or_blank(image: str) -> None:
    with pytest.raises(UsageError, match="is not an image name"):
        check_image(image)
    if image:
        with pytest.raises(UsageError):
            set_tag({"a.yaml": marked("g:a")}, group="g", app="a", tag=Tag("v2"), image=image)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nginx", ImageReference("nginx")),
        ("r:5000/a:1.2@sha256:0", ImageReference("r:5000/a", "1.2", "sha256:0")),
        ("r:5000/a", ImageReference("r:5000/a")),
        ("docker://a/b:1", ImageReference("docker://a/b", "1")),
        ("a:" + "x" * 128, ImageReference("a", "x" * 128)),
        ("a:" + "x" * 129, None),
        ("a:-x", None),
        ("a b", None),
        ("a:1@", None),
        ('a"b', None),
        ("a\\b", None),
        ("caf\u00e9:1", None),
        ("x" * 1001, None),
        ("a/" * 100_000, None),
    ],
)
def test_a_reference_is_parsed_or_refused(text: str, expected: ImageReference | None) -> None:
    reference = ImageReference.parse(text)
    assert reference == expected
    assert reference is None or str(reference) == text
