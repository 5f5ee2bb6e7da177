"""The command line: each command parses, calls `migrator.api`, and renders."""
