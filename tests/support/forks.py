"""Programs of their own whose Python is forked from one that has everything imported.

The start of a Python with the SDKs takes some 200 ms of CPU, a fork takes a few. A fork is asked for by `Forks.start`,
or by a program that can be started: the forked process has the arguments, the environment, the folder and the standard
streams of that program, which ends in the same way.
"""

import importlib
import marshal
import os
import pkgutil
import shlex
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from types import TracebackType
from typing import Self

import gitops_promotion

ROOT = Path(__file__).parents[2]

# Its own start is what is left of the cost: no `site`, and only modules that are there from the start.
CLIENT = """
import _socket, marshal, os, sys
server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
server.connect(sys.argv[1])
data = marshal.dumps((sys.argv[2], sys.argv[3:], dict(os.environ), os.getcwd()))
streams = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
server.sendmsg([len(data).to_bytes(8, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
server.send(data)
ended = server.recv(8)
# Nothing is said by one that was killed.
sys.exit(int(ended)) if ended else os.kill(os.getpid(), 9)
"""


Request = tuple[str, list[str], dict[str, str], str]
"""What is called, as `module:function`; `sys.argv`; variables; folder."""


class Forked:
    """A forked process that was started here."""

    def __init__(self, address: str, request: Request) -> None:
        self._arguments = request[1]
        self._outputs = TemporaryFile(), TemporaryFile()  # noqa: SIM115  `wait` closes them
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(address)
        data = marshal.dumps(request)
        with open(os.devnull, "rb") as nothing:
            streams = [each.fileno() for each in (nothing, *self._outputs)]
            socket.send_fds(self._socket, [len(data).to_bytes(8, "big")], streams)
        self._socket.sendall(data)

    def wait(self) -> "subprocess.CompletedProcess[str]":
        """Return how it ended and what it printed."""
        with self._socket, self._outputs[0], self._outputs[1]:
            ended = self._socket.recv(8)
            texts = [os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode() for file in self._outputs]
        # Nothing is said by one that was killed.
        return subprocess.CompletedProcess(self._arguments, int(ended) if ended else -signal.SIGKILL, *texts)


class Forks:
    """A process that forks programs, until it is closed; `address` is that of its socket."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="forks-")
        self.address = f"{self._folder.name}/socket"
        self._client = Path(self._folder.name, "client.py")
        self._client.write_text(CLIENT)
        command = [sys.executable, "-c", "import sys; from tests.support.forks import serve; serve(sys.argv[1])"]
        environ = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self._process = subprocess.Popen(
            [*command, self.address], env=environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE
        )
        assert self._process.stdout
        assert self._process.stdout.readline() == b"ready\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()

    def start(self, function: str, arguments: Sequence[str], environ: Mapping[str, str]) -> Forked:
        """Let a process call `module:function` with these arguments in `sys.argv[1:]`."""
        return Forked(self.address, (function, [function, *arguments], dict(environ), os.getcwd()))

    def write_program(self, path: Path, function: str) -> Path:
        """Write a program that calls `module:function` with its arguments in `sys.argv`."""
        words = shlex.join([sys.executable, "-I", "-S", str(self._client), self.address, function])
        path.write_text(f'#!/bin/sh\nexec {words} "$0" "$@"\n')
        path.chmod(0o755)
        return path


def serve(path: str) -> None:
    """Fork a process for each client."""
    for module in pkgutil.walk_packages(gitops_promotion.__path__, "gitops_promotion."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    # The package imports these when they are needed first.
    importlib.import_module("git.cmd")
    importlib.import_module("ruamel.yaml")
    importlib.import_module("tests.support.processes")
    signal.signal(signal.SIGCHLD, _reap)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        print("ready", flush=True)
        while True:
            client, _ = listener.accept()
            try:
                streams, (function, arguments, environ, folder) = _receive(client)
            except (EOFError, ConnectionError):  # the client was killed meanwhile
                client.close()
                continue
            if not os.fork():
                listener.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                sys.argv = arguments
                client.send(str(_run(function, streams, environ, folder)).encode())
                os._exit(0)
            for stream in (client.detach(), *streams):
                os.close(stream)


def _reap(*_: object) -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _receive(client: socket.socket) -> tuple[list[int], Request]:
    """Return what a client asks for, and its streams."""
    header, streams, *_ = socket.recv_fds(client, 8, 3)
    data = b""
    while len(data) < int.from_bytes(header, "big") and (part := client.recv(65536)):
        data += part
    request: Request = marshal.loads(data)  # noqa: S302  the tests' own
    return streams, request


def _run(function: str, streams: Sequence[int], environ: Mapping[str, str], folder: str) -> int:
    """Call a function in this process, which is a program of its own from now on; returns the exit code."""
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    # What they were opened on may have been a file, these may be pipes.
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    try:
        _function(function)()
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
        code = 1 if isinstance(ended.code, str) else ended.code or 0
    except BaseException:  # noqa: BLE001  the end of a program
        traceback.print_exc()
        code = 1
    else:
        code = 0
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _function(name: str) -> Callable[[], object]:
    module, _, function = name.partition(":")
    found: Callable[[], object] = getattr(importlib.import_module(module), function)
    return found
