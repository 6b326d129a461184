"""The Grafana board and Prometheus' configuration ask for what a run on a real Ray tells at its real endpoint."""

import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray import cloudpickle
from support.counting_stages import CountingStages, Info, video

from vcn_ray.config import Options, make_options
from vcn_ray.execution.on_ray.prometheus import METRICS, Metrics
from vcn_ray.inputs.resolve import find_season
from vcn_ray.inputs.titles import slug
from vcn_ray.pipeline.stages import ShardTask
from vcn_ray.season.run import run_season
from vcn_ray.storage.store import Store

_ROOT = Path(__file__).parent.parent.parent
_BOARD = json.loads((_ROOT / "cluster_configs/grafana-dashboard.json").read_text(encoding="utf-8"))
_PROMETHEUS = _ROOT / "cluster_configs/prometheus.yml"
_ALERTS = _ROOT / "cluster_configs/alerts.yml"
_RUN = "0123456789abcdef"
_TITLE = "Überraschung é 日本"
_WAIT_S = 60.0

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # Ray's workers do not find it


class _Telling(CountingStages):
    """Stand-ins that give the numbers that the real stages give."""

    def extract(
        self,
        store: Store,
        task: ShardTask,
        info: Info,
        options: Options,
        on_frames: Callable[[int], None],
    ) -> dict[str, Any]:
        stats = super().extract(store, task, info, options, on_frames)
        frames = task.end_frame - task.first_frame
        found = {"faces": 3, "tracks": 2, "crops": 1, "bytes_read": 1000.0}
        return stats | {"frames_decoded": frames, "frames_detected": frames // 2} | found

    def embed_views(self, store: Store, options: Options, key: str) -> dict[str, Any]:
        return super().embed_views(store, options, key) | {"crops": 5}


def _asked() -> set[str]:
    """Metrics in all queries of the board and of the alerts."""
    panels = [target["expr"] for panel in _BOARD["panels"] for target in panel.get("targets", [])]
    lists = [str(variable["query"]) for variable in _BOARD["templating"]["list"]]
    alerts = [rule["expr"] for group in yaml.safe_load(_ALERTS.read_text())["groups"] for rule in group["rules"]]
    return {name for query in panels + lists + alerts for name in re.findall(r"\bray_[a-z0-9_]+", query)}


def _page() -> str:
    import ray

    node = ray.nodes()[0]
    address = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    with urllib.request.urlopen(address, timeout=10) as answer:
        return answer.read().decode()


def _pages() -> Iterator[str]:
    until = time.monotonic() + _WAIT_S
    while time.monotonic() < until:
        yield _page()
        time.sleep(1)


def _told(page: str) -> set[str]:
    return {re.split(r"[ {]", line, maxsplit=1)[0] for line in page.splitlines() if not line.startswith("#")}


def _value(page: str, name: str, **tags: str) -> float:
    """The one value of our run with these tags."""
    wanted = {"run": _RUN[:8], **tags}
    lines = [
        line
        for line in page.splitlines()
        if line.startswith(name + "{") and all(f'{tag}="{value}"' in line for tag, value in wanted.items())
    ]
    assert len(lines) == 1, (name, tags, lines)
    return float(lines[0].rpartition(" ")[2])


def _records() -> list[dict[str, Any]]:
    """What workers of the title have written into Ray's log files."""
    import ray

    session = Path(ray._private.worker._global_node.get_session_dir_path())
    lines = [
        line for path in session.glob("logs/worker-*.err") for line in path.read_text("utf-8", "replace").split("\n")
    ]
    records = [json.loads(line) for line in lines if line.startswith("{") and '"title": ' in line]
    return [record for record in records if record["title"] == _TITLE]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, ray_cluster: None) -> tuple[str, list[dict[str, Any]]]:
    """What a run on a real Ray has told: the page of metrics, once all is there, and the records of its workers."""
    from ray.dashboard.modules.reporter import reporter_agent

    folder = tmp_path_factory.mktemp("watched")
    season = folder / "videos"
    video(season, f"{_TITLE}.mp4", range(1, 51))
    video(season, "bad.mp4", [200])
    stages = _Telling(folder / "calls", {25: "die once", 200: "user error"})
    metrics = Metrics(_RUN, every_s=0.5)
    try:
        run_season(find_season([season]), Store(folder / "out"), make_options(), monitor=metrics, stages=stages)
        # GPU time and GPUs' numbers are told by machines with a GPU alone.
        with_gpu = {
            f"ray_{name}" for name in reporter_agent.METRICS_GAUGES if name.startswith(("node_gpu", "node_gram"))
        }
        ours = {name for metric in METRICS for name in metric.exported} - {"ray_vcn_gpu_seconds_total"}
        for page in _pages():
            missing = (_asked() - with_gpu | ours) - _told(page)
            if not missing and _value(page, "ray_vcn_titles", state="done") == 1:
                break
        assert not missing
    finally:
        metrics.close()
    return page, _records()


def test_a_run_tells_all_that_the_board_asks_for(told: tuple[str, list[dict[str, Any]]]) -> None:
    page, _ = told
    assert _value(page, "ray_vcn_frames_decoded_total") == 50
    assert _value(page, "ray_vcn_shards_done_total") == 3
    assert _value(page, "ray_vcn_faces_total") == 9
    assert _value(page, "ray_vcn_video_read_total") == 3000
    assert _value(page, "ray_vcn_view_crops_total") == 10
    assert _value(page, "ray_vcn_frames_planned") == _value(page, "ray_vcn_frames_done") == 50
    assert _value(page, "ray_vcn_titles", state="done") == _value(page, "ray_vcn_titles", state="failed") == 1
    assert _value(page, "ray_vcn_titles", state="waiting") == 0
    assert _value(page, "ray_vcn_adaptation_loss", title=slug(_TITLE)) == 0.5
    assert _value(page, "ray_vcn_adaptation_epoch", title=slug(_TITLE)) == 4
    assert _value(page, "ray_vcn_retries_total", stage="tracks") >= 1
    assert _value(page, "ray_vcn_failures_total", stage="tracks") == 1
    assert _value(page, "ray_vcn_step_seconds_count", stage="tracks") == 3


def test_records_of_workers_name_title_step_and_task(told: tuple[str, list[dict[str, Any]]]) -> None:
    _, records = told
    shards = [record for record in records if str(record["step"]).startswith("shards/")]
    done = [record for record in shards if record["message"] == "done"]
    assert len(done) == len({record["step"] for record in done}) == len({record["task_id"] for record in done}) == 3
    begun = [record["step"] for record in shards if record["message"] == "begins"]
    assert sorted({*begun}) == sorted(record["step"] for record in done)
    assert len(begun) == 4  # one died and was begun anew
    assert {record["task_name"] for record in shards} == {"Map(extract_tracks)"}


def test_the_board_shows_all_that_a_run_tells() -> None:
    asked = _asked()
    told = [{name for name in metric.exported if not name.endswith("_sum")} for metric in METRICS]
    not_shown = {metric.name for metric, names in zip(METRICS, told, strict=True) if not names & asked}
    assert not_shown == {"vcn_gpu_seconds"}  # only where there are GPUs, and the summary has it
    ours = {name for metric in METRICS for name in metric.exported}
    assert {name for name in asked if name.startswith("ray_vcn_")} <= ours


def test_panels_lie_side_by_side_and_say_what_they_show() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in _BOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
        assert panel["type"] == "row" or panel["description"]
        for target in panel.get("targets", []):
            # Whatever else Prometheus holds, a panel shows this run or this Ray alone.
            for selector in re.findall(r"ray_[a-z0-9_]+(\{[^}]*\})?", target["expr"]):
                assert 'run=~"$run"' in selector or 'SessionName=~"$session"' in selector, target["expr"]


def test_prometheus_reads_the_file_that_ray_writes() -> None:
    from ray._private.ray_constants import PROMETHEUS_SERVICE_DISCOVERY_FILE

    content = yaml.safe_load(_PROMETHEUS.read_text(encoding="utf-8"))
    (job,) = content["scrape_configs"]
    (found,) = job["file_sd_configs"]
    assert found["files"] == [f"/tmp/ray/{PROMETHEUS_SERVICE_DISCOVERY_FILE}"]  # noqa: S108  (Ray's own place)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Prometheus' promtool is not installed")
def test_prometheus_takes_its_configuration() -> None:
    run = subprocess.run(["promtool", "check", "config", str(_PROMETHEUS)], capture_output=True, text=True)  # noqa: S603,S607
    assert run.returncode == 0, run.stderr
    assert "3 rules found" in run.stdout  # those of alerts.yml


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Prometheus' promtool is not installed")
def test_a_run_that_stands_still_is_told_and_no_other(tmp_path: Path) -> None:
    works = {
        # Nothing is ever finished: there is not even a counter.
        "hangs": {},
        "extracts": {'ray_vcn_cpu_seconds_total{run="extracts",stage="tracks"}': "0+5x120"},
        "stops": {'ray_vcn_cpu_seconds_total{run="stops",stage="tracks"}': "0+5x40 200x80"},
        "adapts": {
            'ray_vcn_cpu_seconds_total{run="adapts",stage="tracks"}': "7x120",
            'ray_vcn_epochs_total{run="adapts"}': "0+1x120",
        },
    }
    series = [
        {"series": name, "values": values}
        for run, of_run in works.items()
        for name, values in {f'ray_vcn_titles{{run="{run}",state="tracks"}}': "3x120", **of_run}.items()
    ]
    expected = {"19m": [], "30m": ["hangs"], "85m": ["hangs", "stops"]}
    alerts = [
        {"eval_time": when, "alertname": "RunStandsStill", "exp_alerts": [{"exp_labels": {"run": run}} for run in runs]}
        for when, runs in expected.items()
    ]
    one = {"interval": "1m", "input_series": series, "alert_rule_test": alerts}
    rules = tmp_path / "rules.yml"
    rules.write_text(yaml.safe_dump({"rule_files": [str(_ALERTS)], "evaluation_interval": "1m", "tests": [one]}))
    run = subprocess.run(["promtool", "test", "rules", str(rules)], capture_output=True, text=True)  # noqa: S603,S607
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_docs_list_every_metric() -> None:
    text = (_ROOT / "docs/watching.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(ray_vcn_\w+)` \| (.+?) \|$", text, re.MULTILINE))
    expected = {}
    for metric in METRICS:
        name = metric.exported[0].removesuffix("_bucket")
        tags = ", ".join(f"`{tag}`" for tag in metric.tags) or "–"
        expected[name] = f"{metric.kind} | {metric.unit} | {tags} | {metric.meaning}"
    assert rows == expected
