"""Whether an arm of a rollout does well: readings of sources in, a verdict with its reason out."""

from __future__ import annotations

from migrator.rollouts.analysis.model import Analyst, Judgement, Looks

__all__ = ["Analyst", "Judgement", "Looks"]
