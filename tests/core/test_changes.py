"""Which applications' tags a diff changes."""

from gitops_promotion.core.changes import changed_tags
from gitops_promotion.core.commits import FileChange
from gitops_promotion.core.environments import Environment
from gitops_promotion.core.layout import Layout

LAYOUT = Layout(environments=(Environment(name="dev"), Environment(name="qa")))


def text(**tags: str) -> bytes:
    return "".join(f'{app}: {tag} # {{"$imagepolicy": "shop:{app}:tag"}}\n' for app, tag in tags.items()).encode()


def changed(old: bytes, new: bytes, path: str = "shop/qa/x.yaml") -> list[tuple[str, str]]:
    changes = [FileChange(path=path, old="old", new="new")]
    found = changed_tags(changes, {"old": old, "new": new}, LAYOUT)
    return [(change.application.name, change.environment) for change in found.changes]


def test_only_the_application_whose_value_differs_has_changed() -> None:
    assert changed(text(web="1", cart="1"), text(web="1", cart="2")) == [("cart", "qa")]


def test_a_value_that_comes_or_goes_is_a_change() -> None:
    assert changed(text(web="1"), text(web="1", cart="2")) == [("cart", "qa")]
    assert changed(text(web="1", cart="2"), text(web="1")) == [("cart", "qa")]


def test_a_manifest_that_did_not_parse_counts_as_empty() -> None:
    assert changed(text(web="1") + b"a: [", text(web="1")) == [("web", "qa")]


def test_a_change_outside_of_all_environments_has_none() -> None:
    assert changed(text(web="1"), text(web="2"), "other/x.yaml") == [("web", "")]


def test_files_that_are_no_manifests_do_not_count() -> None:
    assert changed(text(web="1"), text(web="2"), "shop/qa/x.txt") == []
