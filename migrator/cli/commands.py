"""The verbs, each with the line `migrator --help` shows; modules are imported when a verb is used."""

COMMANDS = {
    "init": "Set up a project, or adopt an existing Alembic one.",
    "baseline": "Stamp a database that has the schema of a revision already.",
    "new": "Write a revision file.",
    "convert": "Write a revision of operations from a file of SQL.",
    "check": "Say whether the models ask for something that no revision does.",
    "lint": "Say what in SQL scripts makes others wait, or breaks the version that is live.",
    "plan": "Show what would be done, in which steps, under which locks.",
    "apply": "Run what may run: expand and migrate; contract and purge when asked.",
    "retry": "Try the rows once more that a backfill has set aside.",
    "pause": "Let backfills wait, from any terminal.",
    "resume": "Let them go on.",
    "throttle": "Limit how fast backfills go, or how much applications may feel of them.",
    "status": "Show where every revision stands.",
    "verify": "Compare old and new shape, row by row.",
    "abort": "Take expand and migrate of a revision back.",
    "restore": "Take the contract of a revision back.",
    "gate": "Show whether a contract may run, and why.",
    "deploy": "Record deployments, and ask whether a build may run.",
    "doctor": "Check server, privileges, settings and leftovers.",
    "demo": "Watch a live table change, on a PostgreSQL of its own.",
}
