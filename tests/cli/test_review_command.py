"""The command `review`: it prints an address and nothing else, serves there, and saves when it is ended."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from support.command_line import cli, complaints
from support.correctable_season import write_correctable_season

from vcn_ray.storage.store import Store

#: The command line, where tests that run in the background would have it born ignoring Ctrl-C.
_HEARS_CTRL_C = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from vcn_ray.cli.commands import main
main()
"""


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "terminated"])
def test_what_is_said_on_the_page_is_saved_when_it_ends(tmp_path: Path, ending: signal.Signals) -> None:
    out = tmp_path / "season"
    write_correctable_season(Store(out))
    command = [sys.executable, "-c", _HEARS_CTRL_C, "review", str(out), "--no-browser", "--by", "Zoë"]
    films = tmp_path / "films"
    films.mkdir()
    server = subprocess.Popen(  # noqa: S603
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(films)},
    )
    try:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        found = re.fullmatch(r"(http://127\.0\.0\.1:(\d+))/\?token=([\w-]{40,})", address)
        assert found is not None
        root, port, token = found.groups()
        headers = {"Content-Type": "application/json", "Origin": root, "Cookie": f"vcn_review_{port}={token}"}
        content = json.dumps({"kind": "name", "tracks": [0], "name": "Ada <b>"}).encode()
        request = urllib.request.Request(f"{root}/api/corrections", content, headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            assert json.load(answer)["said"] == "Cast 0 is called Ada <b>"
        server.send_signal(ending)  # before the tables have been written
        rest, errors = server.communicate(timeout=30)
    finally:
        server.kill()
    assert (server.returncode, rest, errors) == (0, "", "")
    assert list(films.iterdir()) == []
    assert pq.read_table(out / "cast.parquet")["character"][0].as_py() == "Ada <b>"
    assert "by: Zoë" in (out / "corrections.yaml").read_text(encoding="utf-8")


def test_what_cannot_be_served_is_a_sentence(tmp_path: Path) -> None:
    result = cli("review", tmp_path, "--no-browser")
    assert result.exit_code == 2
    assert "no finished run is there" in complaints(result)[0]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = cli("review", tmp_path, "--no-browser", "--port", taken.getsockname()[1])
    assert result.exit_code == 2
    assert "--port" in complaints(result)[0]
