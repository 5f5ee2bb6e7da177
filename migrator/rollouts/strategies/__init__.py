"""The strategies by name, each a function from a plan to its machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from migrator.rollouts.model import Machine
from migrator.rollouts.plan import RolloutPlan
from migrator.rollouts.strategies.ab import ab
from migrator.rollouts.strategies.blue_green import blue_green
from migrator.rollouts.strategies.canary import canary
from migrator.rollouts.strategies.canary_in_place import canary_in_place
from migrator.rollouts.strategies.in_place import in_place
from migrator.rollouts.strategies.rolling import rolling
from migrator.rollouts.strategies.shadow import shadow
from migrator.rollouts.strategies.toggle import toggle

Strategy = Callable[[RolloutPlan], Machine]

STRATEGIES: Mapping[str, Strategy] = {
    "rolling": rolling,
    "in-place": in_place,
    "blue-green": blue_green,
    "canary": canary,
    "shadow": shadow,
    "ab": ab,
    "canary-in-place": canary_in_place,
    "toggle": toggle,
}
