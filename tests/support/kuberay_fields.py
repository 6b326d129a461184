"""The fields of KubeRay's RayJob (``ray.io/v1``) that our file uses, as its definition types them.

From ``ray-operator/config/crd/bases/ray.io_rayjobs.yaml`` of KubeRay 1.7. A field that is not here is unknown: look it
up there before it is added. A dict is an object of these fields, a list an array of such, a type a value; `Map` is an
object of any names with values of one type.
"""

from typing import Any, NamedTuple


class Map(NamedTuple):
    """An object of any names, with values of these types."""

    values: tuple[type, ...]


QUANTITIES = Map((str, int))  # of Kubernetes: "500m", "8Gi", 2
STRINGS = Map((str,))

_RESOURCES = {"requests": QUANTITIES, "limits": QUANTITIES}

_CONTAINER = {
    "name": str,
    "image": str,
    "securityContext": {"allowPrivilegeEscalation": bool, "capabilities": {"drop": [str]}},
    "ports": [{"containerPort": int, "name": str}],
    "envFrom": [{"secretRef": {"name": str, "optional": bool}}],
    "resources": _RESOURCES,
}

_POD = {
    "spec": {
        "nodeSelector": STRINGS,
        "serviceAccountName": str,
        "securityContext": {"runAsNonRoot": bool, "runAsUser": int, "fsGroup": int},
        "terminationGracePeriodSeconds": int,
        "tolerations": [{"key": str, "operator": str, "effect": str}],
        "containers": [_CONTAINER],
    }
}

RAYJOB: dict[str, Any] = {
    "apiVersion": str,
    "kind": str,
    "metadata": {"name": str},
    "spec": {
        "entrypoint": str,
        "runtimeEnvYAML": str,
        "submissionMode": str,
        "backoffLimit": int,
        "shutdownAfterJobFinishes": bool,
        "ttlSecondsAfterFinished": int,
        "activeDeadlineSeconds": int,
        "rayClusterSpec": {
            "rayVersion": str,
            "authOptions": {"mode": str},
            "enableInTreeAutoscaling": bool,
            "autoscalerOptions": {
                "version": str,
                "upscalingMode": str,
                "idleTimeoutSeconds": int,
                "resources": _RESOURCES,
            },
            "headGroupSpec": {
                "rayStartParams": STRINGS,
                "labels": STRINGS,
                "serviceType": str,
                "template": _POD,
            },
            "workerGroupSpecs": [
                {
                    "groupName": str,
                    "replicas": int,
                    "minReplicas": int,
                    "maxReplicas": int,
                    "idleTimeoutSeconds": int,
                    "labels": STRINGS,
                    "rayStartParams": STRINGS,
                    "template": _POD,
                }
            ],
        },
    },
}


def wrong_fields(value: Any, kind: Any, where: str = "") -> list[str]:
    """Places of fields that are unknown or of another type."""
    if isinstance(kind, Map):
        if not isinstance(value, dict):
            return [where]
        return [f"{where}.{name}" for name, item in value.items() if not _is_a(item, kind.values)]
    if isinstance(kind, list):
        if not isinstance(value, list):
            return [where]
        return [found for n, item in enumerate(value) for found in wrong_fields(item, kind[0], f"{where}[{n}]")]
    if isinstance(kind, dict):
        if not isinstance(value, dict):
            return [where]
        return [
            found
            for name, item in value.items()
            for found in (wrong_fields(item, kind[name], f"{where}.{name}") if name in kind else [f"{where}.{name}"])
        ]
    return [] if _is_a(value, (kind,)) else [where]


def _is_a(value: Any, kinds: tuple[type, ...]) -> bool:
    return type(value) in kinds
