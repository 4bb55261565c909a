"""Finding and running kustomize, with scripts in its place: no real kustomize is needed."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_promotion import kustomize as kustomize_module
from gitops_promotion.errors import KustomizeError, RestrictedError
from gitops_promotion.kustomize import Kustomize, Limits
from tests.kustomizations import program

KUBECTL = "echo 'Client Version: v1.32.4'; echo 'Kustomize Version: {version}'"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "bin"
    path.mkdir()
    return path


def put(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def find(folder: Path, **environ: str) -> Kustomize:
    return Kustomize.find({"PATH": str(folder), **environ})


@pytest.mark.parametrize(
    "script", ["echo v5.8.1", "echo v5.0.0", "echo '{Version:kustomize/v5.0.1 GitCommit:x}'", "echo v10.0.0"]
)
def test_kustomize_5_or_newer_is_used(folder: Path, script: str) -> None:
    put(folder, "kustomize", script)
    put(folder, "kubectl", KUBECTL.format(version="v5.5.0"))
    assert find(folder).command == (str(folder / "kustomize"), "build")


@pytest.mark.parametrize("script", ["echo v4.5.7", "echo '{Version:kustomize/v4.5.7 GitCommit:x}'", "exit 1", "echo"])
def test_without_kustomize_a_kubectl_that_embeds_it_is_used(folder: Path, script: str) -> None:
    put(folder, "kustomize", script)
    put(folder, "kubectl", KUBECTL.format(version="v5.5.0"))
    kubectl = find(folder)
    assert (kubectl.command, kubectl.version) == ((str(folder / "kubectl"), "kustomize"), "v5.5.0")


@pytest.mark.parametrize("version", [None, "v4.5.7", "unknown"])
def test_without_both_the_error_says_how_to_install_them(folder: Path, version: str | None) -> None:
    if version:
        put(folder, "kubectl", KUBECTL.format(version=version))
    with pytest.raises(
        KustomizeError, match=r"no kustomize 5 or newer \(.*install kustomize 5 .*container image"
    ) as raised:
        find(folder)
    assert "\n" not in str(raised.value)
    assert version in (None, "unknown") or version in str(raised.value)


def test_the_program_gets_no_token_no_private_key_and_no_variable_that_it_does_not_need(
    folder: Path, tmp_path: Path
) -> None:
    put(folder, "kustomize", '[ "$1" = version ] && { echo v5.0.0; exit; }\n/usr/bin/env')
    secret = "ghs_" + "x" * 36
    names = ["GITOPS_PROMOTION_TOKEN", "GITHUB_TOKEN", "SYSTEM_ACCESSTOKEN", "GITHUB_APP_PRIVATE_KEY", "KUBECONFIG"]
    names += ["GIT_CONFIG_VALUE_0", "ANY"]
    kustomize = find(folder, HOME="/home/x", HTTPS_PROXY="http://proxy", **dict.fromkeys(names, secret))
    output = kustomize.build(tmp_path, ".").decode()
    assert secret not in output
    variables = {line.partition("=")[0] for line in output.splitlines()}
    assert variables <= {"PATH", "HOME", "HTTPS_PROXY", "GIT_TERMINAL_PROMPT", "PWD", "OLDPWD", "SHLVL", "_"}
    assert {"PATH", "HOME", "HTTPS_PROXY"} <= variables


def test_an_error_is_one_line_with_the_paths_of_the_repository(folder: Path, tmp_path: Path) -> None:
    script = (
        '[ "$1" = version ] && { echo v5.0.0; exit; }\n'
        "echo '# Warning: commonLabels is deprecated' >&2\n"
        'echo "Error: $2/x.yaml: gone\x1b[31m" >&2\necho "  and more" >&2\nexit 1'
    )
    put(folder, "kustomize", script)
    with pytest.raises(KustomizeError) as raised:
        find(folder).build(tmp_path, "apps/dev")
    assert str(raised.value) == (
        "apps/dev does not build with kustomize v5.0.0: apps/dev/x.yaml: gone\\x1b[31m and more: try it by hand, in a "
        "clone of the repository"
    )


def test_a_file_outside_the_folder_is_a_restricted_error_and_can_be_allowed(folder: Path, tmp_path: Path) -> None:
    script = (
        '[ "$1" = version ] && { echo v5.0.0; exit; }\n'
        '[ "$4" = LoadRestrictionsNone ] && { echo "a: b"; exit; }\n'
        "echo \"Error: security; file '/x' is not in or below '/y'\" >&2\nexit 1"
    )
    put(folder, "kustomize", script)
    with pytest.raises(RestrictedError):
        find(folder).build(tmp_path, ".")
    assert find(folder).build(tmp_path, ".", unrestricted=True) == b"a: b\n"


def test_a_build_that_takes_too_long_is_stopped_with_its_children(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder, "kustomize", '[ "$1" = version ] && { echo v5.0.0; exit; }\n/bin/sleep 60 & echo $! > "$2/child"; wait')
    monkeypatch.setattr(kustomize_module, "TIMEOUT", 0.3)
    start = time.monotonic()
    with pytest.raises(KustomizeError, match=r"no result after 0\.3s"):
        find(folder).build(tmp_path, ".")
    assert time.monotonic() - start < 10
    child = int((tmp_path / "child").read_text())
    for _ in range(100):
        state = Path(f"/proc/{child}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            break
        time.sleep(0.01)
    else:
        pytest.fail("its child is still running")


def test_a_program_that_cannot_be_started_is_an_error(folder: Path, tmp_path: Path) -> None:
    put(folder, "kustomize", "echo v5.0.0")
    kustomize = find(folder)
    (folder / "kustomize").chmod(stat.S_IRUSR)
    (folder / "kustomize").write_bytes(b"\x00")
    with pytest.raises(KustomizeError):
        kustomize.build(tmp_path, ".")


@pytest.mark.kustomize
def test_the_recorded_output_is_that_of_a_real_kustomize_if_there_is_one(folder: Path, tmp_path: Path) -> None:
    program.put_on_path(folder, program.real())
    kustomize = Kustomize.find({"PATH": f"{folder}:/usr/bin:/bin"})
    (tmp_path / "tree/apps").mkdir(parents=True)
    (tmp_path / "tree/apps/kustomization.yaml").write_text("namePrefix: dev-\nresources: [x.yaml]\n")
    (tmp_path / "tree/apps/x.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: b}\n")
    assert kustomize.build(tmp_path / "tree", "apps") == (
        b"apiVersion: v1\ndata:\n  a: b\nkind: ConfigMap\nmetadata:\n  name: dev-x\n"
    )
    if program.RECORDING:
        return
    (tmp_path / "tree/apps/x.yaml").write_text("another file than the recorded one")
    with pytest.raises(KustomizeError, match="record it"):
        kustomize.build(tmp_path / "tree", "apps")


def test_charts_are_named_and_not_inflated(folder: Path, tmp_path: Path) -> None:
    put(
        folder, "kustomize", '[ "$1" = version ] && { echo v5.0.0; exit; }\necho must specify --enable-helm >&2\nexit 1'
    )
    with pytest.raises(KustomizeError, match="charts are not inflated, here as in Flux: keep the output of helmCharts"):
        find(folder).build(tmp_path, ".")


def test_an_interrupt_that_also_ends_the_program_stays_an_interrupt(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interruptible: None
) -> None:
    waiting = tmp_path / "waiting"
    os.mkfifo(waiting)
    put(folder, "kustomize", f'[ "$1" = version ] && {{ echo v5.0.0; exit; }}\nread _ <{waiting}\nkill -INT $PPID')
    kustomize = find(folder)

    class Waiting(subprocess.Popen[bytes]):
        """Lets the program go on once its end is waited for."""

        def communicate(self, input: bytes | None = None, timeout: float | None = None) -> tuple[bytes, bytes]:  # noqa: A002  of Popen
            if waiting.exists():
                with waiting.open("w", encoding="ascii") as pipe:
                    waiting.unlink()  # before the interrupt: the second `communicate` would wait for a reader forever
                    pipe.write("\n")
            return super().communicate(input, timeout)

    monkeypatch.setattr(subprocess, "Popen", Waiting)
    with pytest.raises(KeyboardInterrupt):
        kustomize.build(tmp_path, ".")


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGINT, also where pytest was started with SIGINT ignored, as `nohup` does."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_output_that_is_too_large_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, "kustomize", '[ "$1" = version ] && echo v5.8.1 || echo "kind: ConfigMap"')
    found = find(folder)
    assert found.build(folder, ".") == b"kind: ConfigMap\n"
    monkeypatch.setattr(kustomize_module, "OUTPUT_LIMIT", 15)
    with pytest.raises(KustomizeError, match=r"its output has more than .* MiB: split the environment"):
        found.build(folder, ".")


def confined(folder: Path, tmp_path: Path, script: str, limits: Limits) -> Kustomize:
    put(folder, "kustomize", f'[ "$1" = version ] && {{ echo v5.0.0; exit; }}\n{script}')
    home = tmp_path / "home"
    home.mkdir()
    variables = {"HOME": "/home/x", "SSH_AUTH_SOCK": "/agent", "HTTPS_PROXY": "http://proxy", "SSL_CERT_FILE": "/ca"}
    return find(folder, **variables).confined(home, limits)


def test_a_confined_build_has_an_empty_home_no_path_no_agent_and_a_proxy_that_is_not_there(
    folder: Path, tmp_path: Path
) -> None:
    output = confined(folder, tmp_path, "exec /usr/bin/env", Limits()).build(tmp_path, ".").decode()
    variables = dict(line.partition("=")[::2] for line in output.splitlines())
    home, nobody = str(tmp_path / "home"), "http://127.0.0.1:9"
    assert {name: variables.get(name) for name in ("HOME", "PATH", "HTTPS_PROXY", "http_proxy")} == {
        "HOME": home,
        "PATH": home,
        "HTTPS_PROXY": nobody,
        "http_proxy": nobody,
    }
    assert not {"SSH_AUTH_SOCK", "SSL_CERT_FILE", "NO_PROXY"} & variables.keys()


@pytest.mark.parametrize(
    ("script", "limits", "reason"),
    [
        ("exec /bin/sleep 60", Limits(seconds=0.2), "no result after"),
        ("exec /usr/bin/head -c 100000 /dev/zero", Limits(output=1000), "no reason given"),
        (f"exec {sys.executable} -I -S -c 'len(bytes(1 << 30))'", Limits(memory=1 << 29), "MemoryError"),
    ],
    ids=["time", "output", "memory"],
)
def test_a_confined_build_is_bounded(folder: Path, tmp_path: Path, script: str, limits: Limits, reason: str) -> None:
    with pytest.raises(KustomizeError, match=reason):
        confined(folder, tmp_path, script, limits).build(tmp_path, ".")
