"""Folders kept in memory and written again: cheaper than a git that makes the same once more."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything in a folder: its folders in the order in which they can be made, files with their modes, links."""

    folders: tuple[str, ...]
    files: dict[str, tuple[int, bytes]]
    links: dict[str, str]

    @classmethod
    def take(cls, path: Path) -> Self:
        """Read a folder."""
        folders, files, links = [], {}, {}
        start = len(str(path)) + 1
        for where, below, names in os.walk(path):
            folders += [f"{where}/{name}"[start:] for name in below]
            for name in names:
                found = f"{where}/{name}"
                if os.path.islink(found):
                    links[found[start:]] = os.readlink(found)
                else:
                    with open(found, "rb") as file:
                        files[found[start:]] = (os.fstat(file.fileno()).st_mode & 0o777, file.read())
        return cls(folders=tuple(folders), files=files, links=links)

    def replace(self, old: str, new: str) -> Self:
        """Return it with one text for another in all files."""
        texts = os.fsencode(old), os.fsencode(new)
        files = {name: (mode, content.replace(*texts)) for name, (mode, content) in self.files.items()}
        return type(self)(folders=self.folders, files=files, links=self.links)

    def write(self, path: Path) -> None:
        """Write it into a folder that is empty or does not exist."""
        os.makedirs(path, exist_ok=True)
        for name in self.folders:
            os.mkdir(f"{path}/{name}")
        for name, (mode, content) in self.files.items():
            descriptor = os.open(f"{path}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            os.write(descriptor, content)
            os.close(descriptor)
        for name, target in self.links.items():
            os.symlink(target, f"{path}/{name}")
