"""The remote: the settings and credentials that reach it, and its refs."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from gitops_promotion.core import durations
from gitops_promotion.core.authorization import authorization
from gitops_promotion.core.commits import Refs, RefUpdate
from gitops_promotion.core.secrets import proxy_secrets, spellings
from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import AuthError, GitError, NotAdvertisedError, RefGoneError, UsageError
from gitops_promotion.git.address import NO_HELPER, Address, Rules
from gitops_promotion.git.advice import advice, first_line, remote_words
from gitops_promotion.git.checkout import Setting
from gitops_promotion.git.environment import NO_PROMPT, SAFE, as_environment
from gitops_promotion.git.formats import SHA, full_ref
from gitops_promotion.git.private_repository import PrivateRepository
from gitops_promotion.git.process import Result, Runner
from gitops_promotion.git.push import push_error, read_push

SECONDS = 3600.0
"""How many seconds a command may take that reaches the remote, whatever the server does."""

SILENCE = 300
"""Seconds without a byte from the remote, after which a command ends; settings of the person or the machine win."""

_REMOTE = "promotion"  # the remote's name in the private repository
_REMOTE_URL = f"remote.{_REMOTE}.url"
_PUSH_URL = f"remote.{_REMOTE}.pushurl"
# A ref that is deleted while git fetches it: the remote lists it no longer, or no longer gives its commit.
_GONE = re.compile(r"couldn't find remote ref|not our ref|unadvertised object")
# git's own words about servers without uploadpack.allowReachableSHA1InWant:
# https://github.com/git/git/blob/v2.39.5/fetch-pack.c
_NOT_ADVERTISED = re.compile(r"does not allow request for unadvertised object")
_NO_FILTER = re.compile(r"filtering not recognized by server")
# https://github.com/git/git/blob/v2.39.5/fetch-pack.c
_AUTH = re.compile(r"could not read (?:Username|Password)|Authentication failed|returned error: 40[13]")

# The settings of a repository about reaching its remote. All its other settings are left out.
_TRANSPORT = re.compile(r"(?:http|credential|url|ssh|protocol)\..*|core\.(?:sshcommand|gitproxy|askpass)", re.DOTALL)
_LOW_SPEED = re.compile(r"http\.(?:.*\.)?lowspeed(?:limit|time)", re.IGNORECASE | re.DOTALL)
_SSH = f"ssh -o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval={SILENCE // 5} -o ServerAliveCountMax=5"
_REMOTE_KEYS = ("proxy", "proxyauthmethod", "uploadpack", "receivepack")
# https://github.com/git/git/blob/v2.39.5/send-pack.c
_NO_ATOMIC = re.compile(r"does not support --atomic")


class Remote:
    """The one remote, as the private repository reaches it. Methods raise GitError and AuthError."""

    url: str
    """Its address, a relative path made absolute; without the user and password of a web address."""
    name: str
    """Its name in the user's repository."""
    filters: bool
    """Whether it is asked to leave out the contents of files."""

    def __init__(
        self,
        *,
        runner: Runner,
        environ: Mapping[str, str],
        settings: Sequence[Setting],
        root: Path,
        name: str | None,
        token: str | Callable[[str], str],
        user: str | Callable[[str], str],
        partial: bool = False,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Find the remote called `name`, its real address, and the environment that reaches it. Raises GitError.

        With `partial` it is asked to leave out the contents of files; `tell` is told if it cannot.
        """
        self.filters = self._partial = partial
        self._tell = tell
        self._runner = runner
        self._find_token = (lambda _: token) if isinstance(token, str) else token
        self._find_user = (lambda _: user) if isinstance(user, str) else user
        self._token = ""
        name = self.name = remote_name(settings, name)
        configured = any(environ.get(variable) for variable in ("GIT_SSH_COMMAND", "GIT_SSH"))
        if not configured and not any(setting.key == "core.sshcommand" for setting in settings):
            environ = {**environ, "GIT_SSH_COMMAND": _SSH}
        self._environ = environ
        self._settings = [*_low_speed_limits(settings), *_handed_over(settings, name), *SAFE]
        url = next(setting.value for setting in settings if setting.key == f"remote.{name}.url")
        push_urls = [setting.value for setting in settings if setting.key == f"remote.{name}.pushurl"]
        rules = Rules.of((setting.key, setting.value) for setting in settings)
        push_urls = [rules.apply(push_url) for push_url in push_urls] or rules.push_urls(url)
        url = rules.apply(url)
        keys = [setting.key for setting in settings]
        self._address = Address.parse(url, keys)
        self._push_addresses = [Address.parse(push_url, keys) for push_url in push_urls]
        self.url = self._address.shown(root)
        for address in (self._address, *self._push_addresses):
            self._hide(*address.secrets)
        self._hide(*proxy_secrets(setting.value for setting in settings if setting.key.endswith("proxy")))

    def refs(self, *patterns: str) -> Refs:
        """Ask for the default branch and for the refs that match."""
        result = self._run("ls-remote", ["--symref", "--", _REMOTE, "HEAD", *patterns])
        if result.status:
            raise self._failure("ls-remote", result.stderr)
        shas: dict[str, str] = {}
        default = ""
        for line in result.stdout.decode(errors="surrogateescape").split("\n"):
            value, _, name = line.partition("\t")
            if name == "HEAD":
                default = value.removeprefix("ref: refs/heads/") if value.startswith("ref: refs/heads/") else default
            elif SHA.fullmatch(value) and not name.endswith("^{}"):
                shas[name] = value
        return Refs(default_branch=default, shas=shas)

    def fetch(self, refspecs: Iterable[str], depth: int | None, *, refetch: bool = False) -> None:
        """Fetch these refspecs; a `depth` cuts off all history below it, in a whole repository too.

        With `refetch` what is here already is fetched again. Raises RefGoneError if the remote no longer has one of
        them, NotAdvertisedError if it may have one, but does not give it by its id.
        """
        cut = [f"--depth={depth}"] if depth else []
        self._fetch(refspecs, *cut, *(["--refetch"] if refetch else []))

    def fetch_blobs(self, shas: Iterable[str]) -> None:
        """Fetch the contents of files. Raises RefGoneError if the remote does not give one of them by its id."""
        # Git would name the commits that are here, and the server would take their blobs for present.
        self._fetch(shas, settings=[("fetch.negotiationAlgorithm", "noop")])

    def stop_filtering(self, reason: str) -> None:
        """Fetch the contents of all files from now on, and say so."""
        self.filters = False
        self._tell(f"{self.url} {reason}: all files are fetched, which may take long in a large repository")

    def _fetch(self, refspecs: Iterable[str], *extra_options: str, settings: Sequence[tuple[str, str]] = ()) -> None:
        options = [
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--no-prune",
            "--quiet",
            *extra_options,
        ]
        lines = "".join(f"{refspec}\n" for refspec in refspecs)
        result = self._run("fetch", [*options, "--stdin", _REMOTE], os.fsencode(lines), settings)
        if self.filters and _NO_FILTER.search(result.stderr):
            self.stop_filtering("cannot leave out the contents of files")
        if result.status:
            if _GONE.search(result.stderr) and not _AUTH.search(result.stderr):
                reason = first_line(result.stderr)
                if _NOT_ADVERTISED.search(result.stderr):
                    raise NotAdvertisedError(f"{self.url} gives no commit that none of its refs names ({reason})")
                raise RefGoneError(f"{self.url} no longer has a ref that it listed before ({reason})")
            raise self._failure("fetch", result.stderr)

    def push(self, updates: Sequence[RefUpdate], unchanged: Mapping[str, str]) -> None:
        """Change all refs or none. Raises LeaseLostError or RefusedPushError (Repository.push)."""
        if not updates:
            return
        # git leaves an unchanged ref out of the push; if the ref has moved, its lease makes the whole push fail.
        updates_and_leases = [*updates, *(RefUpdate(ref=r, new=sha, expected=sha) for r, sha in unchanged.items())]
        result = self._push(updates_and_leases)
        if unchanged and _NO_ATOMIC.search(result.stderr):
            result = self._push(updates)
        pushed = [
            ref for ref in read_push(self._runner.mask(result.stdout)) if ref.flag != "=" or ref.ref not in unchanged
        ]
        if error := push_error(self.url, updates, pushed, result.status, result.stderr):
            raise error
        if result.status:
            raise self._failure("push", result.stderr)

    def push_refusal(self, sha: str, branch: str) -> str:
        """Return why the remote takes no new branch, "" if it would; git asks for the right, and sends nothing."""
        arguments = ["--dry-run", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed"]
        result = self._run("push", [*arguments, _REMOTE, f"{sha}:refs/heads/{branch}"])
        return str(self._failure("push", result.stderr)) if result.status else ""

    def _push(self, updates: Sequence[RefUpdate]) -> Result:
        arguments = ["--porcelain", "--no-verify", "--no-follow-tags", "--no-signed", "--no-recurse-submodules"]
        arguments += ["--atomic"] if len(updates) > 1 else []
        arguments += [f"--force-with-lease={full_ref(update.ref)}:{update.expected or ''}" for update in updates]
        refspecs = [f"{update.new or ''}:{update.ref}" for update in updates]
        return self._run("push", [*arguments, _REMOTE, *refspecs])

    def _failure(self, command: str, stderr: str) -> GitError | AuthError:
        """Return the error of a command, with the next step: AuthError where the remote asks for another token."""
        if _AUTH.search(stderr):
            words = remote_words(stderr)
            problem = "does not accept the token, or the token lacks a permission" if self._token else "wants a token"
            next_step = "check --token" if self._token else "give one with --token or its environment variable"
            return AuthError(f"{self.url} {problem}{words and f' ({words})'}: {next_step}")
        return GitError(f"git {command} failed at {self.url}: {advice(stderr)}")

    def _run(
        self,
        command: Literal["ls-remote", "fetch", "push"],
        arguments: Sequence[str],
        stdin: bytes = b"",
        settings: Sequence[tuple[str, str]] = (),
    ) -> Result:
        environ = self._reach(settings, push=command == "push")
        try:
            return self._runner.run([command, *arguments], environ, stdin, seconds=SECONDS)
        except TimeoutError:
            raise GitError(
                f"git {command} did not end within {durations.shown(SECONDS)} at {self.url}: check the network and the "
                "server, and run again"
            ) from None

    def _reach(self, extra_settings: Sequence[tuple[str, str]], *, push: bool) -> dict[str, str]:
        """Return the environment that reaches the remote, with the token to use now."""
        token = self._find_token(self.url) if self._address.web else ""
        self._token = token or self._token
        addresses = self._push_addresses if push and self._push_addresses else [self._address]
        settings = [
            *self._settings,
            *extra_settings,
            *([(f"remote.{_REMOTE}.promisor", "true")] if self._partial else []),
            *([(f"remote.{_REMOTE}.partialclonefilter", "blob:none")] if self.filters else []),
            (_REMOTE_URL, self._address.text),
            *((_PUSH_URL, address.text) for address in addresses),
            # `insteadOf` rules of the person are applied already.
            *(setting for address in (self._address, *addresses) for setting in address.as_it_is()),
        ]
        variables: dict[str, str] = {}
        if self._token:
            header = authorization(self._token, user=self._address.user or self._find_user(self.url))
            self._hide(header.partition(" ")[2], *spellings(self._token))
            settings += self._address.with_header(header)
            variables |= NO_PROMPT
        if any(address.password for address in addresses):
            settings.append(NO_HELPER)
        for number, address in enumerate(addresses):
            if not self._token or address is not self._address:
                credentials, secrets = address.with_credentials(number)
                settings += credentials
                variables |= secrets
        return {**self._environ, **variables, **as_environment(settings)}

    def _hide(self, *secrets: str) -> None:
        self._runner.secrets += [secret for secret in secrets if secret not in self._runner.secrets]


def _low_speed_limits(settings: Sequence[Setting]) -> list[tuple[str, str]]:
    """Return the settings that end a silent transfer over http; none if the configuration has such settings.

    The limit is one byte a second: a server that is at work sends more than that
    (https://git-scm.com/docs/git-config#Documentation/git-config.txt-httplowSpeedLimit).
    """
    if any(_LOW_SPEED.fullmatch(setting.key) for setting in settings):
        return []
    return [("http.lowSpeedLimit", "1"), ("http.lowSpeedTime", str(SILENCE))]


def _handed_over(settings: Sequence[Setting], remote: str) -> list[tuple[str, str]]:
    """Return the settings of the repository that reaching the remote needs, with the private remote's name.

    The caller's `git -c` and GIT_CONFIG_* come after it, as they do in git.
    """
    transport = [
        (setting.key, setting.value)
        for setting in settings
        if setting.is_of_repository and _TRANSPORT.fullmatch(setting.key)
    ]
    keys = {f"remote.{remote}.{key}": f"remote.{_REMOTE}.{key}" for key in _REMOTE_KEYS}
    renamed = [(keys[setting.key], setting.value) for setting in settings if setting.key in keys]
    return transport + renamed + [(setting.key, setting.value) for setting in settings if setting.scope == "command"]


def remote_name(settings: Sequence[Setting], asked_for: str | None) -> str:
    """Return the name of the remote to use: the one asked for, else `origin`, else the only one.

    Raises UsageError for one that is asked for and not there, GitError if it is not clear which one to use.
    """
    keys = [re.fullmatch(r"remote\.(.+)\.url", setting.key, re.DOTALL) for setting in settings if setting.value]
    names = sorted({match[1] for match in keys if match})
    name = asked_for or ("origin" if "origin" in names else names[0] if len(names) == 1 else None)
    if not names:
        raise GitError("the repository has no remote: add one with `git remote add origin URL`")
    if asked_for and name not in names:
        raise UsageError(f"no remote is called {quoted(asked_for)}: give --remote one of {', '.join(names)}")
    if name not in names:
        raise GitError(f"it is not clear which remote to use: give --remote one of {', '.join(names)}")
    return name


def server_settings(url: str, private: PrivateRepository) -> dict[str, str] | None:
    """Return the settings of a remote that is a path on this machine, in lower case; None for any other."""
    folder = Path(url.removeprefix("file://"))
    if not folder.is_absolute() or not folder.is_dir():
        return None
    git_dir = folder / ".git" if (folder / ".git").is_dir() else folder
    arguments = ["config", "--list", "-z", "--file", str(git_dir / "config")]
    result = private.runner.run(arguments, private.environ)
    if result.status:
        return None
    rows = (row.partition("\n") for row in result.stdout.decode(errors="replace").split("\0"))
    return {key.lower(): value if equals else "true" for key, equals, value in rows if key}
