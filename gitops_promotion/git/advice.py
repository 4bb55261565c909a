"""The reason in git's error output, and the next step for it."""

import re

_NEXT_STEPS = (
    (r"couldn't find remote ref", "it was deleted or never existed, check its name or run again"),
    (
        r"returned error: 3\d\d|redirect",
        # Azure DevOps redirects a client that it does not know to its sign-in page.
        "the remote has moved, put in its new address with `git remote set-url`; or it wants another token",
    ),
    (r"returned error: (?:429|5\d\d)", "the server is overloaded or down, try again later"),
    (
        r"bad (?:\w+ )*config|reading the configuration files|config value|GIT_CONFIG_",
        "correct git's configuration, `git config --list --show-origin` shows the file of each setting",
    ),
    (
        # The last two: https://github.com/git/git/blob/v2.39.5/csum-file.c and refs/files-backend.c there.
        r"No space left|quota exceeded|File too large|cannot allocate memory|Out of diskspace|couldn't write '",
        "free space in the folder for temporary files, or set TMPDIR to another one",
    ),
    (r"Permission denied|Host key verification", "check the ssh key, its rights and known_hosts"),
    (r"resolve host|refused|timed out|connect to|reset by peer|hung up|early EOF", "check the network and run again"),
    (
        r"not found|does not appear to be|does not exist|No such file",
        "check the remote's address and your access to it",
    ),
    (r"usage: git|unknown (?:option|switch)|is not a git command", "git 2.39 or newer is needed, update git"),
    (r"unrelated histories", "rebase the branch on the default branch"),
    (r"bad object|unable to read|missing|corrupt", "the repository is damaged or incomplete, clone it again"),
)
# Characters of what the remote printed.
_WORDS_LIMIT = 500

LOCAL_STEP = "run again, and clone the repository again if that does not help"
"""The next step for an unknown failure of a command that does not reach the remote."""


def advice(stderr: str, otherwise: str = "try `git fetch` in the same folder") -> str:
    """Return the line of git's error output that says most, with the next step for it, else `otherwise`."""
    if match := re.search(r"dubious ownership in repository at '(.*)'", stderr):
        return (
            f"{match[1]} belongs to another user: run as its owner, or trust it with "
            f"`git config --global --add safe.directory {match[1]}`"
        )
    for pattern, next_step in _NEXT_STEPS:
        if match := re.search(f".*(?:{pattern}).*", stderr):
            return f"{first_line(match[0])}: {next_step}"
    return f"{first_line(stderr)}: {otherwise}"


def first_line(stderr: str) -> str:
    """Return the reason that git gives, without its prefix."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()] or ["no reason given"]
    start = next((i for i, line in enumerate(lines) if line.startswith(("fatal: ", "error: "))), 0)
    reason = re.sub(r"^(?:fatal|error|remote): +", "", lines[start]).removesuffix(".")
    return f"{reason} {lines[start + 1]}" if reason.endswith(":") and lines[start + 1 :] else reason


def remote_words(stderr: str) -> str:
    """Return the lines that the remote itself printed, as one line of at most 500 characters."""
    return " ".join(re.findall(r"^remote: *(.*\S)", stderr, re.MULTILINE))[:_WORDS_LIMIT]
