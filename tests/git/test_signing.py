"""Signed commits, as git's own configuration asks for them."""

import os
import select
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from gitops_promotion.core.commits import RefUpdate
from gitops_promotion.errors import GitError, SigningError
from gitops_promotion.git import signing
from gitops_promotion.git.checkout import Setting

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops_promotion.git import Repository
    from gitops_promotion.git.private_repository import PrivateRepository
    from tests.conftest import Checkout

    Open = Callable[..., Repository]

SSH = {"commit.gpgSign": "true", "gpg.format": "ssh"}


def variables(settings: Mapping[str, str]) -> dict[str, str]:
    """Return settings of git as variables of its environment."""
    pairs = list(settings.items())
    named = {f"GIT_CONFIG_KEY_{number}": key for number, (key, _) in enumerate(pairs)}
    values = {f"GIT_CONFIG_VALUE_{number}": value for number, (_, value) in enumerate(pairs)}
    return {"GIT_CONFIG_COUNT": str(len(pairs)), **named, **values}


def write_program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}")
    path.chmod(0o755)
    return str(path)


def make_key(path: Path, passphrase: str = "") -> str:
    """Make a pair of keys for SSH, and return the file of the public one."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return f"{path}.pub"


def ends(pid: int) -> bool:
    """Return True once a process that was told to end has ended, False if it goes on for 10 seconds."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], 10.0)[0])
    finally:
        os.close(process)


def open_signing(
    open_repository: "Open", checkout: "Checkout", environ: Mapping[str, str], settings: Mapping[str, str]
) -> "Repository":
    return open_repository(checkout.path, environ={**environ, **variables(settings)})


def push(repository: "Repository", checkout: "Checkout", sha: str) -> str:
    """Push a commit and fetch it into the checkout, where git can look at it."""
    repository.push([RefUpdate(ref=f"refs/heads/{sha[:8]}", new=sha, expected=None)])
    checkout.git("fetch", "--quiet", "origin", sha[:8])
    return sha


def test_every_commit_that_others_get_has_a_signature_that_git_verifies(
    checkout: "Checkout", open_repository: "Open", environ: dict[str, str], tmp_path: Path
) -> None:
    key = make_key(tmp_path / "key")
    signers = tmp_path / "allowed_signers"
    signers.write_text(f"dev@example.com {Path(key).read_text()}")
    plain = open_repository(checkout.path)
    signed = open_signing(open_repository, checkout, environ, {**SSH, "user.signingKey": key})
    base = checkout.sha("origin/main")

    def commits(repository: "Repository") -> list[str]:
        one = repository.commit(base, {"a": b"1"}, "Set a\n\nPromotion: x\n")
        two = repository.commit(base, {"b": b"1"}, "Set b")
        merge = repository.merge(one, two, "Merge\n").sha
        assert merge
        on_top = repository.commit(base, {"c": b"1"}, "Again\n", on_top_of=merge)
        return [one, two, merge, on_top, repository.write_record("record", b"1", "Record\n")]

    settings = ["-c", f"gpg.ssh.allowedSignersFile={signers}"]
    for with_signature, without in zip(commits(signed), commits(plain), strict=True):
        assert with_signature != without
        checkout.git(*settings, "verify-commit", push(signed, checkout, with_signature))
        push(plain, checkout, without)
        shown = [
            checkout.git("log", "-1", "--format=%T %an %ae %cn %ce %at %ct %B", s) for s in (with_signature, without)
        ]
        assert shown[0] == shown[1]
    assert signed.headers([commits(signed)[3]]).popitem()[1].parents[0] == base


def test_a_merge_that_is_only_looked_at_asks_for_no_key(
    checkout: "Checkout", open_repository: "Open", environ: dict[str, str]
) -> None:
    repository = open_signing(open_repository, checkout, environ, {**SSH, "user.signingKey": "/no/such/key"})
    repository.set_commits(author=None, signed=False)
    base = checkout.sha("origin/main")
    one, two = (repository.commit(base, {name: b"1"}, "Set\n") for name in "ab")
    repository.set_commits(author=None, signed=True)
    assert repository.try_merge(one, two).sha
    with pytest.raises(SigningError):
        repository.merge(one, two, "Merge\n")


def test_a_program_of_gpg_gets_the_key_and_the_bytes_of_the_commit_and_no_secret(
    checkout: "Checkout", open_repository: "Open", environ: dict[str, str], tmp_path: Path
) -> None:
    program = write_program(
        tmp_path / "gpg",
        f'echo "$@" > {tmp_path}/arguments\ncat > {tmp_path}/payload\nenv > {tmp_path}/environ\n'
        f"cut -d' ' -f6 /proc/$$/stat > {tmp_path}/session\n"
        "echo '[GNUPG:] SIG_CREATED ' >&2\necho '-----BEGIN PGP SIGNATURE-----'\necho '-----END PGP SIGNATURE-----'\n",
    )
    settings = {"commit.gpgSign": "true", "gpg.program": program, "user.signingKey": "ABCD1234"}
    extra = {"AGENT": "/run/agent", "APP_PRIVATE_KEY": "k", "OTHER": "-----BEGIN OPENSSH PRIVATE KEY-----"}
    extra |= {"GITHUB_TOKEN": "t0k3n", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "own"}
    repository = open_signing(open_repository, checkout, environ | extra, settings)
    sha = push(repository, checkout, repository.commit(checkout.sha("origin/main"), {"a": b"1"}, "Set a\n"))
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n -----END PGP SIGNATURE-----\n"
    commit = checkout.git("cat-file", "commit", sha) + "\n"
    assert signature in commit
    assert (tmp_path / "payload").read_text() == commit.replace(signature, "")
    assert (tmp_path / "arguments").read_text().split()[-1] == "ABCD1234"
    passed = (tmp_path / "environ").read_text()
    assert "AGENT=/run/agent" in passed
    assert "PRIVATE" not in passed
    assert "t0k3n" not in passed
    assert "ACTIONS_ID_TOKEN_REQUEST_TOKEN=own" in passed
    assert int((tmp_path / "session").read_text()) != os.getsid(0), "it could ask at the terminal"


def settings_of(*values: str) -> list[Setting]:
    return [Setting(scope="global", key="commit.gpgsign", value=value) for value in values]


@pytest.mark.parametrize(
    ("values", "is_wanted"),
    [
        *[((value,), True) for value in ("true", "Yes", "ON", "1", "-1", "010")],
        *[((value,), False) for value in ("false", "No", "off", "0", "")],
        ((), False),
        (("true", "false"), False),
        (("false", "true"), True),
    ],
)
def test_the_setting_is_read_as_git_reads_it(values: tuple[str, ...], is_wanted: bool) -> None:
    private = cast("PrivateRepository", SimpleNamespace(folder=Path("/private")))
    assert signing.Signer(private, {}, settings_of(*values)).is_wanted() == is_wanted


@pytest.mark.parametrize("value", ["perhaps", "1x", "tru"])
def test_a_setting_that_is_neither_true_nor_false_is_an_error(value: str) -> None:
    private = cast("PrivateRepository", SimpleNamespace(folder=Path("/private")))
    with pytest.raises(GitError, match=r"commit\.gpgSign is .* write true or false"):
        signing.Signer(private, {}, settings_of(value)).is_wanted()


SECRET = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({**SSH, "user.signingKey": "/no/such/key"}, ["/no/such/key", "user.signingKey", "commit.gpgSign"]),
        (SSH, ["user.signingkey", "name it with user.signingKey"]),
        ({**SSH, "gpg.ssh.program": "/none", "user.signingKey": "key::ssh-ed25519 AAAA"}, ["gpg.ssh.program"]),
        ({"commit.gpgSign": "true", "gpg.format": "morse"}, ["check gpg.format"]),
        ({**SSH, "user.signingKey": SECRET}, ["user.signingKey is a private key", "mode 0600"]),
    ],
)  # fmt: skip
def test_a_commit_that_cannot_be_signed_is_one_line_with_the_next_step(
    settings: dict[str, str], words: list[str], checkout: "Checkout", open_repository: "Open", environ: dict[str, str]
) -> None:
    repository = open_signing(open_repository, checkout, environ, settings)
    with pytest.raises(SigningError) as caught:
        repository.commit(checkout.sha("origin/main"), {"a": b"1"}, "Set a\n")
    text = str(caught.value)
    assert all(word in text for word in words), text
    assert "\n" not in text
    assert "c2VjcmV0" not in text
    assert caught.value.exit_code == 5


def test_nobody_is_asked_for_a_passphrase(
    checkout: "Checkout", open_repository: "Open", environ: dict[str, str], tmp_path: Path
) -> None:
    key = make_key(tmp_path / "key", passphrase="correct horse")
    repository = open_signing(open_repository, checkout, environ, {**SSH, "user.signingKey": key})
    with pytest.raises(SigningError, match="unlock the key in an agent") as caught:
        repository.commit(checkout.sha("origin/main"), {"a": b"1"}, "Set a\n")
    assert "OPENSSH" not in str(caught.value)


def test_a_program_that_waits_is_ended_and_not_started_again(
    checkout: "Checkout",
    open_repository: "Open",
    environ: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(signing.Signer.__init__, "__kwdefaults__", {"seconds": 0.3})
    program = write_program(tmp_path / "gpg", f"echo $$ >> {tmp_path}/started\nexec sleep 600\n")
    settings = {"commit.gpgSign": "true", "gpg.program": program}
    repository = open_signing(open_repository, checkout, environ, settings)
    for _ in range(2):
        with pytest.raises(SigningError, match=r"no signature within 0\.3s"):
            repository.commit(checkout.sha("origin/main"), {"a": b"1"}, "Set a\n")
    [pid] = (tmp_path / "started").read_text().split()
    assert ends(int(pid))
