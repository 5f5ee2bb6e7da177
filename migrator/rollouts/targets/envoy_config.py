"""What Envoy says for the pools of a configuration: a bootstrap that stays, and files that it watches."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from migrator.rollouts.plan import Server
from migrator.rollouts.targets.routing import BUCKETS, Layout, Route, counts

TYPE = "type.googleapis.com/envoy"
SPLIT, MIRROR, ROUTE = "migrator.split", "migrator.mirror", "migrator.route"
"""Prefixes of runtime keys; the name of a pool follows."""
HEALTH = {"ready": "HEALTHY", "drain": "DRAINING", "maint": "UNHEALTHY"}
RUNTIME = "runtime.json"


def endpoints_file(pool: str) -> str:
    return f"endpoints-{pool}.json"


def endpoints(pool: str, fleet: Sequence[Server], states: Mapping[str, str]) -> str:
    """The servers of a pool, with what may reach them."""
    rows = [
        {
            "endpoint": {"hostname": server.name, "address": address(server.address)},
            "health_status": HEALTH[states.get(server.name, "maint")],
        }
        for server in fleet
    ]
    kind = f"{TYPE}.config.endpoint.v3.ClusterLoadAssignment"
    return discovery({"@type": kind, "cluster_name": pool, "endpoints": [{"lb_endpoints": rows}]})


def runtime(values: Mapping[str, Any]) -> str:
    return discovery({"@type": f"{TYPE}.service.runtime.v3.Runtime", "name": "migrator", "layer": dict(values)})


def discovery(resource: Mapping[str, Any]) -> str:
    return json.dumps({"version_info": "1", "resources": [resource]}, indent=1) + "\n"


def weights(layout: Layout, shares: Mapping[str, float]) -> dict[str, int]:
    found = counts(shares)
    return {f"{SPLIT}.{pool}": found.get(pool, 0) for pool in layout.pools}


def address(text: str) -> dict[str, Any]:
    host, _, port = text.rpartition(":")
    return {"socket_address": {"address": "0.0.0.0" if host == "*" else host.strip("[]"), "port_value": int(port)}}


def watched(path: str, folder: str) -> dict[str, Any]:
    """A file that is replaced by a rename in its folder."""
    return {"resource_api_version": "V3", "path_config_source": {"path": path, "watched_directory": {"path": folder}}}


def bootstrap(layout: Layout, admin: str, folder: str) -> str:
    """The configuration, in JSON, which is YAML, too."""
    layers = [
        {"name": "migrator", "rtds_layer": {"name": "migrator", "rtds_config": watched(f"{folder}/{RUNTIME}", folder)}},
        {"name": "admin", "admin_layer": {}},
    ]
    made = {
        "node": {"id": layout.application, "cluster": layout.application},
        "admin": {"address": address(admin)},
        "layered_runtime": {"layers": layers},
        "static_resources": {
            "listeners": [listener(layout)],
            "clusters": [cluster(layout, pool, folder) for pool in layout.pools],
        },
    }
    return json.dumps(made, indent=1) + "\n"


def cluster(layout: Layout, pool: str, folder: str) -> dict[str, Any]:
    every = f"{layout.check_every:g}s"
    return {
        "name": pool,
        "type": "EDS",
        "connect_timeout": "2s",
        "eds_cluster_config": {"eds_config": watched(f"{folder}/{endpoints_file(pool)}", folder)},
        # Without this a pool with most of its servers out of the traffic sends it to all of them.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "health_checks": [
            {
                "timeout": "2s",
                "interval": every,
                "no_traffic_interval": every,
                "unhealthy_threshold": 2,
                "healthy_threshold": 1,
                "http_health_check": {"path": layout.check},
            }
        ],
    }


def listener(layout: Layout) -> dict[str, Any]:
    routes = [chosen(layout, route) for route in layout.routes]
    manager = {
        "@type": f"{TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": layout.application,
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": layout.application,
                    "domains": ["*"],
                    "retry_policy": {"retry_on": "connect-failure,refused-stream,reset-before-request"},
                    "routes": [route for pair in [*routes, divided(layout)] for route in pair],
                }
            ]
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{TYPE}.extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {"name": layout.application, "address": address(layout.listen), "filter_chains": [chain]}


def divided(layout: Layout) -> list[dict[str, Any]]:
    """By the shares. The others come first: who is in one of them stays there while it grows."""
    whole, *others = layout.pools
    names = [*others[0::2], whole, *reversed(others[1::2])]
    action = {
        "weighted_clusters": {
            "clusters": [{"name": pool, "weight": BUCKETS if pool == layout.first else 0} for pool in names],
            "runtime_key_prefix": SPLIT,
            "use_hash_policy": True,
        },
        "hash_policy": [told_apart(layout)],
        "timeout": "60s",
    }
    return mirrored(layout, {"prefix": "/"}, action)


def told_apart(layout: Layout) -> dict[str, Any]:
    return {"header": {"header_name": layout.header}} if layout.header else {"cookie": {"name": layout.cookie}}


def chosen(layout: Layout, route: Route) -> list[dict[str, Any]]:
    """A route, which is none while its pool has no server for it."""
    match: dict[str, Any] = {
        "prefix": "/",
        "runtime_fraction": {"default_value": {"numerator": 0}, "runtime_key": f"{ROUTE}.{route.pool}"},
    }
    if route.by == "header":
        match["headers"] = [{"name": route.name, "string_match": {"exact": route.value}}]
    elif route.by == "cookie":
        pattern = f"(.*;\\s*)?{re.escape(route.name)}={re.escape(route.value)}(;.*)?"
        match["headers"] = [{"name": "cookie", "string_match": {"safe_regex": {"regex": pattern}}}]
    return mirrored(layout, match, {"cluster": route.pool, "timeout": "60s"})


def mirrored(layout: Layout, match: Mapping[str, Any], action: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The same for requests that change nothing, which may be copied, and for the others, which never are."""
    policies = [
        {
            "cluster": pool,
            "runtime_fraction": {
                "default_value": {"numerator": 0},
                "runtime_key": f"{MIRROR}.{pool}",
            },
        }
        for pool in layout.pools
    ]
    safe = {"name": ":method", "string_match": {"safe_regex": {"regex": "|".join(layout.copied)}}}
    copied = {**match, "headers": [*match.get("headers", []), safe]}
    return [
        {"match": copied, "route": {**action, "request_mirror_policies": policies}},
        {"match": dict(match), "route": dict(action)},
    ]
