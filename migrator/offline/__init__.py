"""Revisions run without a database: what they send is recorded, each statement with its line."""
