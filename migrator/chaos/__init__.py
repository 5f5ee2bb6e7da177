"""Chaos: a hypothesis about the system, held against a fault that is put there, watched, and taken away again."""
