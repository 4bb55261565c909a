"""Which applications' tags a diff changes."""

from gitops_promotion.core.changed_tags import TagChanges, changed_tags
from gitops_promotion.core.commits import FileChange
from gitops_promotion.core.environments import Environment
from gitops_promotion.core.layout import Layout, MarkerName
from gitops_promotion.core.strays import Stray

LAYOUT = Layout(environments=(Environment(name="dev"), Environment(name="qa")))


def text(**tags: str) -> bytes:
    return "".join(f'{app}: {tag} # {{"$imagepolicy": "shop:{app}:tag"}}\n' for app, tag in tags.items()).encode()


def tag_changes(old: bytes, new: bytes, path: str = "shop/qa/x.yaml") -> TagChanges:
    return changed_tags([FileChange(path=path, old="old", new="new")], {"old": old, "new": new}, LAYOUT)


def changed(old: bytes, new: bytes, path: str = "shop/qa/x.yaml") -> list[tuple[str, str]]:
    return [(change.application.name, change.environment) for change in tag_changes(old, new, path).changes]


def test_only_the_application_whose_value_differs_has_changed() -> None:
    assert changed(text(web="1", cart="1"), text(web="1", cart="2")) == [("cart", "qa")]


def test_a_value_that_comes_or_goes_is_a_change() -> None:
    assert changed(text(web="1"), text(web="1", cart="2")) == [("cart", "qa")]
    assert changed(text(web="1", cart="2"), text(web="1")) == [("cart", "qa")]


def test_a_manifest_that_did_not_parse_counts_as_empty() -> None:
    assert changed(text(web="1") + b"a: [", text(web="1")) == [("web", "qa")]


def test_a_changed_marker_of_no_environment_is_named_with_its_line() -> None:
    changes = tag_changes(text(a="1", web="1"), text(a="1", web="2"), "other/x.yaml")
    assert (changes.changes, changes.unclaimed) == ((), (Stray("other/x.yaml", 2, MarkerName("shop", "web")),))
    removed = tag_changes(text(a="1", web="1"), text(a="1"), "other/x.yaml")
    assert [stray.line for stray in removed.unclaimed] == [2], "its line before it went"
    wrong_group = tag_changes(text(web="1"), text(web="2"), "blog/qa/x.yaml")
    assert [stray.at for stray in wrong_group.unclaimed] == ["blog/qa/x.yaml:1"]


def test_files_that_are_no_manifests_do_not_count() -> None:
    assert changed(text(web="1"), text(web="2"), "shop/qa/x.txt") == []


def test_a_stray_of_several_markers_is_named_by_its_first_line_after_the_change() -> None:
    two = text(web="2") + text(web="2")
    changes = tag_changes(text(a="1", web="1"), text(a="1") + two, "other/x.yaml")
    assert [stray.line for stray in changes.unclaimed] == [2]
    assert [
        stray.line
        for stray in tag_changes(text(a="1", web="1"), two, "other/x.yaml").unclaimed
        if stray.name.app == "web"
    ] == [1]
