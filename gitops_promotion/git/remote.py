"""The remote: its address, the settings and credentials that reach it, and its refs."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from gitops_promotion.core.authorization import authorization
from gitops_promotion.core.commits import Refs, RefUpdate
from gitops_promotion.errors import AuthError, GitError, RefGoneError
from gitops_promotion.git.checkout import Setting
from gitops_promotion.git.environment import NO_PROMPT, SAFE, as_environment
from gitops_promotion.git.formats import SHA, full_ref
from gitops_promotion.git.process import Runner, advice, remote_words
from gitops_promotion.git.push import push_error, read_push

_REMOTE = "promotion"  # the remote's name in the private repository
_REMOTE_URL = f"remote.{_REMOTE}.url"
# A ref that is deleted while git fetches it: the remote lists it no longer, or no longer gives its commit.
_GONE = re.compile(r"couldn't find remote ref|not our ref|unadvertised object")
_AUTH = re.compile(r"could not read (?:Username|Password)|Authentication failed|returned error: 40[13]")
# What a repository's own configuration may say about reaching its remote. All the rest of it stays behind.
_TRANSPORT = re.compile(r"(?:http|credential|url|ssh|protocol)\..*|core\.(?:sshcommand|gitproxy|askpass)", re.DOTALL)
_REMOTE_KEYS = ("pushurl", "proxy", "proxyauthmethod", "uploadpack", "receivepack")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Web:
    """An http address in its parts; user and password as the address has them, percent signs and all."""

    public: str
    user: str
    password: str

    @classmethod
    def parse(cls, address: str) -> Self:
        try:
            parts = urlsplit(address)
        except ValueError as error:
            raise GitError(
                f"the remote's address is malformed ({error}): correct it with `git remote set-url`"
            ) from error
        userinfo, _, host = parts.netloc.rpartition("@")
        user, _, password = userinfo.partition(":")
        return cls(
            public=parts._replace(netloc=host).geturl(),
            user=user,
            password=password,
        )


class Remote:
    """The one remote, as the private repository reaches it. Methods raise GitError and AuthError."""

    url: str
    """Its address, a relative path made absolute; never with the user or password of a web address."""

    def __init__(
        self,
        *,
        runner: Runner,
        environ: Mapping[str, str],
        settings: Sequence[Setting],
        root: Path,
        wanted: str | None,
        token: str | Callable[[str], str],
        user: str | Callable[[str], str],
    ) -> None:
        """Find the remote's real address and make the environment that reaches it. Raises GitError."""
        self._runner = runner
        self._web: _Web | None = None
        self._find_token = (lambda _: token) if isinstance(token, str) else token
        self._find_user = (lambda _: user) if isinstance(user, str) else user
        self._token = ""
        name = _remote_name(settings, wanted)
        address = next(setting.value for setting in settings if setting.key == f"remote.{name}.url")
        configured = any(environ.get(variable) for variable in ("GIT_SSH_COMMAND", "GIT_SSH"))
        if not configured and not any(setting.key == "core.sshcommand" for setting in settings):
            environ = {**environ, "GIT_SSH_COMMAND": "ssh -o BatchMode=yes"}
        self._plain = environ
        self._handed = [*_handed_over(settings, name), *SAFE]
        self._environ = {**environ, **as_environment([*self._handed, (_REMOTE_URL, address)])}
        if any(re.fullmatch(r"url\..*\.insteadof", setting.key, re.DOTALL) for setting in settings):
            address = self._real_address()
        self._address = address
        if re.match(r"https?://", address):
            self._web = _Web.parse(address)
            self.url = self._web.public
            runner.secrets = [secret for secret in (self._web.password, unquote(self._web.password)) if secret]
        else:
            local = "://" not in address and ":" not in address.partition("/")[0]
            self.url = str((root / address).resolve()) if local else address

    def _real_address(self) -> str:
        """Return the address with the person's `insteadOf` rules applied."""
        asked = self._runner.run(["ls-remote", "--get-url", _REMOTE], self._environ)
        if asked.status:
            raise GitError(f"cannot find out the remote's address: {advice(asked.stderr)}")
        return asked.stdout.decode().removesuffix("\n")

    def refs(self, *patterns: str) -> Refs:
        """Ask for the default branch and for the refs that match."""
        listed = self._git("ls-remote", "--symref", "--", _REMOTE, "HEAD", *patterns)
        shas: dict[str, str] = {}
        default = ""
        for line in listed.decode(errors="surrogateescape").split("\n"):
            what, _, name = line.partition("\t")
            if name == "HEAD":
                default = what.removeprefix("ref: refs/heads/") if what.startswith("ref: refs/heads/") else default
            elif SHA.fullmatch(what) and not name.endswith("^{}"):
                shas[name] = what
        return Refs(default_branch=default, shas=shas)

    def fetch(self, refspecs: Iterable[str], depth: int | None) -> None:
        """Fetch these refspecs; a `depth` cuts off all history below it, in a whole repository too.

        Raises RefGoneError if the remote has one of them no longer.
        """
        cut = [f"--depth={depth}"] if depth else []
        options = ["--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-prune", "--quiet", *cut]
        lines = "".join(f"{refspec}\n" for refspec in refspecs)
        done = self._runner.run(["fetch", *options, "--stdin", _REMOTE], self._reach(), os.fsencode(lines))
        if done.status:
            error = self.failure("fetch", done.stderr)
            raise RefGoneError(str(error)) if isinstance(error, GitError) and _GONE.search(done.stderr) else error

    def push(self, updates: Sequence[RefUpdate]) -> None:
        """Change all refs or none. Raises LeaseLostError or RefusedPushError (Repository.push)."""
        if not updates:
            return
        arguments = ["--porcelain", "--no-verify", "--no-follow-tags", "--no-signed", "--no-recurse-submodules"]
        arguments += ["--atomic"] if len(updates) > 1 else []
        arguments += [f"--force-with-lease={full_ref(update.ref)}:{update.expected or ''}" for update in updates]
        refspecs = [f"{update.new or ''}:{update.ref}" for update in updates]
        done = self._runner.run(["push", *arguments, _REMOTE, *refspecs], self._reach())
        results = read_push(self._runner.mask(done.stdout))
        if error := push_error(self.url, updates, results, done.status, done.stderr):
            raise error
        if done.status:
            raise self.failure("push", done.stderr)

    def failure(self, command: str, stderr: str) -> GitError | AuthError:
        """Say what failed and what to do next; AuthError where the remote wants another token."""
        if _AUTH.search(stderr):
            said = remote_words(stderr)
            what = "does not accept the token, or the token lacks a permission" if self._token else "wants a token"
            how = "check --token" if self._token else "give one with --token or its environment variable"
            return AuthError(f"{self.url} {what}{said and f' ({said})'}: {how}")
        return GitError(f"git {command} failed at {self.url}: {advice(stderr)}")

    def _git(self, *arguments: str, stdin: bytes = b"") -> bytes:
        done = self._runner.run(arguments, self._reach(), stdin)
        if done.status:
            raise self.failure(arguments[0], done.stderr)
        return done.stdout

    def _reach(self) -> dict[str, str]:
        """Return the environment that reaches the remote, with the token to use now."""
        token = self._find_token(self.url) if self._web else ""
        if self._web and token not in ("", self._token):
            shown = authorization(token, user=unquote(self._web.user) or self._find_user(self.url))
            self._runner.secrets += [shown.partition(" ")[2], token]
            settings = [*self._handed, (_REMOTE_URL, self._address), *_credentials(self._address, shown)]
            self._environ = {**self._plain, **as_environment(settings), **NO_PROMPT}
            self._token = token
        return self._environ


def _credentials(address: str, shown: str) -> list[tuple[str, str]]:
    """Make settings that send our token to this address alone, and no redirect's.

    The key is the address verbatim: no other is more specific, so nothing of a checkout step wins over it, and the
    empty value resets what such a step left. The person's own helpers must not answer in the token's place.
    """
    header = f"http.{address}.extraHeader"
    return [
        (header, ""),
        (header, f"Authorization: {shown}"),
        (f"http.{address}.followRedirects", "false"),
        ("credential.helper", ""),
    ]


def _handed_over(settings: Sequence[Setting], remote: str) -> list[tuple[str, str]]:
    """Return what reaching the remote needs of the repository's configuration, by the private remote's name.

    The caller's `git -c` and GIT_CONFIG_* come after it, as they do in git.
    """
    own = [(setting.key, setting.value) for setting in settings if setting.own and _TRANSPORT.fullmatch(setting.key)]
    keys = {f"remote.{remote}.{key}": f"remote.{_REMOTE}.{key}" for key in _REMOTE_KEYS}
    renamed = [(keys[setting.key], setting.value) for setting in settings if setting.key in keys]
    return own + renamed + [(setting.key, setting.value) for setting in settings if setting.scope == "command"]


def _remote_name(settings: Sequence[Setting], wanted: str | None) -> str:
    keys = [re.fullmatch(r"remote\.(.+)\.url", setting.key, re.DOTALL) for setting in settings if setting.value]
    names = sorted({match[1] for match in keys if match})
    name = wanted or ("origin" if "origin" in names else names[0] if len(names) == 1 else None)
    if not names:
        raise GitError("the repository has no remote: add one with `git remote add origin URL`")
    if name not in names:
        what = f"no remote is called {wanted}" if wanted else "it is not clear which remote to use"
        raise GitError(f"{what}: name one of {', '.join(names)}, or call it origin with `git remote rename`")
    return name
