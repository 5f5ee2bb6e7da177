"""Rollouts: how a build goes live, in steps that can be watched, stopped and taken back."""
