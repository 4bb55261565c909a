"""When two changes make the same edits (docs/approvals.md#what-counts)."""

import pytest

from gitops_promotion.core.commits import EntryKind, FileChange
from gitops_promotion.core.same_edits import same_edits

DEV = b"a: 1\nimage: w:1\nz: 1\n"
NEW = b"a: 1\nimage: w:2\nz: 1\n"


def change(
    old: bytes | None,
    new: bytes | None,
    *,
    path: str = "w.yaml",
    mode: str = "100644",
    kind: EntryKind = "file",
) -> FileChange:
    """Return a change of one file; the contents stand for their own object ids."""
    return FileChange(
        path=path,
        old=None if old is None else old.hex() or "empty",
        new=None if new is None else new.hex() or "empty",
        old_kind=kind,
        new_kind=kind,
        old_mode="100644" if old is not None else "000000",
        new_mode=mode if new is not None else "000000",
    )


def is_same(one: list[FileChange], other: list[FileChange]) -> bool:
    ids = {oid for c in (*one, *other) for oid in (c.old, c.new) if oid}
    return same_edits(one, other, {oid: b"" if oid == "empty" else bytes.fromhex(oid) for oid in ids})


APPROVED = [change(DEV, NEW)]


@pytest.mark.parametrize(
    "head",
    [
        APPROVED,
        [change(b"# moved\n" + DEV, b"# moved\n" + NEW)],
        [change(DEV.replace(b"z: 1", b"z: 2"), NEW.replace(b"z: 1", b"z: 2"))],
        [change(DEV.replace(b"a: 1\n", b""), NEW.replace(b"a: 1\n", b""))],
    ],
    ids=["the same commit", "lines added above", "the next line changed on the base", "the line above is gone"],
)
def test_a_rebuild_on_a_new_base_makes_the_same_edits(head: list[FileChange]) -> None:
    assert is_same(APPROVED, head)
    assert is_same(head, APPROVED)


@pytest.mark.parametrize(
    "head",
    [
        [],
        [change(DEV, b"a: 1\nimage: w:3\nz: 1\n")],
        [change(DEV, NEW + b"evil: 1\n")],
        [change(b"# moved\n" + DEV, b"# moved\n" + NEW.replace(b"w:2", b"w:2 "))],
        [change(b"# moved\n" + DEV, b"# other\n" + NEW)],
        [change(DEV.replace(b"w:1", b"w:0"), NEW)],
        [change(DEV, NEW, path="x.yaml")],
        [change(DEV, NEW, mode="100755")],
        [change(DEV, NEW, kind="symlink", mode="120000")],
        [change(DEV, NEW), change(None, b"evil: 1\n", path="x.yaml")],
        [change(None, NEW)],
        [change(DEV, None)],
        [change(DEV, b"")],
        [change(DEV.replace(b"\n", b"\r\n"), NEW.replace(b"\n", b"\r\n"))],
    ],
    ids=[
        "nothing",
        "another tag",
        "one line more",
        "a blank at the end",
        "another line too",
        "from another tag",
        "another file",
        "another mode",
        "a link",
        "one file more",
        "a new file",
        "a deleted file",
        "an empty file",
        "other ends of lines",
    ],
)
def test_anything_else_makes_other_edits(head: list[FileChange]) -> None:
    assert not is_same(APPROVED, head)
    assert not is_same(head, APPROVED)


BLOCKS = b"one:\n  replicas: 1\ntwo:\n  replicas: 1\n"


def test_the_same_lines_of_another_block_are_another_edit() -> None:
    first = change(BLOCKS, BLOCKS.replace(b"replicas: 1", b"replicas: 9", 1))
    moved = b"# moved\n" + BLOCKS
    second = change(moved, b"# moved\none:\n  replicas: 1\ntwo:\n  replicas: 9\n")
    assert not is_same([first], [second])
    assert is_same([first], [change(moved, moved.replace(b"replicas: 1", b"replicas: 9", 1))])


def test_lines_added_behind_another_line_are_another_edit() -> None:
    first = change(BLOCKS, b"one:\n  root: yes\n  replicas: 1\ntwo:\n  replicas: 1\n")
    moved = b"# moved\n" + BLOCKS
    second = change(moved, b"# moved\none:\n  replicas: 1\ntwo:\n  root: yes\n  replicas: 1\n")
    assert not is_same([first], [second])
    assert is_same([first], [change(moved, b"# moved\none:\n  root: yes\n  replicas: 1\ntwo:\n  replicas: 1\n")])


def test_files_that_come_and_go_and_links_are_the_same_only_as_a_whole() -> None:
    assert is_same([change(None, NEW)], [change(None, NEW)])
    assert not is_same([change(None, NEW)], [change(None, DEV)])
    assert is_same([change(DEV, None)], [change(DEV, None)])
    assert not is_same([change(DEV, None)], [change(NEW, None)])
    link = change(b"there", b"elsewhere", kind="symlink", mode="120000")
    assert is_same([link], [link])
    assert not is_same([link], [change(b"here", b"elsewhere", kind="symlink", mode="120000")])


def test_a_large_change_is_compared_as_a_whole() -> None:
    old = b"".join(b"%d\n" % number for number in range(3000))
    new = b"".join(b"%d!\n" % number for number in range(3000))
    top = b"# moved\n"
    assert is_same([change(old, new)], [change(top + old, top + new)])
    assert not is_same([change(old, new)], [change(top + old, top + new.replace(b"7!", b"7?", 1))])


@pytest.mark.parametrize(("count", "same"), [(20, True), (3000, False)])
def test_lines_between_those_of_a_large_change_belong_to_it(count: int, same: bool) -> None:
    def edit(between: bytes) -> FileChange:
        old = b"".join(between if number == count // 2 else b"%d\n" % number for number in range(count))
        new = b"".join(between if number == count // 2 else b"%d!\n" % number for number in range(count))
        return change(old, new)

    assert is_same([edit(b"one\n")], [edit(b"two\n")]) is same
