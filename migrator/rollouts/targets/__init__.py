"""Targets by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrator.rollouts.targets.argo import ArgoRollouts
from migrator.rollouts.targets.envoy import Envoy
from migrator.rollouts.targets.haproxy import HAProxy
from migrator.rollouts.targets.kubernetes import Kubernetes
from migrator.rollouts.targets.nginx import Nginx
from migrator.rollouts.targets.shell import Shell
from migrator.rollouts.targets.unmoved import Unmoved
from migrator.setting_values import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migrator.rollouts.configuration import Configuration
    from migrator.rollouts.targets.base import Target

Kind = type[HAProxy | Nginx | Envoy | Kubernetes | ArgoRollouts | Shell | Unmoved]
TARGETS: Mapping[str, Kind] = {
    kind.kind: kind for kind in (HAProxy, Nginx, Envoy, Kubernetes, ArgoRollouts, Shell, Unmoved)
}


def target_of(configuration: Configuration) -> Target:
    """What divides the traffic.

    Raises:
        ValueError: it is of no kind that is known, or a setting of it is wrong.
    """
    kind = str(configuration.target.get("kind", ""))
    if kind not in TARGETS:
        near = nearest(kind, TARGETS)
        hint = f'did you mean "{near}"?' if near else f"known are: {', '.join(TARGETS)}"
        raise ValueError(f'target: unknown kind "{kind}"; {hint}')
    return TARGETS[kind](configuration)
