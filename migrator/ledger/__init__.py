"""What the database remembers of its own migrations.

Functions take an open connection and never commit: effect and record share the
caller's transaction.
"""
