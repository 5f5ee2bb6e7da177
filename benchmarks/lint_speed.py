"""What linting costs: CPU time for 10,000 DDL statements, and of starting; squawk beside it where it is installed.

Starting is `migrator lint FILE.sql` with one statement, from bytecode as an installed package has it.

python -m benchmarks.lint_speed [--statements N] [--format json]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import show
from benchmarks.startup import RUNS

TABLE = """
CREATE TABLE shop.t{n} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a integer, b varchar(20), c timestamptz);
ALTER TABLE shop.t{n} ADD COLUMN d integer;
ALTER TABLE shop.t{n} ADD COLUMN e text NOT NULL DEFAULT 'x';
ALTER TABLE shop.t{n} ADD COLUMN f numeric(10, 2) DEFAULT 0;
CREATE INDEX CONCURRENTLY t{n}_a ON shop.t{n} (a);
CREATE UNIQUE INDEX CONCURRENTLY t{n}_b ON shop.t{n} (b);
ALTER TABLE shop.t{n} ADD CONSTRAINT t{n}_u UNIQUE USING INDEX t{n}_b;
ALTER TABLE shop.t{n} ADD CONSTRAINT t{n}_k CHECK (a IS NOT NULL AND a > 0) NOT VALID;
ALTER TABLE shop.t{n} VALIDATE CONSTRAINT t{n}_k;
ALTER TABLE shop.t{n} ALTER COLUMN a SET NOT NULL;
ALTER TABLE shop.t{n} DROP CONSTRAINT t{n}_k;
ALTER TABLE shop.old{n} ALTER COLUMN b TYPE varchar(40);
ALTER TABLE shop.old{n} ADD COLUMN d bigint;
CREATE INDEX old{n}_d ON shop.old{n} (d);
ALTER TABLE shop.old{n} ADD CONSTRAINT old{n}_f FOREIGN KEY (d) REFERENCES shop.t{n} (id) NOT VALID;
ALTER TABLE shop.old{n} ALTER COLUMN c SET DEFAULT now();
ALTER TABLE shop.old{n} DROP COLUMN fax;
COMMENT ON TABLE shop.old{n} IS 'old';
DROP INDEX CONCURRENTLY shop.old{n}_d;
GRANT SELECT ON shop.t{n} TO reader;
"""
MYSQL_TABLE = """
CREATE TABLE shop.t{n} (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, a integer, b varchar(20), c timestamp NULL);
ALTER TABLE shop.t{n} ADD COLUMN d integer;
ALTER TABLE shop.t{n} ADD COLUMN e varchar(20) NOT NULL DEFAULT 'x';
ALTER TABLE shop.t{n} ADD COLUMN f numeric(10, 2) DEFAULT 0, ALGORITHM=INSTANT;
CREATE INDEX t{n}_a ON shop.t{n} (a);
CREATE UNIQUE INDEX t{n}_b ON shop.t{n} (b);
ALTER TABLE shop.t{n} ADD CONSTRAINT t{n}_k CHECK (a IS NOT NULL AND a > 0);
ALTER TABLE shop.t{n} MODIFY COLUMN a bigint NOT NULL;
ALTER TABLE shop.t{n} DROP CONSTRAINT t{n}_k;
ALTER TABLE shop.old{n} MODIFY COLUMN b varchar(40), ALGORITHM=INPLACE, LOCK=NONE;
ALTER TABLE shop.old{n} ADD COLUMN d bigint;
CREATE INDEX old{n}_d ON shop.old{n} (d);
ALTER TABLE shop.old{n} ADD CONSTRAINT old{n}_f FOREIGN KEY (d) REFERENCES shop.t{n} (id);
ALTER TABLE shop.old{n} ALTER COLUMN c SET DEFAULT 1;
ALTER TABLE shop.old{n} DROP COLUMN fax;
ALTER TABLE shop.old{n} COMMENT 'old';
ALTER TABLE shop.old{n} RENAME COLUMN g TO h;
DROP INDEX old{n}_d ON shop.old{n};
RENAME TABLE shop.old{n} TO shop.older{n};
GRANT SELECT ON shop.t{n} TO reader;
"""
PER_TABLE = TABLE.count(";")
"""Statements of either."""


def cpu_ms(*command: str, runs: int = RUNS) -> float:
    """User and system time of a child, median of several runs; what it finds makes no difference."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    spent = []
    for _ in range(runs):
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        _, _, used = os.wait4(child.pid, 0)
        child.returncode = 0
        spent.append((used.ru_utime + used.ru_stime) * 1000)
    return statistics.median(spent)


def script(statements: int, table: str = TABLE) -> str:
    return "".join(table.format(n=n) for n in range(statements // PER_TABLE))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--statements", type=int, default=10_000)
    parser.add_argument("--format", choices=["text", "json"], default="text")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        large, small, mysql = (Path(folder, name) for name in ("large.sql", "small.sql", "mysql.sql"))
        large.write_text(script(given.statements))
        mysql.write_text(script(given.statements, MYSQL_TABLE))
        small.write_text("ALTER TABLE t ADD COLUMN a integer;\n")
        lint = (sys.executable, "-m", "migrator", "lint", "--format", "json")
        cpu_ms(*lint, str(small), runs=1)  # writes the bytecode
        started = cpu_ms(*lint, str(small))
        figures = {
            "statements": script(given.statements).count(";"),
            "lint_cpu_ms": round(cpu_ms(*lint, str(large), runs=3) - started),
            "mysql_cpu_ms": round(cpu_ms(*lint, "--dialect", "mysql", str(mysql), runs=3) - started),
            "start_cpu_ms": round(started),
            "python_alone_cpu_ms": round(cpu_ms(sys.executable, "-c", "pass")),
        }
        squawk = shutil.which("squawk")
        if squawk:
            figures["squawk_cpu_ms"] = round(cpu_ms(squawk, str(large), runs=3))
    show(figures, given.format)


if __name__ == "__main__":
    main()
