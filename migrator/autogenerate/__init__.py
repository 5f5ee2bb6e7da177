"""From models to operations: what the metadata of a project asks of its database.

`alembic.autogenerate` finds the differences; here they become operations, and
the text of a revision file.
"""
