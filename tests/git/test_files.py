"""Finding, reading and writing files at the level of objects."""

import errno
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops_promotion.core.commits import FileChange, RefUpdate
from gitops_promotion.errors import GitError
from gitops_promotion.git import DEFAULT_IDENTITY, Identity, Repository, files, objects
from gitops_promotion.git.formats import read_changes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.conftest import Checkout, Remote

    Open = Callable[..., Repository]
    MakeRemote = Callable[..., Remote]

MARKED = 'image: a/webui:1 # {"$imagepolicy": "webshop:webui"}\n'
NAMES = [
    "a b.yaml",
    'quo"te.yaml',
    "back\\slash.yaml",
    "new\nline.yaml",
    "tab\t.yaml",
    "ünï/cödé.yaml",
    "not-utf8-\udcff.yaml",
    "star*[x]?.yaml",
    ":(top)magic.yaml",
    "-dash.yaml",
    "--help/x.yaml",
    "#comment.yaml",
    " lead.yaml",
    "trail .yaml ",
    "missing\n1 blob 3\nabc.yaml",
    "colon:colon.yaml",
    "Kustomization",
    "u\u2028v.yaml",
    "{brace}.yaml",
    "~home.yaml",
    "$HOME.yaml",
]


@pytest.fixture
def start(make_remote: "MakeRemote") -> "Remote":
    return make_remote({"README.md": "start\n"})


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_any_name_is_found_read_written_and_deleted(
    name: str, start: "Remote", open_repository: "Open"
) -> None:
    base = start.commit({f"dir/{name}": MARKED, "dir/other.yaml": MARKED})
    repository = open_repository(start.clone().path)
    path = f"dir/{name}"
    if not name.endswith(" "):
        assert repository.grep(base, ["webshop:webui"]) == sorted([path, "dir/other.yaml"])
        assert repository.grep(base, ["webshop:webui"], [path]) == [path]
    assert repository.read(base, [path, "nope", path + "x"]) == {path: MARKED.encode()}
    written = repository.commit(base, {path: b"new", f"more/{name}": b"more"}, "Write\n")
    assert repository.read(written, [path, f"more/{name}"]) == {path: b"new", f"more/{name}": b"more"}
    assert {change.path for change in repository.diff_trees(base, written)} == {path, f"more/{name}"}
    assert {change.path for change in repository.commits(base, written)[0].changes} == {path, f"more/{name}"}
    (entry, _, _) = repository.history(written, [path], 9)
    assert [change.path for change in entry.changes] == [path]
    deleted = repository.commit(written, {path: None}, "Delete\n")
    assert [(change.path, change.new) for change in repository.diff_trees(written, deleted)] == [(path, None)]


def test_b8_b9_a_commit_has_the_edits_and_nothing_of_the_checkout(remote: "Remote", open_repository: "Open") -> None:
    checkout = remote.clone()
    (checkout.path / "script.sh").write_text("#!/bin/sh\n")
    (checkout.path / "script.sh").chmod(0o755)
    (checkout.path / "link").symlink_to("webshop/dev")
    checkout.git("add", ".")
    checkout.git("commit", "--quiet", "--message=Modes")
    checkout.git("push", "--quiet", "origin", "main")
    (checkout.path / "credentials.json").write_text("secret")
    (checkout.path / "README.md").write_text("changed, not committed")
    (checkout.path / "script.sh").chmod(0o644)
    checkout.git("rm", "--quiet", "--cached", "gitops-promotion.yaml")

    repository = open_repository(checkout.path)
    base = remote.sha("main")
    sha = repository.commit(base, {"webshop/dev/webui.yaml": b"x\n", "script.sh": b"#!/bin/bash\n"}, "Promote\n")
    assert {change.path for change in repository.diff_trees(base, sha)} == {"webshop/dev/webui.yaml", "script.sh"}
    with_private = repository.history(sha, ["script.sh"], 1)
    assert with_private[0].parents == (base,)
    repository.push([RefUpdate(ref="refs/heads/p", new=sha, expected=None)])
    assert remote.files("p") == remote.files("main")  # names and modes
    assert remote.files("p")["script.sh"] == "100755"
    assert remote.files("p")["link"] == "120000"


def with_modes(remote: "Remote") -> tuple["Checkout", str]:
    checkout = remote.clone()
    (checkout.path / "link").symlink_to("webshop/dev")
    (checkout.path / "webshop" / "dev" / "alias.yaml").symlink_to("webui.yaml")
    checkout.git("add", ".")
    checkout.git("update-index", "--add", "--cacheinfo", f"160000,{remote.sha('main')},module")
    checkout.git("commit", "--quiet", "--message=Modes")
    checkout.git("push", "--quiet", "origin", "main")
    return checkout, checkout.sha()


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("link/webui.yaml", b"x"),
        ("link/new/deep.yaml", b"x"),
        ("link", b"x"),
        ("webshop/dev/alias.yaml", b"x"),
        ("webshop/dev", b"x"),
        ("webshop/dev", None),
        ("webshop/dev/webui.yaml/below", b"x"),
        ("module", b"x"),
        ("module/file", b"x"),
        ("module", None),
        ("", b"x"),
        ("/etc/passwd", b"x"),
        ("../x", b"x"),
        ("a/../x", b"x"),
        ("a/./x", b"x"),
        ("a//x", b"x"),
        ("a/", b"x"),
        (".git/config", b"x"),
        ("a/.GIT/hooks/x", b"x"),
        ("a/.git /x", b"x"),
        ("a/git~1/x", b"x"),
        ("a/.g\u200cit/x", b"x"),
        ("a\0b", b"x"),
    ],
)
def test_a_commit_writes_files_only_and_through_folders_only(
    path: str, content: bytes | None, remote: "Remote", open_repository: "Open"
) -> None:
    checkout, base = with_modes(remote)
    with pytest.raises(GitError) as caught:
        open_repository(checkout.path).commit(base, {"fine.yaml": b"y", path: content}, "Change\n")
    assert "\n" not in str(caught.value)


def test_a_symlink_can_be_deleted(remote: "Remote", open_repository: "Open") -> None:
    checkout, base = with_modes(remote)
    repository = open_repository(checkout.path)
    sha = repository.commit(base, {"link": None}, "Delete\n")
    assert [change.path for change in repository.diff_trees(base, sha)] == ["link"]


def test_a_file_and_a_file_below_it_cannot_both_be_written(checkout: "Checkout", open_repository: "Open") -> None:
    with pytest.raises(GitError, match="is not a folder"):
        open_repository(checkout.path).commit(checkout.sha(), {"a": b"1", "a/b": b"2"}, "Change\n")


def test_a_commit_on_an_unknown_base_fails_and_the_next_one_works(
    checkout: "Checkout", open_repository: "Open"
) -> None:
    repository = open_repository(checkout.path)
    with pytest.raises(GitError, match="is not in this repository: fetch it first"):
        repository.commit("1" * 40, {"a": b"1"}, "Change\n")
    with pytest.raises(GitError, match="not a full object id"):
        repository.commit("main", {"a": b"1"}, "Change\n")
    assert repository.commit(checkout.sha(), {"a": b"1"}, "Change\n")


@pytest.mark.parametrize("init", [(), ("--object-format=sha256",)], ids=["sha1", "sha256"])
def test_the_trees_of_a_commit_are_those_that_git_makes(
    init: tuple[str, ...], make_remote: "MakeRemote", open_repository: "Open"
) -> None:
    # A folder sorts as `a/`, behind `a-` and `a.b`; the last file of a folder takes the folder with it.
    remote = make_remote({"a-": "1", "a/b/c": "2", "a.b": "3", "a0": "4", "gone/deep/x": "5", "gone/y": "6"}, init=init)
    base = remote.sha("main")
    edits = {"a/b/d": b"7", "a/b/c": None, "gone/deep/x": None, "gone/y": None, "new/é/z": b"8", "no/such": None}
    repository = open_repository(remote.clone().path)
    sha = repository.commit(base, edits, "Change\n")
    repository.push([RefUpdate(ref="refs/heads/p", new=sha, expected=None)])
    assert remote.git("fsck", "--strict", "--no-dangling") == ""
    listed = remote.git("ls-tree", "-r", "-z", "p")
    assert [row.partition("\t")[2] for row in listed.split("\0")[:-1]] == ["a-", "a.b", "a/b/d", "a0", "new/é/z"]
    assert remote.git("rev-parse", "p^{tree}") == remote.git("mktree", stdin=remote.git("ls-tree", "p") + "\n")
    emptied = repository.commit(sha, dict.fromkeys(["a-", "a.b", "a/b/d", "a0", "new/é/z"]), "Empty\n")
    assert repository.listing(emptied) == ({}, {})


def test_a_tree_that_is_written_again_has_modes_that_servers_take(
    checkout: "Checkout", open_repository: "Open"
) -> None:
    blob = checkout.git("hash-object", "-w", "--stdin", stdin="x")
    inner = checkout.git("mktree", stdin=f"100755 blob {blob}\tx\n")
    lines = [("040000", "folder", inner), ("040000", "kept", inner), ("100664", "other", blob)]
    content = b"".join(f"{mode} {name}\0".encode() + bytes.fromhex(sha) for mode, name, sha in lines)
    tree = checkout.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=content)
    base = checkout.git("commit-tree", tree, "-m", "Base")
    repository = open_repository(checkout.path)
    sha = repository.commit(base, {"folder/x": b"y"}, "Change\n")
    assert [(c.path, c.old_mode, c.new_mode) for c in repository.diff_trees(base, sha)] == [
        ("folder/x", "100755", "100755")
    ]
    (raw,) = repository._objects.read([f"{sha}^{{tree}}"], "tree")
    assert raw.startswith(b"40000 folder\0")
    assert b"040000" not in raw
    assert b"40000 kept\0" in raw
    assert b"100664 other\0" in raw, "what servers take stays as it is"


def test_a_damaged_tree_is_one_clear_line(checkout: "Checkout", open_repository: "Open") -> None:
    empty = checkout.git("mktree")
    tree = checkout.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=b"100644 prod\0short")
    with pytest.raises(GitError, match="is damaged"):
        open_repository(checkout.path).diff_trees(empty, tree)


def test_contents_are_kept_byte_for_byte(checkout: "Checkout", open_repository: "Open") -> None:
    repository = open_repository(checkout.path)
    contents = {
        "empty": b"",
        "crlf": b"a\r\nb",
        "nul": b"\0\0",
        "bin": bytes(range(256)),
        "done": b"done\n",
        "big": b"x" * 300_000,
    }
    sha = repository.commit(checkout.sha(), contents, "Ünïcode\n\nand more\n")
    assert repository.read(sha, contents) == contents
    assert repository.commits(checkout.sha(), sha)[0].message == "Ünïcode\n\nand more\n"
    assert repository.message(sha) == "Ünïcode\n\nand more\n"


def test_an_object_that_is_too_large_is_not_read_and_others_are(
    checkout: "Checkout", open_repository: "Open", monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = open_repository(checkout.path)
    sha = repository.commit(checkout.sha(), {"large": b"x" * 100_000, "small": b"y"}, "Files\n")
    monkeypatch.setattr(objects, "OBJECT_LIMIT", 2000)
    with pytest.raises(GitError, match=r"has 100000 bytes.*take it out of the repository"):
        repository.read(sha, ["large", "small"])
    assert repository.read(sha, ["small"]) == {"small": b"y"}


def test_many_files_make_one_commit_in_one_command(checkout: "Checkout", open_repository: "Open") -> None:
    repository = open_repository(checkout.path)
    before = repository.commands
    edits: Mapping[str, bytes] = {f"d{i % 7}/f{i}.yaml": MARKED.encode() for i in range(500)}
    sha = repository.commit(checkout.sha(), edits, "Many\n")
    assert repository.commands == before + 1
    assert repository.grep(sha, ["webshop:webui"], [f"d{i}" for i in range(7)]) == sorted(edits)
    assert len(repository.read(sha, edits)) == 500


# -- finding


@pytest.mark.parametrize(
    ("pathspec", "expected"),
    [
        (":(glob)webshop/dev/**/*.yaml", "webshop/dev/*.yaml"),
        (":(glob)**/*.yml", "*.yml"),
        (":(glob)webshop/dev/**/Kustomization", ""),
        (":(glob)webshop/*/dev/**/*.yaml", ""),
        (":(glob)webshop\\*/dev/**/*.yaml", ""),
        (":(glob)web:shop/**/*.yaml", ""),
        (":(glob)webshop/dev/*.yaml", ""),
        (":(literal)webshop/**/*.yaml", ""),
    ],
)
def test_a_pathspec_of_an_ending_below_a_folder_becomes_a_quicker_one(pathspec: str, expected: str) -> None:
    assert files._quick(pathspec) == (expected or pathspec)


@pytest.mark.parametrize(
    ("line", "hit"),
    [
        (MARKED, True),
        ('a: 1 # {"$imagepolicy": "webshop:webui:tag"}', True),
        ('a: 1 # {"x": "webshop:webui"}', False),
        ('a: 1 # {"$imagepolicy": "webshop:other"}', False),
        ('a: 1 # {"$imagepolicy":\n# "webshop:webui"}', False),
        (r'a: 1 # {"$imagepolicy": "webshop\u003awebui"}', True),
        (r"a: '\' # webshop:webui", False),
        ('\0 binary # {"$imagepolicy": "webshop:webui"}', True),
        ('b\xff: 1 # {"$imagepolicy": "webshop:webui"}', True),
    ],
)
def test_a_file_is_found_by_its_marker_line(line: str, hit: bool, start: "Remote", open_repository: "Open") -> None:
    sha = start.commit({"x.yaml": line.encode("latin1")})
    assert open_repository(start.clone().path).grep(sha, ["webshop:webui"]) == (["x.yaml"] if hit else [])


def test_only_manifests_are_found(start: "Remote", open_repository: "Open") -> None:
    names = [
        "a.yaml",
        "a.yml",
        "Kustomization",
        "d/Kustomization",
        "a.YAML",
        "a.md",
        "kustomization",
        "a.yaml.bak",
        "xKustomization",
    ]
    sha = start.commit(dict.fromkeys(names, MARKED))
    found = open_repository(start.clone().path).grep(sha, [])
    assert found == sorted(["a.yaml", "a.yml", "Kustomization", "d/Kustomization"])


def test_symlinks_are_not_found(start: "Remote", open_repository: "Open") -> None:
    start.commit({"real.txt": MARKED})
    checkout = start.clone()
    (checkout.path / "link.yaml").symlink_to('# {"$imagepolicy": "webshop:webui"}')
    checkout.git("add", ".")
    checkout.git("commit", "--quiet", "--message=Link")
    assert open_repository(checkout.path).grep(checkout.sha(), ["webshop:webui"]) == []


def test_paths_of_a_search_are_literal(start: "Remote", open_repository: "Open") -> None:
    sha = start.commit(
        dict.fromkeys(["a*/x.yaml", "ab/x.yaml", "a[b]/x.yaml", "A*/x.yaml", "a/x.yaml", "a/b/y.yaml"], MARKED)
    )
    repository = open_repository(start.clone().path)
    assert repository.grep(sha, [], ["a*"]) == ["a*/x.yaml"]
    assert repository.grep(sha, [], ["a[b]"]) == ["a[b]/x.yaml"]
    assert repository.grep(sha, [], ["a"]) == repository.grep(sha, [], ["a/"]) == ["a/b/y.yaml", "a/x.yaml"]
    assert repository.grep(sha, [], ["a/x.yaml", "ab"]) == ["a/x.yaml", "ab/x.yaml"]
    assert repository.grep(sha, [], ["missing"]) == []


def test_a_name_in_a_search_is_literal(start: "Remote", open_repository: "Open") -> None:
    sha = start.commit({"x.yaml": 'a: b # {"$imagepolicy": "web:ui"}\n'})
    repository = open_repository(start.clone().path)
    assert repository.grep(sha, ["web.ui"]) == []
    assert repository.grep(sha, ["-v", "web:ui"]) == ["x.yaml"]


def test_a_damaged_blob_in_a_search_is_an_error(start: "Remote", open_repository: "Open") -> None:
    sha = start.commit({"x.yaml": MARKED})
    checkout = start.clone()
    blob = checkout.sha("HEAD:x.yaml")
    for pack in (checkout.path / ".git" / "objects" / "pack").glob("*.pack"):
        data = pack.read_bytes()
        for old in (checkout.path / ".git" / "objects" / "pack").glob("*"):
            old.unlink()
        checkout.git("unpack-objects", "-q", stdin=data)
    (checkout.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(GitError, match="grep failed"):
        open_repository(checkout.path).grep(sha, ["webshop:webui"])


@pytest.mark.parametrize(
    ("mode", "content", "kind"),
    [
        ("120000", "../x.yaml", "a symbolic link"),
        ("160000", "", "a submodule"),
        (
            "100644",
            "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n",
            "a pointer to a large file (Git LFS)",
        ),
        ("100755", "a: b\n", None),
    ],
)
@pytest.mark.parametrize(
    "path", ["shop/dev/app/web.yaml", "shop/dev/web.yml", "shop/dev", "shop", "shop/dev/README.md"]
)
def test_a_manifest_that_is_no_regular_file_is_named(
    path: str, mode: str, content: str, kind: str | None, checkout: "Checkout", open_repository: "Open"
) -> None:
    blob = "1" * 40 if mode == "160000" else checkout.git("hash-object", "-w", "--stdin", stdin=content)
    checkout.git("update-index", "--add", "--cacheinfo", f"{mode},{blob},{path}")
    tree = checkout.git("write-tree")
    repository = open_repository(checkout.path)
    specs = [":(glob)shop/dev/**/*.yaml", ":(glob)shop/dev/**/*.yml"]
    readable = mode == "100755" or path.endswith(".md") or (mode == "100644" and not path.endswith(("yaml", "yml")))
    assert repository.unreadable_manifests(tree, specs) == ({} if readable else {path: kind})
    assert repository.unreadable_manifests(tree, [":(glob)shop/qa/**/*.yaml"]) == (
        {path: kind} if path == "shop" and mode in ("120000", "160000") else {}
    )


# -- reading


def test_reading_leaves_out_folders_missing_files_and_odd_names(checkout: "Checkout", open_repository: "Open") -> None:
    paths = [
        "README.md",
        "webshop",
        "webshop/",
        "",
        "./README.md",
        "../x",
        "README.md/x",
        "README.md\n",
        "a\0b",
        "/README.md",
    ]
    assert list(open_repository(checkout.path).read(checkout.sha(), paths)) == ["README.md"]


def test_reading_a_missing_commit_is_an_error(checkout: "Checkout", open_repository: "Open") -> None:
    repository = open_repository(checkout.path)
    with pytest.raises(GitError, match="fetch it first"):
        repository.read("1" * 40, ["README.md"])
    with pytest.raises(GitError, match="fetch it first"):
        repository.read_objects(["1" * 40])
    with pytest.raises(GitError, match="fetch it first"):
        repository.read(checkout.sha("HEAD:README.md"), ["README.md"])
    assert not repository.has("main")
    assert repository.has(checkout.sha())


def test_any_number_of_objects_is_read_at_once(checkout: "Checkout", open_repository: "Open") -> None:
    files = {f"{number % 7}/{number % 11}/{number}.yaml": str(number) * (number % 50) for number in range(1500)}
    files["big"] = "x" * 1_000_000
    sha = checkout.commit(files)
    repository = open_repository(checkout.path)
    paths = [*files, "nothing", "0/nothing"]
    assert repository.read(sha, paths) == {path: text.encode() for path, text in files.items()}
    shas = [checkout.sha(f"{sha}:big"), "1" * 40, *(checkout.sha(f"{sha}:0/0/{number}.yaml") for number in (0, 77))]
    with pytest.raises(GitError, match=r"the blob 1+ is not in this repository: fetch it first"):
        repository.read_objects(shas)
    # The answers that nobody waited for do not count as those of the next question.
    assert repository.read(f"{sha}", ["0/0/77.yaml"]) == {"0/0/77.yaml": b"77" * 27}
    tree = checkout.sha(f"{sha}^{{tree}}")
    assert repository.read(tree, ["0/0/77.yaml"]) == {"0/0/77.yaml": b"77" * 27}


def test_a_lost_blob_is_an_error_and_not_a_missing_file(checkout: "Checkout", open_repository: "Open") -> None:
    sha = checkout.commit({"a.yaml": "lost\n"})
    blob = checkout.sha(f"{sha}:a.yaml")
    pack = checkout.git("rev-parse", "--git-path", f"objects/{blob[:2]}/{blob[2:]}")
    (checkout.path / pack).unlink()
    with pytest.raises(GitError, match=f"the blob {blob} is not in this repository"):
        open_repository(checkout.path).read(sha, ["README.md", "a.yaml"])


def test_a_submodule_has_no_content_and_a_link_its_target(checkout: "Checkout", open_repository: "Open") -> None:
    blob = checkout.git("hash-object", "-w", "--stdin", stdin="../qa/webui.yaml")
    listed = f"120000 blob {blob}\tlink.yaml\n160000 commit {'1' * 40}\tsub.yaml\n"
    tree = checkout.git("mktree", stdin=listed)
    found = open_repository(checkout.path).read(tree, ["link.yaml", "sub.yaml", "sub.yaml/x", "link.yaml/x"])
    assert found == {"link.yaml": b"../qa/webui.yaml"}


def test_a_diff_shows_deletions_additions_modes_and_no_renames(remote: "Remote", open_repository: "Open") -> None:
    base = remote.sha("main")
    text = remote.show("README.md", base)
    sha = remote.commit({"README.md": None, "READYOU.md": text, "webshop/dev/webui.yaml": "x\n"})
    repository = open_repository(remote.clone().path)
    blob = remote.sha(f"{base}:README.md")
    assert repository.diff_trees(base, sha) == [
        FileChange(path="README.md", old=blob, new=None),
        FileChange(path="READYOU.md", old=None, new=blob),
        FileChange(
            path="webshop/dev/webui.yaml",
            old=remote.sha(f"{base}:webshop/dev/webui.yaml"),
            new=remote.sha(f"{sha}:webshop/dev/webui.yaml"),
        ),
    ]
    assert repository.diff_trees(sha, sha) == []


@pytest.mark.parametrize("init", [(), ("--object-format=sha256",)], ids=["sha1", "sha256"])
def test_a_diff_is_that_of_git_whatever_kind_an_entry_was_and_is(
    init: tuple[str, ...], make_remote: "MakeRemote", open_repository: "Open"
) -> None:
    checkout = make_remote({"a": "1"}, init=init).clone()
    blobs = [checkout.git("hash-object", "-w", "--stdin", stdin=text) for text in ("1", "2")]
    folders = [checkout.git("mktree", stdin=f"100644 blob {blob}\tx\n") for blob in blobs]
    commit = checkout.sha()
    entries = [None, *(f"{mode} blob {blob}" for mode in ("100644", "100755", "120000") for blob in blobs)]
    entries += [f"160000 commit {commit}", *(f"040000 tree {folder}" for folder in folders)]
    pairs = list(itertools.product(entries, entries))
    rows = [[f"{pair[side]}\t{number}" for number, pair in enumerate(pairs) if pair[side]] for side in (0, 1)]
    # A name that sorts before the files in the folder `0`, and one that is no UTF-8.
    rows[1] += [f"100644 blob {blobs[0]}\t{name}" for name in ("0.ü", "\udcff")]
    old, new = (checkout.git("mktree", "--missing", stdin=os.fsencode("\n".join(side) + "\n")) for side in rows)
    listed = os.fsencode(checkout.git("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", old, new))
    changes = open_repository(checkout.path).diff_trees(old, new)
    modes = [(change, change.old_mode, change.new_mode, change.old_kind, change.new_kind) for change in changes]
    assert modes == [(c, c.old_mode, c.new_mode, c.old_kind, c.new_kind) for c in read_changes(listed)]


@pytest.mark.parametrize("written", ["040000", "0120000", "100664", "0100755"])
def test_a_diff_reads_modes_as_git_does_however_they_are_written(
    written: str, checkout: "Checkout", open_repository: "Open"
) -> None:
    blob = checkout.git("hash-object", "-w", "--stdin", stdin="x")
    is_folder = written == "040000"
    target = checkout.git("mktree", stdin=f"100644 blob {blob}\tx\n") if is_folder else blob
    kind = "040000 tree" if is_folder else "100644 blob"
    empty = checkout.git("mktree")
    old = checkout.git("mktree", stdin=f"{kind} {empty if is_folder else blob}\tprod\n")
    content = f"{written} prod\0".encode() + bytes.fromhex(target)
    new = checkout.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=content)
    listed = checkout.git("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", old, new)
    repository = open_repository(checkout.path)
    assert repository.diff_trees(old, new) == read_changes(listed.encode())
    assert list(repository.read(new, ["prod/x" if is_folder else "prod"]).values()) == [b"x"]


@pytest.mark.parametrize("written", ["", "x", "-100644", "10064410", "\u0661"])
def test_a_tree_with_a_mode_that_is_none_is_one_clear_line(
    written: str, checkout: "Checkout", open_repository: "Open"
) -> None:
    blob = checkout.git("hash-object", "-w", "--stdin", stdin="x")
    empty = checkout.git("mktree")
    content = f"{written} prod\0".encode() + bytes.fromhex(blob)
    new = checkout.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=content)
    with pytest.raises(GitError, match="malformed mode"):
        open_repository(checkout.path).diff_trees(empty, new)


@pytest.mark.parametrize("init", [(), ("--object-format=sha256",)], ids=["sha1", "sha256"])
@pytest.mark.parametrize("content", [b"", b"{}\n", b"\0" * 100_000], ids=["empty", "record", "long"])
def test_a_blob_is_stored_as_git_stores_it(
    init: tuple[str, ...], content: bytes, make_remote: "MakeRemote", open_repository: "Open"
) -> None:
    remote = make_remote({"a": "1"}, init=init)
    repository = open_repository(remote.clone().path)
    blob = repository.write_blob(content)
    assert blob == remote.git("hash-object", "--stdin", stdin=content)
    assert repository.read_objects([blob]) == {blob: content}
    assert repository.write_blob(content) == blob
    repository.push([RefUpdate(ref="refs/gitops-promotion/pulls/1", new=blob, expected=None)])
    assert remote.sha("refs/gitops-promotion/pulls/1") == blob


def test_a_blob_without_space_is_an_error_with_a_next_step(
    checkout: "Checkout", open_repository: "Open", monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = open_repository(checkout.path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(GitError, match=r"No space left on device\): free space there, or set TMPDIR to another"):
        repository.write_blob(b"{}")


# -- who and when


def signature(checkout: "Checkout", repository: Repository) -> list[str]:
    base = checkout.sha("origin/main")
    one = repository.commit(base, {"a": b"1"}, "Change\n")
    two = repository.commit(base, {"b": b"1"}, "Change\n")
    merged = repository.merge(one, two, "Merge\n").sha
    repository.push([RefUpdate(ref="refs/heads/p", new=merged, expected=None)])
    checkout.git("fetch", "--quiet", "origin", "p")
    shown = checkout.git("log", "-2", "--format=%an <%ae> %aI | %cn <%ce> %cI", "--first-parent", "FETCH_HEAD").split(
        "\n"
    )
    assert shown[0] == shown[1]  # a merge commit is signed like any other
    return shown[0].split(" | ")


def test_commits_are_by_the_given_identity_at_the_given_time(checkout: "Checkout", open_repository: "Open") -> None:
    repository = open_repository(checkout.path)
    repository.set_commits(author=Identity(name="Bot", email="bot@example.com"), signed=True)
    assert signature(checkout, repository) == ["Bot <bot@example.com> 2026-03-01T12:00:00+00:00"] * 2


def test_the_identity_can_be_given_once_the_configuration_is_known(
    checkout: "Checkout", open_repository: "Open"
) -> None:
    repository = open_repository(checkout.path)
    repository.set_commits(author=Identity(name="B<o>t\nX", email="<bot@example.com>"), signed=True)
    assert signature(checkout, repository)[0].startswith("BotX <bot@example.com> ")


def test_without_an_identity_commits_are_by_that_of_git(
    checkout: "Checkout", open_repository: "Open", environ: dict[str, str]
) -> None:
    checkout.git("config", "user.name", "Local")
    checkout.git("config", "committer.email", "committer@example.com")
    repository = open_repository(checkout.path, environ=environ | {"GIT_AUTHOR_NAME": "Env"})
    author, committer = signature(checkout, repository)
    assert author.startswith("Env <dev@example.com> ")
    assert committer.startswith("Local <committer@example.com> ")


def test_without_any_identity_commits_are_by_the_default(
    checkout: "Checkout", open_repository: "Open", environ: dict[str, str], tmp_path: Path
) -> None:
    who = f"{DEFAULT_IDENTITY.name} <{DEFAULT_IDENTITY.email}> "
    shown = signature(checkout, open_repository(checkout.path, environ=environ | {"GIT_CONFIG_GLOBAL": "/dev/null"}))
    assert shown[0].startswith(who) and shown[1].startswith(who)
