"""Durations as people read them."""


def shown(seconds: float) -> str:
    """Return a duration in its two largest units, such as `2d 3h` or `45m`, `12s` or `0.3s`."""
    if 0 < seconds < 1:
        return f"{seconds:.2g}s"
    remaining = round(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, remaining = divmod(remaining, size)
        if count or parts:
            parts.append(f"{count}{unit}" if count else "")
        if len(parts) == 2:
            break
    return " ".join(filter(None, parts)) or "0s"
