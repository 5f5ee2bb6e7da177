"""What is changed on MySQL and MariaDB while `test_kill` kills its runner, and what has to come of it."""

from __future__ import annotations

BASE = (
    """CREATE TABLE users (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
      full_name varchar(60) NOT NULL DEFAULT 'nobody', nick varchar(20) NOT NULL, code varchar(20),
      amount int NOT NULL DEFAULT 0, note text,
      street varchar(20) NOT NULL, city varchar(20), KEY users_full_name_idx (full_name, amount),
      KEY users_amount_idx (amount), KEY lookup (nick))""",
    "INSERT INTO users (full_name, nick, code, street) WITH RECURSIVE n (i) AS"
    " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)"
    " SELECT CONCAT('user ', i), CONCAT('n', i), CONCAT('c', i), CONCAT('street ', i) FROM n",
    "CREATE TABLE writes (id bigint, was int, is_now int)",
    "CREATE TABLE orgs (id int PRIMARY KEY)",
    "INSERT INTO orgs VALUES (1), (2), (3)",
    "CREATE TABLE kinds (id int PRIMARY KEY, name varchar(9), UNIQUE KEY (name))",
    """CREATE TABLE teams (id int PRIMARY KEY, org_id int NOT NULL, leader varchar(20) NOT NULL, rival int,
      UNIQUE KEY leader_once (leader), FOREIGN KEY (org_id) REFERENCES orgs (id) ON DELETE CASCADE)""",
    "INSERT INTO teams VALUES (1, 1, 'ann a', 2), (2, 2, 'bob b', 3), (3, 2, 'eve e', NULL)",
    "CREATE TRIGGER count_writes AFTER UPDATE ON users FOR EACH ROW"
    " BEGIN IF OLD.amount <> NEW.amount THEN INSERT INTO writes VALUES (NEW.id, OLD.amount, NEW.amount); END IF; END",
)

OPERATIONS = (
    'RenameColumn("users", "full_name", "name"), RenameColumn("users", "nick", "nickname"),'
    ' DropIndex("users_amount_idx"), AddColumn("users", "email", "varchar(99)", nullable=False,'
    " fill=\"code || '@example.org'\"),"
    ' DropColumn("users", "note"), SplitTable("users", ["street", "city"], to="places", key="user_id", optional=True),'
    ' RunSQL(expand="CREATE TABLE log (id int PRIMARY KEY);'
    ' INSERT INTO log SELECT id FROM users", undo="DROP TABLE log"),'
    ' Backfill("users", {"amount": "amount + 1"}, where="amount = 0")'
)

REFERENCING = (
    'RenameColumn("teams", "org_id", "organisation"), AddForeignKey("teams", "rival", "orgs", "id"),'
    ' TransformColumns("teams", "leader", Column("head", "varchar(20)", nullable=False),'
    ' up={"head": "upper(leader)"}, down={"leader": "lower(head)"}, lossy=True), RenameTable("kinds", "sorts")'
)


REBUILD = (
    'RebuildTable("users", primary_key=["nick", "id"], types={"full_name": "varchar(80)"}, not_null=["code"],'
    ' collation="utf8mb4_bin", checks={"counted": "amount >= 0"})'
)
"""Of a table that has no trigger: another could not take its place."""

BESIDES = {
    "rebuild": (
        REBUILD,
        [statement for statement in BASE if "CREATE TRIGGER" not in statement],
        ("apply", "contract", "restore"),
    ),
    "tables that reference each other": (REFERENCING, BASE, ("contract", "restore")),
}
"""Operations, what they find, and the commands that are always killed."""


def content(database):
    """What has to be the same however often a runner was killed."""
    columns = [row[0] for row in database.rows("SHOW COLUMNS FROM users")]
    listed = ", ".join(f"`{column}`" for column in sorted(columns))
    return {
        "dump": database.dump(),
        "rows": database.rows(f"SELECT {listed} FROM users ORDER BY id"),
        "twice": database.rows("SELECT id, was FROM writes GROUP BY id, was HAVING COUNT(*) > 1"),
        "teams": database.rows("SELECT * FROM teams"),
        "moved": database.rows("SELECT * FROM places ORDER BY 1") if "CREATE TABLE `places`" in database.dump() else [],
        "states": database.rows("SELECT id, state FROM migrator_revisions"),
        "logged": database.rows("SELECT COUNT(*) FROM log") if "CREATE TABLE `log`" in database.dump() else [],
        "steps": database.rows("SELECT state, COUNT(*) FROM migrator_steps GROUP BY state"),
    }
