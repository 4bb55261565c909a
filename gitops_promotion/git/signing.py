"""Signatures of new commits, where git's own configuration asks for them: `commit.gpgSign`.

git makes them, with `gpg.format`, `user.signingKey` and the programs of its configuration, as in `git commit`
(https://git-scm.com/docs/git-config#Documentation/git-config.txt-gpgformat).
"""

import re
from collections.abc import Mapping, Sequence

from gitops_promotion.core import durations
from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import GitError, SigningError
from gitops_promotion.git.advice import first_line
from gitops_promotion.git.checkout import Setting
from gitops_promotion.git.environment import signing_environment
from gitops_promotion.git.identity import Authorship
from gitops_promotion.git.private_repository import PrivateRepository

SECONDS = 60.0
"""Seconds that a signature may take: a program that asks a person who is not there would wait for ever."""

_SETTINGS = re.compile(r"gpg\..*|user\.signingkey", re.DOTALL)
_TRUE = re.compile(r"true|yes|on|[+-]?0*[1-9][0-9]*[kmg]?", re.IGNORECASE)
_FALSE = re.compile(r"false|no|off|[+-]?0+[kmg]?|", re.IGNORECASE)
_WAY_OUT = "or set commit.gpgSign to false to make commits without a signature (docs/signed-commits.md)"

_NEXT_STEPS = (
    (
        r"passphrase|pinentry|ioctl|agent refused|timed out",
        "nobody is asked for a passphrase: unlock the key in an agent (ssh-add, gpg-agent), or use a key without one",
    ),
    (
        r"cannot (?:run|exec)|invalid value|unsupported value",
        "check gpg.format, gpg.program and gpg.ssh.program, and that the program is installed",
    ),
    (
        r"signingkey|[Ss]ecret key|No such file|[Ll]oad (?:public )?key|private key",
        "give this machine the key, and name it with user.signingKey and gpg.format",
    ),
)

_OTHER_STEP = "check user.signingKey, and sign something by hand to see the reason of its program"


class Signer:
    """Makes signed commits. After one failure all commits of the run fail, so that no key is asked for many times."""

    def __init__(
        self,
        private: PrivateRepository,
        environ: Mapping[str, str],
        settings: Sequence[Setting],
        *,
        seconds: float = SECONDS,
    ) -> None:
        """Keep what git's configuration says of signatures; nothing is started yet."""
        self._private = private
        self._values = {setting.key: setting.value for setting in settings}
        pairs = [(setting.key, setting.value) for setting in settings if _SETTINGS.fullmatch(setting.key)]
        self._environ = signing_environment(environ, private.folder, pairs)
        self._seconds = seconds
        self._failure = ""

    def is_wanted(self) -> bool:
        """Return True if git's configuration asks for signed commits. Raises GitError for any other value."""
        value = self._values.get("commit.gpgsign", "")
        if _TRUE.fullmatch(value):
            return True
        if not _FALSE.fullmatch(value):
            raise GitError(f"commit.gpgSign is {quoted(value)} in git's configuration: write true or false")
        return False

    def commit_tree(self, tree: str, parents: Sequence[str], message: str, authorship: Authorship) -> str:
        """Make a signed commit of a tree, and return it. Raises SigningError, after which every other call does too."""
        if "PRIVATE KEY" in self._values.get("user.signingkey", ""):
            # git would take the key for the name of a file, and print it.
            self._failure = "user.signingKey is a private key: write it to a file of mode 0600 and name that file"
        if self._failure:
            raise SigningError(self._failure)
        arguments = ["commit-tree", tree, *(word for parent in parents for word in ("-p", parent)), "-S", "-F", "-"]
        text = message.encode(errors="surrogateescape")
        environ = {**self._environ, **authorship.variables}
        try:
            result = self._private.runner.run(arguments, environ, text, seconds=self._seconds, own_session=True)
        except TimeoutError:
            self._failure = _failure(f"no signature within {durations.shown(self._seconds)}: timed out")
            raise SigningError(self._failure) from None
        if result.status:
            self._failure = _failure(result.stderr)
            raise SigningError(self._failure)
        return result.stdout.decode().strip()


def _failure(stderr: str) -> str:
    """Return the text of the error for git's output."""
    reason = re.sub(r"Enter passphrase[^:]*: *", "", first_line(stderr))
    next_step = next((step for pattern, step in _NEXT_STEPS if re.search(pattern, stderr)), _OTHER_STEP)
    return f"git cannot sign the commit ({reason}): {next_step}, {_WAY_OUT}"
