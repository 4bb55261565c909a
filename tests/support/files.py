"""Small files, read by as few calls as can be: a verb reads hundreds of them."""

import os


def read(path: str) -> bytes:
    """Return what is in a file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        content = b""
        while part := os.read(descriptor, 65536):
            content += part
        return content
    finally:
        os.close(descriptor)
