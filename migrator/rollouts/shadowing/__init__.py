"""A shadow: what it may write, and how its answers are compared with those that users get."""
