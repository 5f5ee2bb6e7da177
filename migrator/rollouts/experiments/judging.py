"""What is found in an A/B test at one moment: counts in, a verdict with its reason out. Pure."""

from __future__ import annotations

import math
from typing import Any

from migrator.rollouts.analysis.model import FAIL, INCONCLUSIVE, INSUFFICIENT, PASS, Judgement
from migrator.rollouts.experiments.design import mismatch, score
from migrator.rollouts.experiments.model import CONTROL, GOING_ON, INVALID, SAME, VARIANT, Arms, Counted, Experiment
from migrator.rollouts.plan import ExperimentRules

MISMATCH = 0.001
"""Chance below which arms are not as they were divided, at a look (Fabijan et al., KDD 2019, use 0.0005)."""
BLATANT = 1e-6
"""The same between looks, of which there are many."""


def judge(experiment: Experiment, rules: ExperimentRules, number: int, arms: Arms, *, over: bool) -> Judgement:
    """Judge what was counted.

    Args:
        number: of the look that is waited for, from 1.
        over: the time of the test has come to its end, so this is the last look whatever the sample.
    """
    control, variant = arms.control, arms.variant
    if arms.problem:
        return ended("time is over", arms.problem) if over else Judgement(INCONCLUSIVE, arms.problem)
    if wrong := impossible(control, variant):
        return Judgement(INCONCLUSIVE, wrong)
    part = min(control.users / rules.sample[0], variant.users / rules.sample[1])
    complete = part >= number / rules.looks
    chance = mismatch(control.users, variant.users, rules.share)
    if chance < (MISMATCH if complete or over else BLATANT):
        return invalid(control, variant, rules, chance)
    if not complete and not over:
        needed = [math.ceil(users * number / rules.looks) for users in rules.sample]
        said = f"{control.users} and {variant.users} users, and look {number} of {rules.looks} needs"
        return Judgement(INSUFFICIENT, f"{said} {needed[0]} and {needed[1]}")
    if not control.users or not variant.users:
        return ended("time is over", "an arm has no user")
    # A sample that is short at the end is looked at as one that early: that is never too easy.
    at = number / rules.looks if complete else part
    return tested(experiment, rules, number, arms, rules.boundary / math.sqrt(at), last=over or number == rules.looks)


def impossible(control: Counted, variant: Counted) -> str:
    for name, arm in (("control", control), ("variant", variant)):
        if arm.conversions > arm.users:
            return f"{name} has {arm.conversions} conversions of {arm.users} users: count each user once"
    return ""


def invalid(control: Counted, variant: Counted, rules: ExperimentRules, chance: float) -> Judgement:
    users = control.users + variant.users
    said = (
        f"the test is invalid: {variant.users} of {users} users have the variant ({variant.users * 100 / users:.3g} %,"
        f" and {rules.share:g} % should; chance {chance:.1g}), so that users are lost in one of the arms"
    )
    return Judgement(FAIL, said, {"result": INVALID, **counts(control, variant), "mismatch": chance})


def ended(what: str, why: str) -> Judgement:
    return Judgement(FAIL, f"{what}, and nothing was found: {why}", {"result": SAME})


def tested(
    experiment: Experiment, rules: ExperimentRules, number: int, arms: Arms, limit: float, *, last: bool
) -> Judgement:
    control, variant = arms.control, arms.variant
    z = score((control.users, control.conversions), (variant.users, variant.conversions))
    found = -z if experiment.lower else z
    error = math.sqrt(sum(arm.rate * (1 - arm.rate) / arm.users for arm in (control, variant)))
    apart = variant.rate - control.rate
    facts = {**counts(control, variant), "z": z, "boundary": limit, "look": number}
    facts["interval"] = [apart - limit * error, apart + limit * error]
    said = (
        f"{shown(variant)} with the variant, {shown(control)} without: {z:+.2f} standard errors, and the boundary of"
        f" look {number} of {rules.looks} is {limit:.2f}"
    )
    if found >= limit:
        return Judgement(PASS, f"the variant is better: {said}", {**facts, "result": VARIANT})
    if found <= -limit:
        return Judgement(FAIL, f"control is better: {said}", {**facts, "result": CONTROL})
    if last:
        return Judgement(FAIL, f"no difference was found: {said}", {**facts, "result": SAME})
    return Judgement(PASS, f"too early to say: {said}", {**facts, "result": GOING_ON})


def shown(arm: Counted) -> str:
    return f"{arm.rate * 100:.3g} % of {arm.users} users converted"


def counts(control: Counted, variant: Counted) -> dict[str, Any]:
    return {
        "control": {"users": control.users, "conversions": control.conversions},
        "variant": {"users": variant.users, "conversions": variant.conversions},
    }
