"""The configurations of clusters agree with Ray's and KubeRay's definitions, with the package and with one another."""

import json
import re
import shlex
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray
import yaml
from support.kuberay_fields import RAYJOB, wrong_fields

from vcn_ray import __version__
from vcn_ray.execution.on_ray.session import WORKER_ENVIRONMENT

ROOT = Path(__file__).parent.parent.parent
CONFIGS = ROOT / "cluster_configs"
RAY_UP = ["aws", "gcp"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TOKEN_FILE = "/home/ray/.ray/auth_token"  # noqa: S105


@cache
def _load(name: str) -> dict[str, Any]:
    return yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())


def _job() -> dict[str, Any]:
    return _load("kuberay-rayjob")["spec"]


def _pinned(package: str) -> str:
    """What pyproject.toml asks for of a package, extras left out."""
    found = [re.fullmatch(rf"{package}(?:\[.*\])?(.*)", line) for line in PROJECT["dependencies"]]
    return next(match[1] for match in found if match)


@pytest.mark.parametrize("name", RAY_UP)
def test_ray_up_knows_every_field(name: str) -> None:
    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    jsonschema.validate(_load(name), schema)
    invented = _load(name) | {"spot_instances": True}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(invented, schema)


@pytest.mark.parametrize("name", RAY_UP)
def test_ray_up_prepares_it(name: str) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = prepare_config(json.loads(json.dumps(_load(name))))
    validate_config(config)
    assert set(config["available_node_types"]) == {"head", "cpu-spot", "gpu-spot"}


@pytest.mark.parametrize("name", RAY_UP)
def test_the_head_holds_the_driver_and_workers_come_when_asked(name: str) -> None:
    config = _load(name)
    types = config["available_node_types"]
    head, cpu, gpu = types["head"], types["cpu-spot"], types["gpu-spot"]
    assert config["head_node_type"] == "head"
    assert head["resources"] == {"CPU": 0}
    assert all("--num-cpus=0" in line for line in config["head_start_ray_commands"] if "--head" in line)
    for kind, worker in (("cpu-spot", cpu), ("gpu-spot", gpu)):
        assert worker["min_workers"] == 0
        assert 0 < worker["max_workers"] <= config["max_workers"]
        assert worker["labels"]["pool"] == kind
        assert worker["resources"]["memory"] >= 2 * 2**30  # tasks ask for memory; a type without it starts for none
    assert "GPU" not in cpu["resources"]
    assert gpu["resources"]["GPU"] == 1
    assert gpu["idle_timeout_s"] < 60 * config["idle_timeout_minutes"]


def test_workers_are_spot_and_the_head_is_not() -> None:
    for name, is_spot in (
        ("aws", lambda node: node.get("InstanceMarketOptions", {}).get("MarketType") == "spot"),
        ("gcp", lambda node: {"preemptible": True} in node.get("scheduling", [])),
    ):
        types = _load(name)["available_node_types"]
        assert {kind: is_spot(found["node_config"]) for kind, found in types.items()} == {
            "head": False,
            "cpu-spot": True,
            "gpu-spot": True,
        }


@pytest.mark.parametrize("name", RAY_UP)
def test_commands_are_rays_and_listen_to_nobody_outside(name: str) -> None:
    from ray.scripts.scripts import start

    config = _load(name)
    commands = config["head_start_ray_commands"] + config["worker_start_ray_commands"]
    starts = [line.rpartition(";")[2].split() for line in commands if "ray start" in line]
    assert len(starts) == 2
    for words in starts:
        given = start.make_context("start", words[2:]).params  # fails on an option that Ray does not have
        assert given["dashboard_host"] in (None, "127.0.0.1", "localhost")
        assert not given["ray_client_server_port"]
    assert "0.0.0.0" not in (CONFIGS / f"{name}.yaml").read_text()  # noqa: S104


@pytest.mark.parametrize("name", RAY_UP)
def test_every_machine_has_the_token(name: str) -> None:
    assert _load(name)["file_mounts"][TOKEN_FILE] == "~/.ray/auth_token"
    assert "RAY_AUTH_MODE=token" in (CONFIGS / "Dockerfile").read_text()
    assert "disabled" not in (CONFIGS / f"{name}.yaml").read_text()


def test_kuberay_knows_every_field() -> None:
    job = _load("kuberay-rayjob")
    assert wrong_fields(job, RAYJOB) == []
    broken = json.loads(json.dumps(job))
    broken["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["minReplica"] = 0
    broken["spec"]["backoffLimit"] = "2"
    assert wrong_fields(broken, RAYJOB) == [".spec.backoffLimit", ".spec.rayClusterSpec.workerGroupSpecs[0].minReplica"]


def test_the_job_on_kubernetes() -> None:
    job, cluster = _job(), _job()["rayClusterSpec"]
    head, workers = cluster["headGroupSpec"], {group["groupName"]: group for group in cluster["workerGroupSpecs"]}
    assert job["shutdownAfterJobFinishes"] is True
    assert job["ttlSecondsAfterFinished"] > 0
    assert job["backoffLimit"] > 0
    assert cluster["authOptions"] == {"mode": "token"}
    assert cluster["enableInTreeAutoscaling"] is True
    assert head["rayStartParams"] == {"num-cpus": "0"}
    assert head["serviceType"] == "ClusterIP"
    assert set(workers) == {"cpu-spot", "gpu-spot"}
    for name, group in workers.items():
        assert (group["replicas"], group["minReplicas"]) == (0, 0)
        assert group["labels"]["pool"] == name
    pods = [group["template"]["spec"] for group in (head, *workers.values())]
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["containers"][0]["resources"]["limits"]["memory"]
    gpus = [pod["containers"][0]["resources"]["limits"].get("nvidia.com/gpu") for pod in pods]
    assert gpus == [None, None, "1"]


def test_titles_may_ask_for_as_many_gpus_as_the_job_may_start() -> None:
    words = shlex.split(_job()["entrypoint"])
    assert f"max_titles_adapting={_job()['rayClusterSpec']['workerGroupSpecs'][1]['maxReplicas']}" in words


def test_machines_have_the_same_names_everywhere() -> None:
    groups = {group["groupName"] for group in _job()["rayClusterSpec"]["workerGroupSpecs"]}
    for name in RAY_UP:
        types = _load(name)["available_node_types"]
        assert set(types) == {"head", *groups}
        assert all(found["labels"] == {"pool": kind} for kind, found in types.items())


def test_versions_and_images_are_those_of_the_package() -> None:
    assert _pinned("ray") == f"=={_job()['rayClusterSpec']['rayVersion'].rpartition('.')[0]}.*"
    assert ray.__version__ == _job()["rayClusterSpec"]["rayVersion"]
    for path in CONFIGS.iterdir():
        for image in re.findall(r"REGISTRY/\S+", path.read_text()):
            assert re.fullmatch(rf"REGISTRY/vcn-ray:{re.escape(__version__)}-(cpu|cu126)", image), path.name


@pytest.mark.parametrize("source", [_job()["runtimeEnvYAML"], (ROOT / "jobs" / "runtime_env.yaml").read_text()])
def test_runtime_environments_are_rays_and_hold_no_secret(source: str) -> None:
    from ray.runtime_env import RuntimeEnv

    content = yaml.safe_load(source)
    folder = content.pop("working_dir", ".")
    assert folder == "."
    RuntimeEnv(**content)
    for name, value in content["env_vars"].items():
        assert WORKER_ENVIRONMENT.get(name, value) == value
    assert not re.search(r"SECRET|TOKEN|PASSWORD|ACCESS_KEY", source)


def test_environment_variables_of_ray_exist() -> None:
    package = Path(ray.__file__).parent
    sources = [*(package / "_private").rglob("*.py"), *(package / "_common").rglob("*.py")]
    known = "\n".join(path.read_text() for path in sources)
    for path in [*CONFIGS.glob("*.yaml"), CONFIGS / "laptop.md", CONFIGS / "Dockerfile", ROOT / "docs" / "clusters.md"]:
        names = set(re.findall(r"\bRAY_[A-Z_]+[A-Z]\b", path.read_text())) - {"RAY_HEAD_IP"}  # set by `ray up`
        assert {name for name in names if name not in known} == set(), path.name
