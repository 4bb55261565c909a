"""`set-tag` on real files: the files it reads, and that it replaces all of them or none."""

import errno
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_promotion.commands.set_tag import set_tag
from gitops_promotion.core.model import Outcome
from gitops_promotion.errors import ManifestError, UsageError

LINE = 'tag: {}  # {{"$imagepolicy": "webshop:{}:tag"}}\n'
OLD = LINE.format("v1", "webui")
NEW = LINE.format("v2", "webui")


def stamp(path: Path) -> tuple[int, int, int]:
    """Return what changes when a file is written; reading it may change its time of access."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


def contents(root: Path) -> dict[str, str]:
    return {str(p.relative_to(root)): p.read_bytes().decode() for p in sorted(root.rglob("*")) if p.is_file()}


def run(*paths: Path, dry_run: bool = False, tag: str = "v2", image: str = "") -> Outcome:
    return set_tag(paths, group="webshop", app="webui", tag=tag, image=image, dry_run=dry_run)


def test_the_manifests_of_a_folder_are_set_and_no_other_file(tmp_path: Path) -> None:
    files = {
        "a.yaml": OLD,
        "dev/b.yml": "x: y\r\n" + OLD,
        "dev/Kustomization": OLD,
        ".hidden/c.yaml": OLD,
        "other.yaml": LINE.format("v1", "cart"),
        "notes.md": OLD,
        "kustomization": OLD,
        ".git/d.yaml": OLD,
        "sub/.git/e.yaml": OLD,
    }
    write(tmp_path, files)
    outcome = run(tmp_path)
    changed = {"a.yaml", "dev/b.yml", "dev/Kustomization", ".hidden/c.yaml"}
    assert contents(tmp_path) == {n: t.replace(OLD, NEW) if n in changed else t for n, t in files.items()}
    assert outcome.result == "updated"
    assert (outcome.group, outcome.app, outcome.tag, outcome.previous_tag) == (
        "webshop",
        "webui",
        "v2",
        "v1",
    )
    assert outcome.exit_code == 0


def test_paths_in_the_current_folder_are_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"dev/a.yaml": OLD})
    monkeypatch.chdir(tmp_path)
    outcome = run(Path())
    assert outcome.message == "dev/a.yaml"
    assert outcome.diff == f"--- a/dev/a.yaml\n+++ b/dev/a.yaml\n@@ -1 +1 @@\n-{OLD}+{NEW}"


def test_a_dry_run_shows_the_diff_and_writes_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": OLD})
    before = stamp(tmp_path / "a.yaml")
    outcome = run(tmp_path, dry_run=True)
    assert outcome.result == "planned"
    assert f"-{OLD}+{NEW}" in outcome.diff
    assert contents(tmp_path) == {"a.yaml": OLD}
    assert stamp(tmp_path / "a.yaml") == before


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": OLD})
    run(tmp_path)
    before = stamp(tmp_path / "a.yaml")
    outcome = run(tmp_path)
    assert (outcome.result, outcome.diff) == ("unchanged", "")
    assert stamp(tmp_path / "a.yaml") == before


def test_a_single_file_of_any_name_is_read_alone(tmp_path: Path) -> None:
    write(tmp_path, {"values.txt": OLD, "b.yaml": OLD})
    run(tmp_path / "values.txt")
    assert contents(tmp_path) == {"values.txt": NEW, "b.yaml": OLD}


def test_a_file_reached_twice_is_set_once(tmp_path: Path) -> None:
    write(tmp_path, {"d/a.yaml": OLD})
    outcome = run(tmp_path, tmp_path / "d" / "a.yaml", tmp_path / "d" / ".." / "d")
    assert outcome.diff.count("--- a/") == 1
    assert contents(tmp_path) == {"d/a.yaml": NEW}


def test_links_are_not_followed_and_stay_links(tmp_path: Path) -> None:
    write(tmp_path, {"out/a.yaml": OLD, "in/b.yaml": OLD})
    (tmp_path / "in" / "link.yaml").symlink_to("../out/a.yaml")
    (tmp_path / "in" / "folder").symlink_to("../out")
    (tmp_path / "in" / "broken.yaml").symlink_to("nowhere")
    run(tmp_path / "in")
    assert (tmp_path / "out" / "a.yaml").read_text() == OLD
    assert (tmp_path / "in" / "b.yaml").read_text() == NEW
    assert (tmp_path / "in" / "link.yaml").is_symlink()
    with pytest.raises(UsageError, match=r"link\.yaml is a symbolic link: name the file it points to"):
        run(tmp_path / "in" / "link.yaml")
    with pytest.raises(UsageError, match=r"broken\.yaml is a symbolic link"):
        run(tmp_path / "in" / "broken.yaml")


def test_a_pipe_with_the_name_of_a_manifest_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": OLD})
    os.mkfifo(tmp_path / "pipe.yaml")
    assert run(tmp_path).result == "updated"


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o755])
def test_the_mode_of_a_file_stays(tmp_path: Path, mode: int) -> None:
    write(tmp_path, {"a.yaml": OLD})
    (tmp_path / "a.yaml").chmod(mode)
    run(tmp_path)
    assert (tmp_path / "a.yaml").read_text() == NEW
    assert (tmp_path / "a.yaml").stat().st_mode & 0o7777 == mode


def test_a_file_is_replaced_and_never_truncated_under_its_readers(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": OLD})
    with (tmp_path / "a.yaml").open() as reader:
        run(tmp_path)
        assert reader.read() == OLD


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_of_a_file_stays(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": OLD})
    os.chown(tmp_path / "a.yaml", 12345, 12345)
    run(tmp_path)
    assert ((tmp_path / "a.yaml").stat().st_uid, (tmp_path / "a.yaml").read_text()) == (12345, NEW)


def test_a_full_disk_is_one_error_and_leaves_every_file_as_it_was(tmp_path: Path) -> None:
    files = {"a.yaml": OLD, "b.yaml": "# " + "x" * 8000 + "\n" + OLD}
    write(tmp_path, files)
    script = textwrap.dedent("""
        import resource, sys
        from pathlib import Path
        from gitops_promotion.commands.set_tag import set_tag
        from gitops_promotion.errors import ManifestError
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
        try:
            set_tag([Path(sys.argv[1])], group="webshop", app="webui", tag="v2")
        except ManifestError as error:
            sys.stdout.write(str(error))
    """)
    ran = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert ran.stdout == (
        f"{tmp_path}/b.yaml: cannot be written: File too large: make the file and its folder writable"
    )
    assert contents(tmp_path) == files


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
@pytest.mark.parametrize(
    ("failure", "failing"), [("busy", "a.yaml"), ("busy", "b.yaml"), ("busy", "c.yaml"), ("interrupt", "b.yaml")]
)
def test_the_files_are_restored_if_one_cannot_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str, failing: str, links: bool
) -> None:
    files = {"a.yaml": OLD, "b.yaml": OLD, "c.yaml": OLD}
    write(tmp_path, files)
    (tmp_path / "a.yaml").chmod(0o640)
    inode = (tmp_path / "a.yaml").stat().st_ino
    replace = Path.replace

    def failing_at_one_file(self: Path, target: str | Path) -> Path:
        if Path(target).name == failing:
            if failure == "busy":
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
            monkeypatch.setattr(Path, "replace", replace)
            replace(self, target)
            raise KeyboardInterrupt
        return replace(self, target)

    def no_links(self: Path, target: Path) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Path, "replace", failing_at_one_file)
    if not links:
        monkeypatch.setattr(Path, "hardlink_to", no_links)
    with pytest.raises((ManifestError, KeyboardInterrupt)) as error:
        run(tmp_path)
    if failure == "busy":
        assert str(error.value).startswith(f"{tmp_path}/{failing}: cannot be written: Device or resource busy")
    assert contents(tmp_path) == files
    assert (tmp_path / "a.yaml").stat().st_mode & 0o777 == 0o640
    if links:
        assert (tmp_path / "a.yaml").stat().st_ino == inode, "the file itself comes back"


def test_a_file_that_cannot_be_restored_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"a.yaml": OLD, "b.yaml": OLD})
    replace = Path.replace
    replaced: list[Path] = []

    def fail_after_the_first(self: Path, target: str | Path) -> Path:
        if replaced:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        replaced.append(replace(self, target))
        return replaced[0]

    monkeypatch.setattr(Path, "replace", fail_after_the_first)
    with pytest.raises(ManifestError, match=r"a\.yaml: has the new content and cannot be restored: Read-only.*by hand"):
        run(tmp_path)
    assert contents(tmp_path) == {"a.yaml": NEW, "b.yaml": OLD}


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder, in a test that does not run as root: root may read and write everything."""
    user_id = 65534
    with tempfile.TemporaryDirectory() as folder:
        if os.geteuid():
            yield Path(folder)
            return
        os.chown(folder, user_id, -1)
        os.setresuid(user_id, user_id, 0)
        try:
            yield Path(folder)
        finally:
            os.setresuid(0, 0, 0)


@pytest.mark.parametrize("unwritable", ["a.yaml", "."])
def test_an_unwritable_file_or_folder_is_one_error(unprivileged: Path, unwritable: str) -> None:
    write(unprivileged, {"a.yaml": OLD})
    mode = (unprivileged / unwritable).stat().st_mode
    (unprivileged / unwritable).chmod(mode & ~0o222)
    with pytest.raises(ManifestError, match=r"a\.yaml: cannot be written: Permission denied: make the file"):
        run(unprivileged)
    (unprivileged / unwritable).chmod(mode)
    assert contents(unprivileged) == {"a.yaml": OLD}


@pytest.mark.parametrize("unreadable", ["b.yaml", "d"])
def test_an_unreadable_file_or_folder_is_an_error(unprivileged: Path, unreadable: str) -> None:
    write(unprivileged, {"a.yaml": OLD, "b.yaml": OLD, "d/c.yaml": OLD})
    mode = (unprivileged / unreadable).stat().st_mode
    (unprivileged / unreadable).chmod(0)
    with pytest.raises(ManifestError, match="cannot be read: Permission denied"):
        run(unprivileged)
    (unprivileged / unreadable).chmod(mode)
    assert set(contents(unprivileged).values()) == {OLD}


def test_an_error_in_one_file_leaves_the_others_as_they_were(tmp_path: Path) -> None:
    files = {"a.yaml": OLD, "b.yaml": OLD + "x: [\n"}
    write(tmp_path, files)
    with pytest.raises(ManifestError, match=r"b\.yaml:3: not valid YAML"):
        run(tmp_path)
    assert contents(tmp_path) == files


def test_b2_no_marker_is_an_error_that_names_the_place_and_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": LINE.format("v1", "web-ui"), "b.yaml": "x: y"})
    with pytest.raises(ManifestError) as error:
        run(tmp_path)
    assert f"webshop:webui in {tmp_path}:" in str(error.value)
    assert "did you mean webshop:web-ui?" in str(error.value)


def test_a_misplaced_marker_is_a_warning_of_the_outcome(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": '# {"$imagepolicy": "webshop:webui"}\n' + OLD})
    (warning,) = run(tmp_path).warnings
    assert warning.startswith(f"{tmp_path}/a.yaml:1: the marker of webshop:webui has no effect: ")


def test_digest_and_image_are_set_too(tmp_path: Path) -> None:
    digest = "sha256:" + "a" * 64
    write(tmp_path, {"a.yaml": 'image: a/b:v1 # {"$imagepolicy": "webshop:webui"}\n'})
    run(tmp_path, tag=f"v2@{digest}", image="reg:5000/c")
    expected = f'image: reg:5000/c:v2@{digest} # {{"$imagepolicy": "webshop:webui"}}\n'
    assert (tmp_path / "a.yaml").read_text() == expected


def test_a_new_image_name_where_no_marker_holds_the_tag_reports_no_tag(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": 'repository: a/b # {"$imagepolicy": "webshop:webui:name"}\n'})
    outcome = run(tmp_path, image="reg:5000/c")
    assert (tmp_path / "a.yaml").read_text() == 'repository: reg:5000/c # {"$imagepolicy": "webshop:webui:name"}\n'
    assert (outcome.result, outcome.tag, outcome.previous_tag) == ("updated", "", "")
    (warning,) = outcome.warnings
    assert "a.yaml:1: no marker of webshop:webui holds its tag" in warning


def test_a_digest_that_no_marker_can_hold_leaves_the_files_as_they_are(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": OLD})
    with pytest.raises(ManifestError, match="cannot hold the digest of v1@sha256:a"):
        run(tmp_path, tag="v1@sha256:" + "a" * 64)
    assert contents(tmp_path) == {"a.yaml": OLD}


def test_paths_that_do_not_exist_are_an_error(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": OLD})
    with pytest.raises(UsageError, match="nowhere is neither a file nor a folder: name one that exists"):
        run(tmp_path, tmp_path / "nowhere")
    assert contents(tmp_path) == {"a.yaml": OLD}


@pytest.mark.parametrize(
    ("group", "app", "tag", "image"),
    [
        ("../x", "a", "v", ""),
        ("g", "a b", "v", ""),
        ("g", "a", "a/b", ""),
        ("g", "a", "a:b", ""),
        ("g", "a", "v", "a:1"),
    ],
)
def test_names_and_tags_are_checked_first(tmp_path: Path, group: str, app: str, tag: str, image: str) -> None:
    with pytest.raises(UsageError):
        set_tag([tmp_path], group=group, app=app, tag=tag, image=image)
