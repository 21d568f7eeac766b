"""Durations and sizes as short, readable text."""


def duration(seconds: float) -> str:
    """Formats a duration in seconds, such as "45s", "3m20s" or "7h05m"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def size(n_bytes: float) -> str:
    """Formats a size in bytes with decimal units, such as "71 GB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} TB"
