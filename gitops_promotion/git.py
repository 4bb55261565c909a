"""The repository: files of a commit, new commits, and a remote that is changed by compare-and-swap only.

Nothing of the user's repository is ever written: every command runs in a private bare repository that borrows the
user's objects (docs/decisions/0002-private-object-store.md). The only importer of GitPython.
"""

import configparser
import os
import re
import shutil
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from subprocess import PIPE
from typing import NoReturn, Self
from urllib.parse import unquote, urlsplit

from gitops_promotion.core.model import Change, Entry, Merge, Refs, RefUpdate
from gitops_promotion.errors import AuthError, GitError, LeaseLostError

_NO_GIT = "git was not found: install git 2.39 or newer and put it on the PATH"
try:
    import git
except ImportError as error:  # GitPython runs git when it is imported
    raise GitError(_NO_GIT) from error

DEPTH = 100
"""Commits of history fetched into a shallow repository: a gate looks at no more (DESIGN 7)."""

_EVERYTHING = 0x7FFFFFFF  # git's own "infinite depth"; unlike --unshallow no error where nothing is missing
_MARKER = '"$imagepolicy"'
_REMOTE = "promotion"  # the remote's name in the private repository
_REMOTE_URL = f"remote.{_REMOTE}.url"
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_OBJECT = re.compile(rb"[0-9a-f]{40,64} ([a-z]+) (\d+)\n")
_BAD_REF = re.compile(r"[\x00-\x20~^:?*\[\\\x7f]|\.\.|@\{|//|/\.|\.lock(?:/|$)|[/.]$")
_AUTH = re.compile(r"could not read (?:Username|Password)|Authentication failed|returned error: 40[13]")
_RACE = re.compile(
    r"stale info|fetch first|non-fast-forward|cannot lock ref|failed to (?:update|lock) ref|already exists"
    r"|incorrect old value"
)
_LOG_FORMAT = "%H%x00%P%x00%ae%x00%ce%x00%B%x00"

# What a repository's own configuration may say about reaching its remote. All the rest of it stays behind.
_TRANSPORT = re.compile(r"(?:http|credential|url|ssh|protocol)\..*|core\.(?:sshcommand|gitproxy|askpass)", re.DOTALL)
_REMOTE_KEYS = ("pushurl", "proxy", "proxyauthmethod", "uploadpack", "receivepack")

_SAFE = [
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.attributesFile", "/dev/null"),
    ("protocol.ext.allow", "never"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
]

_NEXT_STEPS = (
    (r"couldn't find remote ref", "it was deleted or never existed, check its name or run again"),
    (r"returned error: 3\d\d|redirect", "the remote has moved, put in its new address with `git remote set-url`"),
    (r"Permission denied|Host key verification", "check the ssh key, its rights and known_hosts"),
    (r"resolve host|refused|timed out|connect to|reset by peer|hung up|early EOF", "check the network and run again"),
    (
        r"not found|does not appear to be|does not exist|No such file",
        "check the remote's address and your access to it",
    ),
    (r"usage: git|unknown (?:option|switch)|is not a git command", "git 2.39 or newer is needed, update git"),
    (r"unrelated histories", "rebase the branch on the default branch"),
    (r"bad object|unable to read|missing|corrupt", "the repository is damaged or incomplete, clone it anew"),
)

# With a token nobody else is asked, and traces that were switched on show no header.
_NO_PROMPT = {
    "GIT_ASKPASS": "",
    "GIT_TRACE_REDACT": "1",
    "GIT_TRACE2_CONFIG_PARAMS": "none",
    "GIT_TRACE2_ENV_VARS": "none",
}

# Commands that stay here read no configuration but ours: a person's `log.follow` or `color.ui=always` changes nothing.
_NO_CONFIG = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a commit is by."""

    name: str
    email: str


DEFAULT_IDENTITY = Identity(name="gitops-promotion", email="gitops-promotion@users.noreply.invalid")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    status: int
    stdout: bytes
    stderr: str


class _Runner:
    """Starts git in one folder, counts its commands, and keeps secrets out of what is said about them."""

    def __init__(self, folder: Path) -> None:
        self.count = 0
        self.secrets: list[str] = []
        # Git(folder) would expand a `$x` in the folder's name, and on failure start in any folder.
        self._command = ["git", "-C", str(folder)]
        self._git = git.cmd.Git()

    def start(
        self, arguments: Sequence[str], environ: Mapping[str, str], unset: Sequence[str] = ()
    ) -> "git.cmd.Git.AutoInterrupt":
        self.count += 1
        # GitPython adds to the environment but takes nothing away.
        prefix = ["env", *(f"-u{name}" for name in unset)] if unset else []
        try:
            return self._git.execute([*prefix, *self._command, *arguments], istream=PIPE, as_process=True, env=environ)
        except git.exc.GitCommandNotFound as error:
            raise GitError(_NO_GIT) from error

    def run(
        self, arguments: Sequence[str], environ: Mapping[str, str], stdin: bytes = b"", unset: Sequence[str] = ()
    ) -> _Done:
        process = self.start(arguments, environ, unset)
        stdout, stderr = process.communicate(stdin)
        return _Done(status=process.returncode, stdout=stdout, stderr=self.mask(stderr))

    def mask(self, stderr: bytes) -> str:
        """Decode what git said without secrets and terminal codes: part of it is the remote's own words."""
        text = stderr.decode(errors="replace")
        for secret in self.secrets:
            text = text.replace(secret, "***")
        text = re.sub(r"(https?://)[^/@\s]+@", r"\1", text)
        return "".join(c if c.isprintable() or c in "\t\n" else " " for c in text)


class _Dialogue:
    """A git process that answers one question at a time."""

    def __init__(self, runner: _Runner, arguments: Sequence[str], environ: Mapping[str, str]) -> None:
        self._runner = runner
        self._what = arguments[0]
        self._process = runner.start(arguments, environ)

    def ask(self, question: bytes) -> bytes:
        """Send one question and return the first line of its answer. Raises GitError if git has gone."""
        try:
            self._process.stdin.write(question)
            self._process.stdin.flush()
            line: bytes = self._process.stdout.readline()
        except BrokenPipeError:
            line = b""
        return line or self._fail()

    def read(self, size: int) -> bytes:
        """Read exactly `size` bytes of the answer."""
        data: bytes = self._process.stdout.read(size)
        return data if len(data) == size else self._fail()

    def end(self, rest: bytes = b"") -> bytes:
        """Send the rest, wait for git to end and return what else it printed. Raises GitError if it failed."""
        stdout, stderr = self._process.communicate(rest)
        if self._process.returncode:
            self._fail(stderr)
        return bytes(stdout)

    def stop(self) -> None:
        """Let git end without asking what came of it."""
        if self._process.poll() is None:
            self._process.communicate()

    def _fail(self, stderr: bytes | None = None) -> NoReturn:
        said = self._process.communicate()[1] if stderr is None else stderr
        raise GitError(f"git {self._what} failed: {_first_line(self._runner.mask(said))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    scope: str
    key: str
    value: str

    @property
    def own(self) -> bool:
        """Whether the repository itself says so, not the person or the machine."""
        return self.scope in ("local", "worktree")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checkout:
    """Where the user's repository is; `root` is where its relative addresses start."""

    root: Path
    git_dir: Path
    common_dir: Path

    @classmethod
    def find(cls, path: Path, environ: Mapping[str, str]) -> Self:
        try:
            # Nothing is expanded: a folder may be called `$x`.
            with git.Repo(path.resolve(), search_parent_directories=True, expand_vars=False) as found:
                git_dir = Path(found.git_dir)
                root = Path(found.working_tree_dir or git_dir)
        except git.exc.NoSuchPathError as error:
            raise GitError(f"{path} does not exist: name a folder of the repository with --sourcedir") from error
        except (git.exc.InvalidGitRepositoryError, configparser.Error, OSError) as error:
            if odd := [name for name in ("GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY") if name in environ]:
                # GitPython looks for a repository with these applied.
                raise GitError(f"{path} is in no git repository while {', '.join(odd)} is set: unset it") from error
            raise GitError(f"{path} is in no git repository: go into a clone or name one with --sourcedir") from error
        try:
            common_dir = git_dir / os.fsdecode((git_dir / "commondir").read_bytes()).rstrip("\r\n")
        except OSError:
            common_dir = git_dir
        return cls(root=root if root.is_dir() else git_dir, git_dir=git_dir, common_dir=common_dir)

    def head(self) -> tuple[str | None, str | None]:
        """Return commit and branch that are checked out; None for no commit yet, and for detached."""
        text = _text(self.git_dir / "HEAD")
        if not text.startswith("ref: "):
            return (text if _SHA.fullmatch(text) else None), None
        ref = text.removeprefix("ref: ")
        packed = re.search(rf"^([0-9a-f]+) {re.escape(ref)}$", _text(self.common_dir / "packed-refs"), re.MULTILINE)
        text = _text(self.common_dir / ref) or (packed[1] if packed else "")
        return (text if _SHA.fullmatch(text) else None), ref.removeprefix("refs/heads/")

    def settings(self, runner: _Runner, environ: Mapping[str, str], *, trust: bool) -> list[_Setting]:
        """Read the configuration that git sees here, included files and all. Raises GitError."""
        extra = [("safe.directory", os.path.realpath(path)) for path in (self.root, self.git_dir)] if trust else []
        # git itself must find the folder: told where it is, it would not check whose it is.
        unset = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_CONFIG")
        plain = {**environ, **_as_environment(_inherited(environ) + extra), "LC_ALL": "C"}
        listed = runner.run(["config", "--list", "-z", "--show-scope", "--includes"], plain, unset=unset)
        fields = listed.stdout.decode(errors="surrogateescape").split("\0")
        settings = []
        for scope, text in zip(fields[::2], fields[1::2], strict=False):
            key, newline, value = text.partition("\n")
            settings.append(_Setting(scope=scope, key=key, value=value if newline else "true"))
        if listed.status or not any(setting.own for setting in settings):
            # `git config` passes silently over a repository it may not read; this one says why.
            asked = runner.run(["rev-parse", "--git-dir"], plain, unset=unset)
            if asked.status or listed.status:
                raise GitError(f"cannot read the repository {self.root}: {_advice(asked.stderr + listed.stderr)}")
        return settings

    def borrow(self, settings: Sequence[_Setting], private: Path) -> bool:
        """Lay out the private repository over this one's objects; True if its history is not whole.

        A partial clone lends nothing: its missing objects would count as had. What is needed is fetched instead.
        """
        extensions = {setting.key: setting.value for setting in settings if setting.own}
        partial = "extensions.partialclone" in extensions or any(
            re.fullmatch(r"remote\..*\.promisor", key, re.DOTALL) for key in extensions
        )
        sha256_objects = extensions.get("extensions.objectformat", "sha1") == "sha256"
        for folder in ("objects/info", "refs/promotion"):
            (private / folder).mkdir(parents=True)
        (private / "HEAD").write_text("ref: refs/heads/none\n")
        (private / "config").write_text(
            f"[core]\n\trepositoryformatversion = {int(sha256_objects)}\n\tbare = true\n"
            + ("[extensions]\n\tobjectFormat = sha256\n" if sha256_objects else "")
        )
        if partial:
            return True
        (private / "objects/info/alternates").write_bytes(_quote(str(self.common_dir.resolve() / "objects")) + b"\n")
        head = self.head()[0]
        if head:  # a detached commit that no ref of the checkout names is still worth offering when fetching
            (private / "refs/promotion/head").write_text(head + "\n")
        shallow = _text(self.common_dir / "shallow")
        if shallow:
            (private / "shallow").write_text(shallow + "\n")
        return bool(shallow)


class Repository:
    """A repository and its one remote. Close it, or use it in a `with`.

    Commits are named by full object id. Paths are as git has them, `/` between folders; bytes that are no UTF-8 are
    surrogate escapes. Methods raise GitError; those that talk to the remote also AuthError.
    """

    url: str
    """The remote's address, a relative path made absolute; never with the user or password of a web address."""
    head: str | None
    """The commit that is checked out; None before the first one."""
    head_branch: str | None
    """The branch that is checked out; None where HEAD is detached."""
    shallow: bool
    """Whether history may be cut off here."""
    identity: Identity | None
    """Who commits are by; None: who git's environment and configuration say, else DEFAULT_IDENTITY."""

    def __init__(
        self,
        *,
        runner: _Runner,
        private: Path,
        environ: Mapping[str, str],
        settings: Sequence[_Setting],
        identity: Identity | None,
        clock: Callable[[], datetime],
    ) -> None:
        self.identity = identity
        self._clock = clock
        self._runner = runner
        self._private = private
        self._settings = settings
        self._environ = _private_environment(environ, private)
        self._local = self._environ | _NO_CONFIG | _as_environment(_SAFE)
        self._network: dict[str, str] = {}
        self._objects: _Dialogue | None = None
        self._tips: dict[str, str] = {}
        self._depth = DEPTH
        self._token = False

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        token: str = "",
        environ: Mapping[str, str],
        trust: bool = False,
        remote: str | None = None,
        identity: Identity | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> Self:
        """Open the repository that `path` is in, and its remote: the one named, else `origin`, else the only one.

        `token` is for fetch, push and ls-remote over http; without one the repository's own credentials are left
        alone. `trust` accepts a folder that belongs to somebody else, which is right in CI's containers only.
        """
        checkout = _Checkout.find(path, environ)
        runner = _Runner(checkout.root)
        settings = checkout.settings(runner, environ, trust=trust)
        try:
            private = Path(tempfile.mkdtemp(prefix="gitops-promotion-"))
        except OSError as error:
            raise GitError(
                f"cannot make a temporary folder ({error}): set TMPDIR to one that can be written"
            ) from error
        repository = cls(
            runner=runner, private=private, environ=environ, settings=settings, identity=identity, clock=clock
        )
        try:
            repository.head, repository.head_branch = checkout.head()
            repository.shallow = checkout.borrow(settings, private)
            repository._connect(checkout.root, _remote_name(settings, remote), token)
        except BaseException:
            repository.close()
            raise
        return repository

    def _connect(self, root: Path, name: str, token: str) -> None:
        """Find the remote's real address and make the environment that reaches it."""
        address = next(setting.value for setting in self._settings if setting.key == f"remote.{name}.url")
        configured = any(self._environ.get(variable) for variable in ("GIT_SSH_COMMAND", "GIT_SSH"))
        if not configured and not any(setting.key == "core.sshcommand" for setting in self._settings):
            self._environ["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes"
        handed = [*_handed_over(self._settings, name), *_SAFE]
        self._network = self._environ | _as_environment([*handed, (_REMOTE_URL, address)])
        if any(re.fullmatch(r"url\..*\.insteadof", setting.key, re.DOTALL) for setting in self._settings):
            address = self._git("ls-remote", "--get-url", _REMOTE, network=True).decode().removesuffix("\n")
        if not re.match(r"https?://", address):
            local = "://" not in address and ":" not in address.partition("/")[0]
            self.url = str((root / address).resolve()) if local else address
            return
        web = _Web.parse(address)
        self.url = web.public
        basic = b64encode(f"{unquote(web.user) or 'x-access-token'}:{token}".encode()).decode()
        self._runner.secrets = [
            secret for secret in (token and basic, token, web.password, unquote(web.password)) if secret
        ]
        if token:
            self._token = True
            settings = [*handed, (_REMOTE_URL, address), *_credentials(address, basic)]
            self._network = self._environ | _as_environment(settings) | _NO_PROMPT

    def close(self) -> None:
        """End git's processes and remove the private repository."""
        if self._objects:
            self._objects.stop()
            self._objects = None
        shutil.rmtree(self._private, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def author(self) -> str:
        """The name that commits are signed with."""
        return self._signers()[0][1].name

    @property
    def commands(self) -> int:
        """How many git commands were started so far."""
        return self._runner.count

    # -- the remote

    def refs(self, *patterns: str) -> Refs:
        """Ask the remote for its default branch and for the refs that match (`git ls-remote` patterns)."""
        listed = self._git("ls-remote", "--symref", "--", _REMOTE, "HEAD", *patterns, network=True)
        shas: dict[str, str] = {}
        default = ""
        for line in listed.decode(errors="surrogateescape").split("\n"):
            what, _, name = line.partition("\t")
            if name == "HEAD":
                default = what.removeprefix("ref: refs/heads/") if what.startswith("ref: refs/heads/") else default
            elif _SHA.fullmatch(what) and not name.endswith("^{}"):
                shas[name] = what
        return Refs(default_branch=default, shas=shas)

    def fetch(self, *refs: str, depth: int | None = None) -> dict[str, str]:
        """Bring these refs (full names) here and return the object of each, as fetched.

        Only where history is cut off already does `depth` (default DEPTH) count: elsewhere it would cut it.
        """
        if not refs:
            return {}
        targets = {ref: f"refs/promotion/{sha256(os.fsencode(_ref(ref))).hexdigest()}" for ref in refs}
        self._depth = max(self._depth, depth or DEPTH)
        self._fetch([f"+{ref}:{target}" for ref, target in targets.items()])
        fetched = {ref: _text(self._private / target) for ref, target in targets.items()}
        self._tips.update(fetched)
        return fetched

    def _fetch(self, refspecs: Iterable[str]) -> None:
        cut = [f"--depth={self._depth}"] if self.shallow else []
        options = ["--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-prune", "--quiet", *cut]
        lines = "".join(f"{refspec}\n" for refspec in refspecs)
        self._git("fetch", *options, "--stdin", _REMOTE, network=True, stdin=os.fsencode(lines))
        self.shallow = self.shallow and bool(self._boundary())

    def fetch_commit(self, sha: str) -> bool:
        """Make one commit available, say an event's; False if neither this repository nor the remote has it."""
        if not _SHA.fullmatch(sha) or not sha.strip("0"):
            return False
        if not self.has(sha):
            try:
                self._fetch([f"+{sha}:refs/promotion/{sha}"])
            except AuthError:
                raise
            except GitError as error:
                if re.search(r"not our ref|unadvertised object|remote ref|bad object", str(error)):
                    return False
                raise
            self._tips[sha] = sha
        return self.has(sha)

    def deepen(self, depth: int) -> bool:
        """Fetch `depth` commits of history of all that was fetched; False if no more is to be had."""
        if not self.shallow or not self._tips:
            return False
        before = self._boundary()
        self._depth = max(self._depth, depth)
        self._fetch(sorted(set(self._tips.values())))
        return self._boundary() != before

    def push(self, updates: Sequence[RefUpdate]) -> None:
        """Change all refs or none.

        Raises LeaseLostError if one is not what was expected, or already is what was wanted: then somebody else did
        it (FORGES: an identical object passes a create lease unnoticed). Since git leaves such a ref out of the push,
        of several updates those that must stand or fall together need contents that nobody else can make (a nonce).
        """
        if not updates:
            return
        arguments = ["--porcelain", "--no-verify", "--no-follow-tags", "--no-signed", "--no-recurse-submodules"]
        arguments += ["--atomic"] if len(updates) > 1 else []
        arguments += [f"--force-with-lease={_ref(update.ref)}:{update.expected or ''}" for update in updates]
        refspecs = [f"{update.new or ''}:{update.ref}" for update in updates]
        done = self._runner.run(["push", *arguments, _REMOTE, *refspecs], self._network)
        rows = _read_push(self._runner.mask(done.stdout))
        if done.status == 0 and not any(flag == "=" for flag, _, _ in rows):
            return
        refused = [(ref, why) for flag, ref, why in rows if flag == "!" and "atomic push fail" not in why]
        if done.status == 0 or "remote ref does not exist" in done.stderr or _all_races(refused):
            moved = [ref for ref, _ in refused] or [update.ref for update in updates]
            raise LeaseLostError(f"{', '.join(moved)} at {self.url} moved since it was read: run again")
        if refused:
            words = _remote_words(done.stderr)
            what = "; ".join(f"{ref} {why}" for ref, why in refused)
            raise GitError(f"{self.url} refused {what}{words and f': {words}'}; ask who may push there")
        raise self._failure("push", done.stderr)

    # -- files of commits

    def has(self, sha: str) -> bool:
        """Tell whether a commit is here."""
        return bool(_SHA.fullmatch(sha)) and self._ask("info", sha)[0] == "commit"

    def message(self, commit: str) -> str:
        """Return a commit's message; "" if the commit is not here."""
        kind, content = self._ask("contents", _sha(commit))
        return content.partition(b"\n\n")[2].decode(errors="surrogateescape") if kind == "commit" else ""

    def grep(self, commit: str, needles: Sequence[str], paths: Sequence[str] = ()) -> list[str]:
        """Return the manifests (*.yaml, *.yml, Kustomization; no symlinks) with a marker line that has a needle.

        A backslash on such a line counts too, JSON may escape a name; no needles: any marker line. `paths` are
        literal files or folders.
        """
        wanted = ["-e", _MARKER]
        if needles:
            either = [word for needle in (*needles, "\\") for word in ("--or", "-e", needle)][1:]
            wanted += ["--and", "(", *either, ")"]
        specs = [spec for path in paths or ("",) for spec in _manifest_specs(path)]
        done = self._runner.run(
            ["grep", "-z", "-l", "-a", "-F", "--no-color", *wanted, _sha(commit), "--", *specs],
            self._local | {"GIT_LITERAL_PATHSPECS": "0"},
        )
        # It goes on over a blob it cannot read, and a file passed over in silence is never promoted.
        if done.status > 1 or re.search(r"^(?:error|fatal):", done.stderr, re.MULTILINE):
            raise GitError(f"git grep failed: {_first_line(done.stderr)}")
        names = done.stdout.decode(errors="surrogateescape").split("\0")[:-1]
        return sorted(path for path in (name.partition(":")[2] for name in names) if _is_manifest(path))

    def read(self, commit: str, paths: Iterable[str]) -> dict[str, bytes]:
        """Return the contents of files of a commit; what is missing, or a folder, is left out."""
        if not self.has(commit):
            raise GitError(f"commit {commit} is not in this repository: fetch it first")
        found = {path: self._ask("contents", f"{commit}:{path}") for path in paths if not _is_relative(path)}
        return {path: content for path, (kind, content) in found.items() if kind == "blob"}

    def read_objects(self, shas: Sequence[str]) -> dict[str, bytes]:
        """Return the contents of blobs. Raises GitError if one is not here."""
        found = {}
        for sha in shas:
            kind, content = self._ask("contents", _sha(sha))
            if kind != "blob":
                raise GitError(f"object {sha} is no file of this repository: fetch it first")
            found[sha] = content
        return found

    def _ask(self, command: str, name: str) -> tuple[str, bytes]:
        """Return kind and content of an object, by one process that lives as long as the repository; '' if missing."""
        if not self._objects:
            self._objects = _Dialogue(self._runner, ["cat-file", "--batch-command", "-z"], self._local)
        question = name.encode(errors="surrogateescape")
        try:
            answer = self._objects.ask(command.encode() + b" " + question + b"\0")
            if not (header := _OBJECT.fullmatch(answer)):
                # The name comes back, with the line ends it may have: read on to its end.
                self._objects.read(max(0, len(question + b" missing\n") - len(answer)))
                return "", b""
            content = self._objects.read(int(header[2]) + 1)[:-1] if command == "contents" else b""
        except GitError:
            self._objects = None
            raise
        return header[1].decode(), content

    # -- history

    def diff(self, old: str, new: str) -> list[Change]:
        """Return what differs between two commits, of whatever kind; a rename is a deletion and an addition."""
        raw = self._git("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", _sha(old), _sha(new))
        fields = raw.decode(errors="surrogateescape").split("\0")
        return [_change(header, path) for header, path in zip(fields[::2], fields[1::2], strict=False)]

    def diff_from_merge_base(self, base: str, head: str) -> tuple[str, list[Change]]:
        """Return the merge base of two commits and what `head` changed since.

        History that is cut off is fetched until the answer is certain. Of several merge bases the changes since any
        count, so that a criss-cross history hides none. Raises GitError if the two have no common history.
        """
        self._settle(base, head)
        done = self._runner.run(["merge-base", "--all", _sha(base), _sha(head)], self._local)
        if done.status > 1:
            raise GitError(f"git merge-base failed: {_first_line(done.stderr)}")
        bases = done.stdout.decode().split()
        if not bases:
            raise GitError(f"{head} and {base} have no common history: rebase the branch on the default branch")
        changes: dict[str, Change] = {}
        for found in reversed(bases):
            changes |= {change.path: change for change in self.diff(found, head)}
        return bases[0], [changes[path] for path in sorted(changes)]

    def history(self, tip: str, paths: Sequence[str], limit: int) -> list[Entry]:
        """Return the newest `limit` first-parent commits, newest first, each with what it changed below `paths`."""
        return self._log("--first-parent", "--sparse", f"--max-count={limit}", _sha(tip), "--", *paths)

    def commits(self, exclude: str, include: str) -> list[Entry]:
        """Return the commits of `include` that `exclude` has not, newest first, changes against the first parent."""
        self._settle(exclude, include)
        return self._log("--topo-order", f"{_sha(exclude)}..{_sha(include)}", "--")

    def _log(self, *arguments: str) -> list[Entry]:
        options = ["--raw", "-z", "--no-abbrev", "--no-renames", "--diff-merges=first-parent"]
        raw = self._git("log", *options, f"--format={_LOG_FORMAT}", *arguments)
        return list(_entries(raw.decode(errors="surrogateescape"), self._boundary()))

    def _boundary(self) -> frozenset[str]:
        """Return the commits whose parents are cut off."""
        return frozenset(_text(self._private / "shallow").split())

    def _settle(self, one: str, other: str) -> None:
        """Fetch history until no cut can change what the two have in common.

        A cut matters only between a tip and the common history, and there it could hide a newer merge base: a pull
        request of more than DEPTH commits would be compared with the wrong one.
        """
        depth = self._depth
        while self.shallow:
            between = self._git("rev-list", f"{_sha(one)}...{_sha(other)}", "--").decode().split()
            if self._boundary().isdisjoint(between):
                return
            if depth >= _EVERYTHING:
                raise GitError(
                    f"the history between {one} and {other} is cut off here and the remote has no more of it: "
                    "check out with full history (fetch-depth: 0)"
                )
            depth = depth * 4 if depth < 16 * DEPTH else _EVERYTHING
            self.deepen(depth)

    # -- new objects

    def commit(self, base: str, edits: Mapping[str, bytes | None], message: str) -> str:
        """Make a commit on `base` with these files written, or deleted (None), and return it.

        Files keep their mode, new ones are 100644. Raises GitError if a path leads through a symlink or would
        replace anything but a file.
        """
        for path in edits:
            _check_path(path)
        process = _Dialogue(self._runner, ["fast-import", "--quiet", "--force", "--done"], self._local)
        try:
            modes = self._modes(process, _sha(base), edits)
        except GitError:
            process.stop()
            raise
        text = message.encode(errors="surrogateescape")
        lines = [b"commit refs/promotion/commit\nmark :1\n"]
        lines += [
            f"{role} {who.name} <{who.email}> {self._seconds()} +0000\n".encode() for role, who in self._signers()
        ]
        lines += [b"data %d\n%s\nfrom %s\n" % (len(text), text, base.encode())]
        for path, content in edits.items():
            if content is None:
                lines += [b"D %s\n" % _quote(path)]
            else:
                mode = modes[path] or b"100644"
                lines += [b"M %s inline %s\ndata %d\n%s\n" % (mode, _quote(path), len(content), content)]
        lines += [b"\nget-mark :1\ndone\n"]
        return process.end(b"".join(lines)).decode().strip()

    @staticmethod
    def _modes(process: _Dialogue, base: str, edits: Mapping[str, bytes | None]) -> dict[str, bytes]:
        """Return the mode of each file in `base`, b"" for a new one. Raises GitError for what is no file."""
        modes: dict[str, bytes] = {}

        def mode(path: str) -> bytes:
            if path not in modes:
                answer = process.ask(b"ls %s %s\n" % (base.encode(), _quote(path)))
                modes[path] = b"" if answer.startswith(b"missing ") else answer.split()[0]
            return modes[path]

        for path, content in edits.items():
            for folder in Path(path).parents[-2::-1]:
                if mode(str(folder)) not in (b"", b"040000") or edits.get(str(folder)) is not None:
                    raise GitError(f"cannot write {path}: {folder} is no folder; move it out of the way by hand")
            allowed = (b"", b"100644", b"100755") if content is not None else (b"", b"100644", b"100755", b"120000")
            if mode(path) not in allowed:
                raise GitError(f"cannot change {path}: it is a folder, a symlink or a submodule; edit it by hand")
        return modes

    def conflicts(self, ours: str, theirs: str) -> tuple[str, ...]:
        """Return the paths that stand in the way of merging two commits; () if it is clean."""
        return self._merge_trees(ours, theirs)[1]

    def merge(self, base: str, head: str, message: str) -> Merge:
        """Make a merge commit with `base` as its first parent, or name the conflicts."""
        tree, paths = self._merge_trees(base, head)
        if paths:
            return Merge(sha=None, conflicts=paths)
        people: dict[str, str] = {}
        for role, who in self._signers():
            people |= {f"GIT_{role.upper()}_NAME": who.name, f"GIT_{role.upper()}_EMAIL": who.email}
            people |= {f"GIT_{role.upper()}_DATE": f"@{self._seconds()} +0000"}
        arguments = ["commit-tree", tree, "-p", base, "-p", head, "-F", "-"]
        made = self._runner.run(arguments, self._local | people, message.encode(errors="surrogateescape"))
        if made.status:
            raise GitError(f"git commit-tree failed: {_first_line(made.stderr)}")
        return Merge(sha=made.stdout.decode().strip())

    def _merge_trees(self, ours: str, theirs: str) -> tuple[str, tuple[str, ...]]:
        self._settle(ours, theirs)
        options = ["--write-tree", "--no-messages", "--name-only", "-z"]
        done = self._runner.run(["merge-tree", *options, _sha(ours), _sha(theirs)], self._local)
        tree, *names = done.stdout.decode(errors="surrogateescape").split("\0")
        paths = tuple(name for name in names if name)
        if done.status != bool(paths):  # 1 says conflicts, and also that git does not know the command
            raise GitError(f"cannot merge {theirs} into {ours}: {_advice(done.stderr)}")
        return tree, paths

    def write_blob(self, content: bytes) -> str:
        """Store a blob here and return its object id; only a push makes it known to others."""
        return self._git("hash-object", "-w", "--stdin", stdin=content).decode().strip()

    def _seconds(self) -> int:
        return int(self._clock().timestamp())

    def _signers(self) -> list[tuple[str, Identity]]:
        """Return author and committer: `identity`, else as git finds them, else the default."""
        if self.identity:
            return [(role, _clean(self.identity)) for role in ("author", "committer")]
        settings = {setting.key: setting.value for setting in self._settings}
        found = []
        for role in ("author", "committer"):
            name, email = (
                self._environ.get(f"GIT_{role.upper()}_{part.upper()}")
                or settings.get(f"{role}.{part}")
                or settings.get(f"user.{part}")
                or getattr(DEFAULT_IDENTITY, part)
                for part in ("name", "email")
            )
            found.append((role, _clean(Identity(name=name, email=email))))
        return found

    # -- running git

    def _git(self, *arguments: str, network: bool = False, stdin: bytes = b"") -> bytes:
        done = self._runner.run(arguments, self._network if network else self._local, stdin)
        if done.status:
            raise self._failure(arguments[0], done.stderr)
        return done.stdout

    def _failure(self, command: str, stderr: str) -> GitError | AuthError:
        """Say what failed and what to do next; AuthError where the remote wants another token."""
        if _AUTH.search(stderr):
            said = _remote_words(stderr)
            what = "does not accept the token, or the token lacks a permission" if self._token else "wants a token"
            how = "check --token" if self._token else "give one with --token or its environment variable"
            return AuthError(f"{self.url} {what}{said and f' ({said})'}: {how}")
        return GitError(f"git {command} failed at {self.url}: {_advice(stderr)}")


def _private_environment(environ: Mapping[str, str], private: Path) -> dict[str, str]:
    """Return the caller's environment with everything reset that would lead git elsewhere than to `private`."""
    home = str(private)
    return {
        **environ,
        "GIT_DIR": home,
        "GIT_COMMON_DIR": home,
        "GIT_WORK_TREE": home,
        "GIT_INDEX_FILE": f"{home}/index",
        "GIT_OBJECT_DIRECTORY": f"{home}/objects",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": "",
        "GIT_GRAFT_FILE": f"{home}/grafts",
        "GIT_NAMESPACE": "",
        "GIT_CONFIG_PARAMETERS": "",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_GLOB_PATHSPECS": "0",
        "GIT_NOGLOB_PATHSPECS": "0",
        "GIT_ICASE_PATHSPECS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LANGUAGE": "C",
        "LC_ALL": "C",
    }


def _as_environment(settings: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Write settings as git reads them from its environment: unlike arguments no other user can see them."""
    numbered = {"GIT_CONFIG_COUNT": str(len(settings))}
    for index, (key, value) in enumerate(settings):
        numbered |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
    return numbered


def _inherited(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the settings that are in the caller's environment already."""
    count = environ.get("GIT_CONFIG_COUNT", "")
    indexes = range(int(count)) if count.isascii() and count.isdigit() else ()
    return [(environ.get(f"GIT_CONFIG_KEY_{i}", ""), environ.get(f"GIT_CONFIG_VALUE_{i}", "")) for i in indexes]


def _credentials(address: str, basic: str) -> list[tuple[str, str]]:
    """Make settings that send our token to this address alone, and no redirect's.

    The key is the address verbatim: no other is more specific, so nothing of a checkout step wins over it, and the
    empty value resets what such a step left. The person's own helpers must not answer in the token's place.
    """
    header = f"http.{address}.extraHeader"
    return [
        (header, ""),
        (header, f"Authorization: Basic {basic}"),
        (f"http.{address}.followRedirects", "false"),
        ("credential.helper", ""),
    ]


def _handed_over(settings: Sequence[_Setting], remote: str) -> list[tuple[str, str]]:
    """Return what reaching the remote needs of the repository's configuration, by the private remote's name.

    The caller's `git -c` and GIT_CONFIG_* come after it, as they do in git.
    """
    own = [(setting.key, setting.value) for setting in settings if setting.own and _TRANSPORT.fullmatch(setting.key)]
    keys = {f"remote.{remote}.{key}": f"remote.{_REMOTE}.{key}" for key in _REMOTE_KEYS}
    renamed = [(keys[setting.key], setting.value) for setting in settings if setting.key in keys]
    return own + renamed + [(setting.key, setting.value) for setting in settings if setting.scope == "command"]


def _remote_name(settings: Sequence[_Setting], wanted: str | None) -> str:
    keys = [re.fullmatch(r"remote\.(.+)\.url", setting.key, re.DOTALL) for setting in settings if setting.value]
    names = sorted({match[1] for match in keys if match})
    name = wanted or ("origin" if "origin" in names else names[0] if len(names) == 1 else None)
    if not names:
        raise GitError("the repository has no remote: add one with `git remote add origin URL`")
    if name not in names:
        what = f"no remote is called {wanted}" if wanted else "it is not clear which remote to use"
        raise GitError(f"{what}: name one of {', '.join(names)}, or call it origin with `git remote rename`")
    return name


def _read_push(stdout: str) -> list[tuple[str, str, str]]:
    """Read what `git push --porcelain` printed: flag, ref and summary of each."""
    rows = (line.split("\t") for line in stdout.split("\n"))
    return [(row[0], row[1].rpartition(":")[2], row[2]) for row in rows if len(row) == 3 and row[0] in tuple(" +-*!=")]


def _entries(raw: str, boundary: frozenset[str]) -> Iterator[Entry]:
    """Read what `git log` with _LOG_FORMAT printed."""
    fields = iter(raw.split("\0"))
    sha = next(fields)
    while sha:
        parents, author_email, committer_email, message, _ = (next(fields) for _ in range(5))
        changes = []
        following = next(fields, "")
        while following.startswith((":", "\n:")):
            changes.append(_change(following, next(fields)))
            following = next(fields, "")
        complete = sha not in boundary
        yield Entry(
            sha=sha,
            parents=tuple(parents.split()),
            author_email=author_email,
            committer_email=committer_email,
            message=message,
            changes=tuple(changes) if complete else (),
            complete=complete,
        )
        sha = following


def _change(raw: str, path: str) -> Change:
    """Read one `:mode mode old new status` of a raw diff."""
    old, new = raw.split()[2:4]
    return Change(path=path, old=old if old.strip("0") else None, new=new if new.strip("0") else None)


def _manifest_specs(path: str) -> Iterator[str]:
    """Pathspecs for the manifests at or below a literal path."""
    if path:
        if _is_manifest(path):
            yield f":(literal){path}"
        path = re.sub(r"([*?\[\\])", r"\\\1", path.rstrip("/")) + "/"
    for name in ("*.yaml", "*.yml", "Kustomization"):
        yield f":(glob){path}**/{name}"


def _is_manifest(path: str) -> bool:
    return path.endswith((".yaml", ".yml")) or path.rpartition("/")[2] == "Kustomization"


def _advice(stderr: str) -> str:
    """Pick the line of git's error that says most, with what to do about it."""
    if found := re.search(r"dubious ownership in repository at '(.*)'", stderr):
        return (
            f"{found[1]} belongs to another user: run as its owner, or trust it with "
            f"`git config --global --add safe.directory {found[1]}`"
        )
    for pattern, advice in _NEXT_STEPS:
        if found := re.search(f".*(?:{pattern}).*", stderr):
            return f"{_first_line(found[0])}: {advice}"
    return f"{_first_line(stderr)}: see what `git fetch` says in the same folder"


def _first_line(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()] or ["no reason given"]
    start = next((i for i, line in enumerate(lines) if line.startswith(("fatal: ", "error: "))), 0)
    told = re.sub(r"^(?:fatal|error|remote): +", "", lines[start]).removesuffix(".")
    return f"{told} {lines[start + 1]}" if told.endswith(":") and lines[start + 1 :] else told


def _remote_words(stderr: str) -> str:
    """Return what the remote itself has to say."""
    return " ".join(re.findall(r"^remote: *(.*\S)", stderr, re.MULTILINE))[:500]


def _quote(path: str) -> bytes:
    """Put a path in C-style quotes, as git's own formats take it whatever it contains."""
    escaped = path.encode(errors="surrogateescape").replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"%s"' % escaped


def _text(path: Path) -> str:
    """Read a small file's text without its line end; "" where there is none."""
    try:
        return path.read_text(errors="surrogateescape").rstrip("\n")
    except OSError:
        return ""


def _clean(identity: Identity) -> Identity:
    """Without the characters that mean something in a commit's header."""
    name, email = (re.sub(r"[<>\x00-\x1f\x7f]", "", text).strip() for text in (identity.name, identity.email))
    return Identity(name=name or DEFAULT_IDENTITY.name, email=email or DEFAULT_IDENTITY.email)


def _sha(text: str) -> str:
    """Pass an object id that can be nothing else to git. Raises GitError."""
    if not _SHA.fullmatch(text):
        raise GitError(f"{text!r} is no full object id: name a commit by its 40 or 64 hex digits")
    return text


def _ref(text: str) -> str:
    """Pass a full ref name that can be nothing else in a refspec. Raises GitError."""
    if not text.startswith("refs/") or _BAD_REF.search(text):
        raise GitError(f"{text!r} is no full ref name: write refs/heads/<branch>")
    return text


def _check_path(path: str) -> None:
    """Refuse what would leave the repository or reach git's own folder. Raises GitError."""
    for part in path.split("/"):
        # Also the ways in which Windows and macOS file systems spell it.
        plain = re.sub(r"[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]", "", part).rstrip(". ").lower()
        if part in ("", ".", "..") or "\0" in part or plain in (".git", "git~1"):
            raise GitError(f"{path!r} cannot be a file of a repository: name one below its top folder")


def _is_relative(path: str) -> bool:
    """Whether git would not take this as a path from the top: `./x` and `../x` fail, NUL ends the question."""
    return path.startswith(("./", "../")) or "\0" in path


def _all_races(refused: Sequence[tuple[str, str]]) -> bool:
    return bool(refused) and all(_RACE.search(why) for _, why in refused)
