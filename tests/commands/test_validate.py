"""`validate`, through the real command line: which files it reads, its formats and its exit codes."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gitops_promotion import cli

Validate = Callable[..., tuple[int, str, str]]

CONFIG = "environments: [{name: dev, auto: true}, {name: prod}]\n"
MARKED = 'image: ghcr.io/acme/web:1.0.0 # {"$imagepolicy": "shop:web"}\n'
MISSPELLED = 'image: ghcr.io/acme/web:1.0.0 # {"$ImagePolicy": "shop:web"}\n'
GOOD = {"gitops-promotion.yaml": CONFIG, "shop/dev/web.yaml": MARKED, "shop/prod/web.yaml": MARKED}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository without a remote and without a commit."""
    folder = tmp_path / "gitops"
    for name in ("objects", "refs"):
        (folder / ".git" / name).mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / ".git" / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = false\n")
    write(folder, GOOD)
    return folder


def write(folder: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


@pytest.fixture
def validate(root: Path, capsys: pytest.CaptureFixture[str]) -> Validate:
    """Run `validate` and return its exit code, stdout and stderr."""

    def run(*more: str, sourcedir: Path = root) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["validate", "--sourcedir", str(sourcedir), *more])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def test_a_good_repository_has_no_finding_from_any_of_its_folders(root: Path, validate: Validate) -> None:
    assert validate(sourcedir=root / "shop" / "dev") == (0, "3 YAML files: no problem found\n", "")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("gitops-promotion.holds.yaml", "GP405: the file of holds is a symbolic link"),
        ("gitops-promotion.yaml", "GP001: the configuration is a symbolic link"),
    ],
)
def test_a_link_in_place_of_the_configuration_or_the_holds_is_an_error(
    name: str, line: str, root: Path, validate: Validate
) -> None:
    (root / "real.yaml").write_text("holds: []\n")
    (root / name).unlink(missing_ok=True)
    (root / name).symlink_to("real.yaml")
    code, out, _ = validate()
    assert (code, f"{name}:1: error {line}\n    make it a file\n" in out) == (2, True), out


def test_a_folder_in_place_of_the_file_of_holds_is_an_error(root: Path, validate: Validate) -> None:
    write(root, {"gitops-promotion.holds.yaml/webshop.yaml": "holds: []\n"})
    code, out, _ = validate()
    line = "gitops-promotion.holds.yaml:1: error GP405: the file of holds is a folder\n    make it a file\n"
    assert (code, line in out) == (2, True), out


def test_files_that_git_would_track_count_and_ignored_ones_and_links_do_not(root: Path, validate: Validate) -> None:
    write(root, {".gitignore": "ignored/\n", "ignored/a.yaml": MISSPELLED, "untracked/b.yml": MISSPELLED})
    (root / "link.yaml").symlink_to("untracked/b.yml")
    code, out, _ = validate("--format", "json")
    assert (code, [finding["file"] for finding in json.loads(out)["findings"]]) == (2, ["untracked/b.yml"])


def test_a_warning_ends_with_2_only_if_it_is_strict(root: Path, validate: Validate) -> None:
    write(root, {"shop/dev/cart.yaml": f"# {MARKED}"})
    code, out, err = validate()
    assert (code, err) == (0, "")
    assert out == (
        "shop/dev/cart.yaml:1: warning GP202: the line with this marker is commented out, and sets nothing\n"
        "    remove the line, or its first #\n"
        "4 YAML files: 1 warning (exit code 2 with --strict)\n"
    )
    assert validate("--strict")[0] == 2


def test_every_format_has_the_finding_and_its_place(root: Path, validate: Validate) -> None:
    write(root, {"shop/dev/cart.yaml": MISSPELLED})
    [finding] = json.loads(validate("--format", "json")[1])["findings"]
    assert list(finding) == ["code", "level", "file", "line", "message", "fix", "url"]
    assert finding["url"].endswith("/docs/checks.md#gp201")
    assert validate("-o", "json")[1] == validate("--format", "json")[1]
    assert validate("--format", "github")[1].startswith(
        "::error file=shop/dev/cart.yaml,line=1,title=GP201::this comment looks like a marker"
    )
    [run] = json.loads(validate("--format", "sarif")[1])["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["GP201"]
    [location] = run["results"][0]["locations"]
    assert location["physicalLocation"]["artifactLocation"] == {"uri": "shop/dev/cart.yaml"}


def test_a_runner_of_github_gets_the_annotations_as_commands(
    root: Path, validate: Validate, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, {"shop/dev/cart.yaml": MISSPELLED})
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert validate("--format", "github")[1].startswith("::error file=shop/dev/cart.yaml,line=1,")
    write(root, {"::error::x/cart.yaml": MISSPELLED})
    assert "\n::error::" not in f"\n{validate('--format', 'human')[1]}"


def test_the_format_given_twice_is_an_error(validate: Validate) -> None:
    assert validate("--format", "json", "-o", "human")[0] == 2


def test_without_a_working_tree_it_says_so(root: Path, tmp_path: Path, validate: Validate) -> None:
    assert "is in no git repository" in validate(sourcedir=tmp_path)[2]
    code, _, err = validate(sourcedir=root / ".git")
    assert (code, "bare repository" in err) == (5, True)


def test_the_hook_of_pre_commit_is_this_verb(root: Path) -> None:
    text = (Path(__file__).parents[2] / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    assert "entry: gitops-promotion validate\n" in text
    assert "language: python\n" in text
