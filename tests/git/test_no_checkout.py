"""A repository by its address: only what is needed is fetched, with a cache that others use and delete meanwhile."""

import os
import shutil
import stat
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion.core.commits import RefUpdate
from gitops_promotion.errors import GitError, UsageError
from gitops_promotion.git import NoCheckout, Repository
from gitops_promotion.git import cache as cache_module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Remote

    OpenUrl = Callable[..., Repository]

DEV = "webshop/dev/webui.yaml"
MAIN = "refs/heads/main"


@pytest.fixture
def server(remote: "Remote") -> "Remote":
    """The webshop on a server that can leave out the contents of files, with a history of three commits."""
    remote.git("config", "uploadpack.allowFilter", "true")
    for number in range(2):
        remote.commit({f"notes/{number}.txt": f"{number}\n" * 1000}, f"Note {number}")
    return remote


@pytest.fixture
def open_url(environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Iterator[OpenUrl]":
    """Open a repository by its address; a second one ends the first. The temporary folder is empty in the end."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    with ExitStack() as stack:

        def open_one(url: str, *, cache_dir: Path | None = None, **options: Any) -> Repository:
            stack.close()
            place = NoCheckout(url=url, cache_dir=cache_dir)
            folder = stack.enter_context(place.checkout())
            defaults: dict[str, Any] = {"environ": environ, "no_checkout": place}
            return stack.enter_context(Repository.open(folder, **(defaults | options)))

        yield open_one
    assert list(scratch.iterdir()) == []


def promote(repository: Repository, tag: bytes = b"1.1.0") -> str:
    tip = repository.fetch(MAIN)[MAIN]
    assert repository.grep(tip, ["webshop:webui"], ["webshop/dev"]) == [DEV]
    text = repository.read(tip, [DEV])[DEV]
    sha = repository.commit(tip, {DEV: text.replace(b"1.0.0", tag)}, "Promote\n")
    repository.push([RefUpdate(ref=f"refs/heads/promote/{tag.decode()}", new=sha, expected=None)])
    return sha


def blobs_here(repository: Repository) -> int:
    lines = repository._private.lines("cat-file", "--batch-all-objects", "--batch-check")
    return sum(" blob " in line for line in lines)


def test_a_promotion_fetches_trees_and_the_files_in_question_in_few_processes(
    server: "Remote", open_url: "OpenUrl"
) -> None:
    notes: list[str] = []
    repository = open_url(server.path.as_uri(), tell=notes.append)
    sha = promote(repository)
    assert server.sha("promote/1.1.0") == sha
    assert "webui:1.1.0" in server.show(DEV, sha)
    assert blobs_here(repository) == 2, "the file in question, and the new one"
    # config, fetch, diff-tree, fetch of one file, grep, cat-file, push
    assert repository.commands - 1 <= 7
    assert repository.shallow
    assert len(repository.history(sha, ["webshop"], 100)) == 2
    assert repository.deepen(100)
    assert len(repository.history(sha, ["webshop"], 100)) == 4
    assert notes == []


def test_a_merge_has_the_files_that_either_side_changed(server: "Remote", open_url: "OpenUrl") -> None:
    lines = [f"line {number}\n" for number in range(40)]
    server.commit({"a.txt": "".join(lines)}, "Add a file")
    server.git("branch", "side", "main")
    server.commit({"b.txt": "".join(["first\n", *lines]), "a.txt": None}, "Rename it", branch="side")
    server.commit({"a.txt": "".join([*lines, "last\n"])}, "Change it")
    repository = open_url(server.url)
    main, side = repository.fetch(MAIN, "refs/heads/side").values()
    tree = repository.merge_result(main, side)
    assert tree
    assert repository.read(tree, ["a.txt", "b.txt"]) == {"b.txt": "".join(["first\n", *lines, "last\n"]).encode()}


@pytest.mark.parametrize(
    ("settings", "protocol", "said"),
    [
        ({"uploadpack.allowFilter": "false"}, "2", "cannot leave out the contents of files"),
        ({"uploadpack.allowFilter": "false"}, "0", "cannot leave out the contents of files"),
        ({"uploadpack.allowFilter": "true"}, "0", "does not give single files"),
        ({"uploadpack.allowFilter": "true", "uploadpack.allowAnySHA1InWant": "true"}, "0", ""),
    ],
)
def test_a_server_that_cannot_leave_out_or_give_single_files_gives_all_and_that_is_said(
    settings: dict[str, str], protocol: str, said: str, server: "Remote", open_url: "OpenUrl", environ: dict[str, str]
) -> None:
    for key, value in settings.items():
        server.git("config", key, value)
    notes: list[str] = []
    variables = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "protocol.version", "GIT_CONFIG_VALUE_0": protocol}
    repository = open_url(server.path.as_uri(), tell=notes.append, environ=environ | variables)
    promote(repository)
    assert [said in note for note in notes] == [True] * bool(said)
    assert (blobs_here(repository) == 2) == (not said)


def test_a_path_begins_at_the_current_folder(
    server: "Remote", open_url: "OpenUrl", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(server.path.parent)
    repository = open_url(server.path.name)
    assert repository.url == str(server.path)
    assert repository.refs().default_branch == "main"


def test_an_address_that_is_not_accepted_starts_no_process() -> None:
    with pytest.raises(UsageError, match="--repo names a transport that is not allowed: give an address of https"):
        NoCheckout(url="ext::sh -c touch% /tmp/x")


# The cache


def packs(folder: Path) -> set[str]:
    return {file.name for file in folder.rglob("*.pack")}


def test_the_next_run_fetches_only_what_is_new(server: "Remote", open_url: "OpenUrl", tmp_path: Path) -> None:
    cache = tmp_path / "caches" / "mine"
    promote(open_url(server.url, cache_dir=cache), b"1.1.0")
    before = open_url(server.url, cache_dir=cache)._private.folder
    assert packs(before) == packs(cache)
    tip = server.commit({"notes/9.txt": "9\n"}, "Note 9")
    repository = open_url(server.url, cache_dir=cache)
    kept = packs(cache)
    count = repository.commands
    assert repository.fetch(MAIN)[MAIN] == tip
    assert repository.read(tip, [DEV])
    assert repository.commands - count == 2, "one fetch and one reader: the file was here"
    (new,) = packs(repository._private.folder) - kept
    size = (repository._private.folder / "objects/pack" / new).stat().st_size
    assert size < 600, "a commit and two trees"


def test_the_folder_of_a_cache_is_for_its_owner_and_for_one_address(
    server: "Remote", open_url: "OpenUrl", tmp_path: Path
) -> None:
    for url in (server.url, server.path.as_uri()):
        promote(open_url(url, cache_dir=tmp_path / "cache"), url[:4].strip("/").encode() + b"1")
    open_url(server.url).close()
    folders = list((tmp_path / "cache").iterdir())
    assert len(folders) == 2
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


@pytest.mark.parametrize("mode", [0o770, 0o701, 0o755])
def test_a_cache_that_others_can_use_is_refused(
    mode: int, server: "Remote", open_url: "OpenUrl", tmp_path: Path
) -> None:
    place = NoCheckout(url=server.url, cache_dir=tmp_path / "cache")
    assert place.cache
    place.cache.folder.mkdir(parents=True)
    place.cache.folder.chmod(mode)
    with pytest.raises(UsageError, match=r"is not yours alone: delete it, or name another folder with --cache-dir"):
        open_url(server.url, cache_dir=tmp_path / "cache")


@pytest.mark.parametrize(("mode", "refused"), [(0o777, True), (0o703, True), (0o1777, False), (0o755, False)])
def test_a_cache_in_a_folder_where_everybody_may_rename_it_is_refused(
    mode: int, refused: bool, server: "Remote", tmp_path: Path
) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(mode)
    cache = NoCheckout(url=server.url, cache_dir=tmp_path / "cache").cache
    assert cache
    with pytest.raises(UsageError, match=r"everybody may write to .*, and so replace") if refused else nullcontext():
        cache._prepare()


def test_a_link_in_the_place_of_a_cache_is_refused(server: "Remote", open_url: "OpenUrl", tmp_path: Path) -> None:
    place = NoCheckout(url=server.url, cache_dir=tmp_path / "cache")
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "cache").mkdir()
    assert place.cache
    place.cache.folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="not yours alone"):
        open_url(server.url, cache_dir=tmp_path / "cache")


def test_a_cache_that_is_a_file_is_a_usage_error(server: "Remote", open_url: "OpenUrl", tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(UsageError, match="cannot be used"):
        open_url(server.url, cache_dir=tmp_path / "cache")


@pytest.mark.parametrize("when", ["between runs", "in a run", "in part", "state only", "damaged"])
def test_a_cache_may_be_deleted_at_any_time(when: str, server: "Remote", open_url: "OpenUrl", tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    promote(open_url(server.url, cache_dir=cache), b"1.1.0")
    open_url(server.url, cache_dir=tmp_path / "other")
    (folder,) = cache.iterdir()
    repository = open_url(server.url, cache_dir=cache) if when == "in a run" else None
    if when in ("between runs", "in a run"):
        shutil.rmtree(cache)
    elif when == "in part":
        next(folder.glob("*.idx")).unlink()
    elif when == "state only":
        (folder / "state").unlink()
    else:
        (folder / "state").write_text('{"tip": 1}')
    promote(repository or open_url(server.url, cache_dir=cache), b"1.2.0")
    open_url(server.url, cache_dir=cache)
    assert packs(cache)


def test_two_runs_at_once_leave_a_cache_that_is_whole(server: "Remote", open_url: "OpenUrl", tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with ExitStack() as stack:
        places = [NoCheckout(url=server.url, cache_dir=cache) for _ in range(2)]
        first, second = (
            stack.enter_context(
                Repository.open(stack.enter_context(place.checkout()), environ=dict(os.environ), no_checkout=place)
            )
            for place in places
        )
        old = first.fetch(MAIN)[MAIN]
        tip = server.commit({DEV: "image: a\n"}, "Change")
        assert second.fetch(MAIN)[MAIN] == tip
        first.read(old, [DEV])
        second.read(tip, [DEV])
        first.close()
        second.close()
    repository = open_url(server.url, cache_dir=cache)
    assert repository.fetch(MAIN)[MAIN] == tip
    count = repository.commands
    assert repository.read(tip, [DEV]) == {DEV: b"image: a\n"}
    assert repository.commands - count <= 1


def test_a_cache_with_many_packs_begins_anew(
    server: "Remote", open_url: "OpenUrl", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "MAX_PACKS", 1)
    cache = tmp_path / "cache"
    promote(open_url(server.url, cache_dir=cache))
    open_url(server.url)
    assert packs(cache) == set()
    promote(open_url(server.url, cache_dir=cache), b"1.2.0")


def test_a_commit_of_the_cache_can_be_followed_back(server: "Remote", open_url: "OpenUrl", tmp_path: Path) -> None:
    """The cache has a branch's newest commit alone; its history is fetched all the same."""
    cache = tmp_path / "cache"
    base = server.sha("main")
    server.git("branch", "side", "main")
    head = ""
    for number in range(3):
        head = server.commit({f"side/{number}": "1\n"}, f"Side {number}", branch="side")
    repository = open_url(server.url, cache_dir=cache)
    repository.fetch(MAIN, "refs/heads/side")
    repository = open_url(server.url, cache_dir=cache)
    tip = repository.fetch(MAIN)[MAIN]
    assert repository.fetch_commit(head)
    assert repository.diff_from_merge_base(tip, head)[0] == base


def test_a_server_of_files_alone_is_an_error_with_a_next_step(server: "Remote", open_url: "OpenUrl") -> None:
    with pytest.raises(GitError, match=": "):
        open_url(str(server.path / "objects")).refs()
