"""What git is told by its environment variables."""

from collections.abc import Mapping, Sequence
from pathlib import Path

SAFE = (
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.attributesFile", "/dev/null"),
    ("protocol.ext.allow", "never"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
)

# With a token nobody else is asked, and traces that were switched on show no header.
NO_PROMPT = {
    "GIT_ASKPASS": "",
    "GIT_TRACE_REDACT": "1",
    "GIT_TRACE2_CONFIG_PARAMS": "none",
    "GIT_TRACE2_ENV_VARS": "none",
}

# Commands that stay here read no configuration but ours: a person's `log.follow` or `color.ui=always` changes nothing.
NO_CONFIG = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


def private_environment(environ: Mapping[str, str], private: Path) -> dict[str, str]:
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


def as_environment(settings: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Write settings as git reads them from its environment: unlike arguments no other user can see them."""
    numbered = {"GIT_CONFIG_COUNT": str(len(settings))}
    for index, (key, value) in enumerate(settings):
        numbered |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
    return numbered


def inherited(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the settings that are in the caller's environment already."""
    count = environ.get("GIT_CONFIG_COUNT", "")
    indexes = range(int(count)) if count.isascii() and count.isdigit() else ()
    return [(environ.get(f"GIT_CONFIG_KEY_{i}", ""), environ.get(f"GIT_CONFIG_VALUE_{i}", "")) for i in indexes]
