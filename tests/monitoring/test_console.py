"""What a run says: plain lines where there is no terminal, bars where there is one."""

import io

from rich.console import Console

from vcn_ray.monitoring.console import Bars, Lines


def _console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, force_terminal=terminal, width=160), text


def test_lines_tell_rate_and_remaining_time() -> None:
    console, text = _console(terminal=False)
    lines = Lines(console, every_s=0)
    lines.start("s01e01", "tracks", 100, "frames", done=40)
    lines.update("s01e01", "tracks", 70, note="fine")
    lines.end("s01e01", "tracks")
    begun, halfway, over = text.getvalue().splitlines()
    assert begun == "s01e01: tracks begins (100 frames, 40 done before)"
    assert "70/100 frames" in halfway
    assert "frames/s" in halfway
    assert " s left  fine" in halfway
    assert over.startswith("s01e01: tracks done in")


def test_lines_are_few() -> None:
    console, text = _console(terminal=False)
    lines = Lines(console, every_s=60)
    lines.start("a", "adapt", 100, "epochs")
    for done in range(100):
        lines.update("a", "adapt", done)
    assert len(text.getvalue().splitlines()) == 1


def test_what_belongs_to_no_stage_is_left_out() -> None:
    console, text = _console(terminal=False)
    lines = Lines(console, every_s=0)
    lines.update("a", "adapt", 1)
    lines.end("a", "adapt")
    assert text.getvalue() == ""


def test_bars_show_each_title_and_stage() -> None:
    console, text = _console(terminal=True)
    with Bars(console) as bars:
        bars.start("s01e01", "tracks", 100, "frames")
        bars.start("s01e02", "adapt", 30, "epochs")
        bars.update("s01e01", "tracks", 60)
        bars.update("s01e02", "adapt", 3, note="[iteration 1]")
        bars.end("s01e01", "tracks")
    shown = text.getvalue()
    assert "3/30 epochs" in shown
    assert "[iteration 1]" in shown
    assert "s01e01: tracks done in" in shown
