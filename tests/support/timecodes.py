"""Time codes by counting minutes, as SMPTE ST 12-1 tells it: to hold the product's against."""

from __future__ import annotations

import re
from fractions import Fraction


def shown(count: int, rate: Fraction, drop: bool) -> str:
    """The time code so many frames after 00:00:00:00.

    Drop-frame: the first two (at 59.94 four) numbers of each minute are not used, but of each tenth.
    """
    whole = round(rate)
    if drop:
        skipped = whole // 15
        tens, rest = divmod(count, 600 * whole - 9 * skipped)
        minute = 10 * tens
        if rest >= 60 * whole:
            more, rest = divmod(rest - 60 * whole, 60 * whole - skipped)
            minute, rest = minute + 1 + more, rest + skipped
    else:
        minute, rest = divmod(count, 60 * whole)
    hours, minute = divmod(minute, 60)
    return f"{hours % 24:02}:{minute:02}:{rest // whole:02}{';' if drop else ':'}{rest % whole:02}"


def counted(code: str, rate: Fraction) -> int:
    """Frames from 00:00:00:00 to a time code."""
    whole = round(rate)
    hours, minutes, seconds, frames = map(int, re.split("[:;]", code))
    minutes += 60 * hours
    dropped = whole // 15 * (minutes - minutes // 10) if ";" in code else 0
    return (60 * minutes + seconds) * whole + frames - dropped
