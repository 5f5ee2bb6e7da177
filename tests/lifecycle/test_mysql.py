"""Operations on MySQL and MariaDB, which `test_operations` takes out, back, out again, and through."""

from __future__ import annotations

from tests.lifecycle.walking import Case

BASE = (
    "CREATE TABLE orgs (id int PRIMARY KEY, name varchar(60) NOT NULL)",
    "INSERT INTO orgs VALUES (1, 'org 1'), (2, 'org 2')",
    """CREATE TABLE users (
      id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
      full_name varchar(60) NOT NULL DEFAULT 'nobody, it''s \\\\ him' COMMENT 'what to call them, it''s 100 %',
      org_id int, amount decimal(10, 2), code varchar(20) COLLATE utf8mb4_bin, note text,
      nickname varchar(20) NOT NULL, born datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
      changed timestamp NOT NULL DEFAULT '2020-01-01 00:00:00' ON UPDATE CURRENT_TIMESTAMP,
      UNIQUE KEY code_is_unique (code), KEY users_full_name_idx (full_name(20) DESC, amount) COMMENT 'for search',
      KEY users_amount_idx (amount), KEY users_org_idx (org_id))""",
    "INSERT INTO users (full_name, org_id, amount, code, note, nickname) WITH RECURSIVE n (i) AS"
    " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)"
    " SELECT CONCAT('user ', i), i % 2 + 1, i / 7, CONCAT('c', i), REPEAT('x', 50), CONCAT('N', i) FROM n",
    "CREATE TABLE tags (area varchar(20) NOT NULL, `rank` int NOT NULL, label varbinary(16) NOT NULL, word text,"
    " UNIQUE KEY tags_key (label, area, `rank`))",
    "INSERT INTO tags WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
    " SELECT CONCAT('Ä', i % 7, ' '), i, UNHEX(CONCAT('FF00', HEX(i % 5), '0')), CONCAT('word ', i) FROM n",
)


REFERENCE = "ALTER TABLE users ADD CONSTRAINT users_org_id_fkey FOREIGN KEY (org_id) REFERENCES orgs (id)"


CASES = {
    "create table": Case(
        'CreateTable("orders", Column("id", "bigint", primary_key=True, identity="ALWAYS"),'
        ' Column("user_id", sa.BigInteger(), nullable=False, references=("users", "id"), comment="who"),'
        ' Column("total", "numeric(10,2)", default="0", nullable=False), Column("code", sa.String(20), unique=True),'
        ' constraints=["CHECK (total >= 0)"], comment="it\'s new")',
    ),
    "add nullable column": Case('AddColumn("users", "age", "integer", comment="years, it\'s")'),
    "add column, constant default": Case(
        'AddColumn("users", "active", sa.Boolean, nullable=False, default="true")',
        question="SELECT COUNT(*) FROM users WHERE active",
        answer=900,
    ),
    "add column, stable default": Case('AddColumn("users", "seen", sa.DateTime, default="now()")'),
    "add column, volatile default": Case(
        'AddColumn("users", "token", "varchar(36)", nullable=False, default="uuid()")',
        question="SELECT COUNT(DISTINCT token) FROM users",
        answer=900,
    ),
    "add column, fill": Case(
        """AddColumn("users", "email", "varchar(100)", nullable=False, fill="lower(full_name) || '@example.org'")""",
        ("INSERT INTO users (full_name, nickname, email) VALUES ('late', 'n', 'late@example.org')",),
        "SELECT COUNT(*) FROM users WHERE email = CONCAT(LOWER(full_name), '@example.org')",
        901,
    ),
    "rename column with everything on it": Case(
        'RenameColumn("users", "full_name", "name")',
        (
            "INSERT INTO users (name, nickname, code) VALUES ('late', 'n', 'late')",
            "UPDATE users SET name = 'CHANGED' WHERE id = 7",
            "UPDATE users SET name = 'Changed' WHERE id = 7",
            "DELETE FROM users WHERE id = 8",
        ),
        "SELECT GROUP_CONCAT(name ORDER BY id) FROM users WHERE id IN (6, 7, 8, 9) OR code = 'late'",
        "user 6,Changed,user 9,late",
    ),
    "rename required column": Case(
        'RenameColumn("users", "nickname", "nick")',
        ("INSERT INTO users (nick) SELECT 'selected'", "INSERT INTO users (nick) VALUES ('given')"),
        "SELECT COUNT(*) FROM users WHERE nick IN ('selected', 'given', 'N7')",
        3,
    ),
    "rename required column, build an index over it": Case(
        'RenameColumn("users", "nickname", "nick"), CreateIndex("users", "nick")',
        ("INSERT INTO users (nick) VALUES ('given')",),
        "SELECT GROUP_CONCAT(column_name) FROM information_schema.statistics WHERE table_schema = DATABASE()"
        " AND index_name = 'users_nick_idx'",
        "nick",
    ),
    "rename nullable column": Case(
        'RenameColumn("users", "note", "remark")',
        ("UPDATE users SET remark = NULL WHERE id < 10",),
        "SELECT COUNT(*) FROM users WHERE remark IS NULL",
        9,
    ),
    "rename column with words of other alphabets": Case(
        'RenameColumn("users", "größe", "размер")',
        ("INSERT INTO users (nickname) VALUES ('late')", "UPDATE users SET `размер` = 'ß' WHERE id = 8"),
        "SELECT GROUP_CONCAT(DISTINCT `размер` ORDER BY `размер`) FROM users",
        "ß,жö€",
        (
            "ALTER TABLE users ADD COLUMN `größe` varchar(60) NOT NULL DEFAULT (concat('ж', 'ö€')),"
            " ADD KEY `по` (`größe`(3))",
            "CREATE TABLE `größen` (`größe` varchar(60) PRIMARY KEY)",
            "INSERT INTO `größen` VALUES ('жö€'), ('ß')",
            "ALTER TABLE users ADD CONSTRAINT `größe` FOREIGN KEY (`größe`) REFERENCES `größen` (`größe`)",
        ),
    ),
    "rename numeric column": Case(
        'RenameColumn("users", "amount", "total")', ("UPDATE users SET total = 1.0 WHERE id = 1",)
    ),
    "rename unique column": Case(
        'RenameColumn("users", "code", "reference")',
        ("UPDATE users SET reference = NULL WHERE id < 10",),
        "SELECT COUNT(*) FROM users WHERE reference IS NULL",
        9,
    ),
    "rename column, composite key": Case(
        'RenameColumn("tags", "word", "term")',
        ("UPDATE tags SET term = 'x' WHERE `rank` = 7",),
        "SELECT COUNT(DISTINCT term) FROM tags",
        500,
    ),
    "split a column": Case(
        """TransformColumns("users", "nickname", [Column("head", "char(1)", nullable=False),
           Column("tail", sa.String(20), comment="what's left")],
           up={"head": "substr(nickname, 1, 1)", "tail": "nullif(substr(nickname, 2), '')"},
           down={"nickname": "head || coalesce(tail, '')"})""",
        (
            "INSERT INTO users (head, tail) VALUES ('M', '1')",
            "INSERT INTO users (head) SELECT 'm'",
            "UPDATE users SET tail = NULL WHERE id = 7",
        ),
        "SELECT GROUP_CONCAT(CONCAT(head, COALESCE(tail, '-')) ORDER BY id) FROM users WHERE id IN (6, 7) OR id > 900",
        "N6,N-,M1,m-",
    ),
    "cents to euros": Case(
        """TransformColumns("users", "cents", Column("euros", "decimal(10,2)", nullable=False),
           up={"euros": "cents / 100"}, down={"cents": "euros * 100"})""",
        ("UPDATE users SET euros = 1.07 WHERE id = 7", "INSERT INTO users (nickname) VALUES ('late')"),
        "SELECT CONCAT(SUM(euros), ' ', COUNT(*)) FROM users",
        "4056.50 901",
        ("ALTER TABLE users ADD COLUMN cents int NOT NULL DEFAULT 500", "UPDATE users SET cents = id WHERE id < 900"),
    ),
    "change type, second name": Case(
        'ChangeType("users", "org_id", "bigint", to="organisation"),'
        ' ChangeType("users", "code", "varchar(40)", to="reference"),'
        ' ChangeType("users", "nickname", "varchar(40)", to="nick")',
        ("INSERT INTO users (nick, organisation, reference) VALUES ('late', 3, 'late')",),
        "SELECT CONCAT(SUM(organisation), ' ', COUNT(reference), ' ', (SELECT column_type FROM"
        " information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'users'"
        " AND column_name = 'nick')) FROM users",
        "1353 901 varchar(40)",
    ),
    "change type by expressions": Case(
        """ChangeType("users", "nickname", "int", to="number", up="substr(nickname, 2)", down="'N' || number")""",
        ("INSERT INTO users (number) VALUES (901)", "UPDATE users SET number = 8 WHERE id = 7"),
        "SELECT SUM(number) FROM users",
        406352,
    ),
    "rename column with a foreign key": Case(
        'RenameColumn("users", "org_id", "organisation"), RenameColumn("users", "second", "third")',
        ("INSERT INTO users (nickname, organisation) VALUES ('late', 1)", "DELETE FROM orgs WHERE id = 2"),
        "SELECT COUNT(*) FROM users WHERE organisation = 1 AND third = 1",
        451,
        (
            f"{REFERENCE} ON DELETE CASCADE",
            "ALTER TABLE users ADD COLUMN second int NOT NULL DEFAULT 1, ADD FOREIGN KEY (second) REFERENCES orgs (id)",
        ),
    ),
    "drop column with a foreign key": Case('DropColumn("users", "org_id")', given=(f"{REFERENCE} ON DELETE SET NULL",)),
    "add foreign keys and a unique constraint": Case(
        'AddForeignKey("users", "org_id", "orgs", "id", on_delete="SET NULL"),'
        ' AddForeignKey("users", "boss", "users", "id"), AddUnique("users", "nickname")',
        ("DELETE FROM orgs WHERE id = 2",),
        "SELECT COUNT(*) FROM users WHERE org_id IS NULL",
        450,
        ("ALTER TABLE users ADD COLUMN boss bigint", "UPDATE users SET boss = 900 - id WHERE id < 900"),
    ),
    "drop constraints": Case(
        'DropConstraint("users", "users_org_id_fkey"), DropConstraint("users", "code_is_unique")',
        ("UPDATE orgs SET id = 2 WHERE id = 2",),
        given=(REFERENCE,),
    ),
    "rename constraints": Case(
        'RenameConstraint("users", "users_org_id_fkey", "of org"), RenameConstraint("users", "code_is_unique", "code")',
        given=(REFERENCE,),
    ),
    "rename table": Case(
        'RenameTable("users", "people")',
        ("INSERT INTO people (nickname) VALUES ('late')", "UPDATE orgs SET id = 3 WHERE id = 1"),
        "SELECT COUNT(*) FROM people WHERE org_id = 3 OR nickname = 'late'",
        451,
        ("ALTER TABLE users ADD FOREIGN KEY (org_id) REFERENCES orgs (id) ON UPDATE CASCADE",),
    ),
    "drop tables": Case(
        'DropTable("users", keeps_referenced=True)',
        given=(REFERENCE, "ALTER TABLE users ADD COLUMN b int DEFAULT 1, ADD FOREIGN KEY (b) REFERENCES orgs (id)"),
    ),
    "drop column with an index over others": Case(
        'DropIndex("users_full_name_idx"), DropIndex("users_amount_idx"), DropColumn("users", "amount")',
        ("INSERT INTO users (nickname) VALUES ('late')",),
    ),
    "drop nullable column": Case('DropColumn("users", "note")', ("INSERT INTO users (nickname) VALUES ('late')",)),
    "drop required column, fill": Case(
        """DropColumn("users", "nickname", fill="'n' || id")""",
        ("INSERT INTO users (id, full_name) VALUES (5000, 'late')",),
        "SELECT COUNT(*) FROM users",
        901,
    ),
    "create and drop indexes": Case(
        'CreateIndex("users", ["org_id", "nickname"], unique=False), DropIndex("users_org_idx"),'
        ' CreateIndex("users", "nickname", name="nicks", unique=True), RenameIndex("users_amount_idx", "by amount")'
    ),
    "set and drop defaults": Case(
        """SetDefault("users", "amount", "1.5"), SetDefault("users", "note", "concat('a', 'b')"),"""
        ' DropDefault("users", "full_name"), DropDefault("users", "born")'
    ),
    "set NOT NULL, fill": Case(
        """SetNotNull("users", "org_id", fill="1")""",
        question="SELECT COUNT(*) FROM users WHERE org_id = 1",
        answer=450,
    ),
    "set NOT NULL": Case('SetNotNull("users", "code")', ("UPDATE users SET code = 'x' WHERE id = 1",)),
    "drop NOT NULL": Case('DropNotNull("users", "nickname")'),
    "drop table": Case('DropTable("orgs")'),
    "split a table": Case(
        'SplitTable("users", ["code", "nickname", "note"], to="details", key="user_id", optional=True)',
        (
            "UPDATE details SET note = 'changed' WHERE user_id = 7",
            "DELETE FROM details WHERE user_id = 8",
            "DELETE FROM users WHERE id = 9",
            "UPDATE users SET id = 7000 WHERE id = 10",
            "INSERT INTO users (id, full_name) VALUES (5000, 'late')",
            "INSERT INTO details (user_id, nickname) VALUES (5000, 'late')",
        ),
        "SELECT GROUP_CONCAT(CONCAT_WS(' ', id, nickname, note) ORDER BY id) FROM users LEFT JOIN details"
        " ON user_id = id WHERE id IN (7, 8, 9, 10, 5000, 7000)",
        f"7 N7 changed,8,5000 late,7000 N10 {'x' * 50}",
    ),
    "split a table, composite key under another collation": Case(
        'SplitTable("words", ["word", "size"], to="spellings")',
        ("UPDATE spellings SET size = 1 WHERE lang = 'Ä7 '", "UPDATE words SET lang = 'Ö', n = 3 WHERE n = 8"),
        "SELECT COUNT(*) FROM words JOIN spellings USING (lang, n) WHERE size = 1 OR lang = 'Ö'",
        3,
        (
            "CREATE TABLE words (n int, lang varchar(20), word text, size int unsigned, PRIMARY KEY (lang, n))"
            " CHARACTER SET latin1 COLLATE latin1_german2_ci",
            "INSERT INTO words SELECT `rank`, CONCAT('Ä', `rank`, ' '), word, `rank` FROM tags",
        ),
    ),
    "backfill": Case(
        """Backfill("users", {"note": "upper(note)"}, where="note = lower(note) COLLATE utf8mb4_bin")""",
        question="SELECT COUNT(*) FROM users WHERE note COLLATE utf8mb4_bin LIKE 'X%' AND changed = '2020-01-01'",
        answer=900,
    ),
    "rebuild with another collation, types and conditions": Case(
        'RebuildTable("users", collation="utf8mb4_unicode_ci", types={"amount": "decimal(20,4)", "code": "varchar(40)",'
        ' "org_id": "varchar(9)"}, up={"org_id": "concat(\'o\', org_id)"},'
        ' down={"org_id": "substr(org_id, 2) + 0"}, not_null=["note"], checks={"paid": "amount >= 0"})',
        (
            "INSERT INTO users (full_name, nickname, code, note, amount) VALUES ('late', 'n', 'LATE', '', 1.5)",
            "UPDATE users SET amount = 7, org_id = 'o3' WHERE id = 7",
            "UPDATE users SET id = 5007, nickname = 'moved' WHERE id = 6",
            "DELETE FROM users WHERE id = 8",
            "REPLACE INTO users (id, full_name, nickname, code, note) VALUES (9, 'again', 'n', 'c10', '')",
        ),
        "SELECT GROUP_CONCAT(CONCAT_WS(' ', nickname, amount, org_id) ORDER BY id) FROM users"
        " WHERE id IN (6, 7, 8, 9, 10, 5007) OR code = 'late'",
        "N7 7.0000 o3,n,n 1.5000,moved 0.8600 o1",
    ),
    "change type with an index, a check and a default": Case(
        'ChangeType("users", "amount", "decimal(20,4)"), AddCheck("users", "amount >= 0", name="paid"),'
        ' SetNotNull("users", "org_id"), ChangePrimaryKeyType("users", "id", "bigint unsigned")',
        ("INSERT INTO users (nickname, amount, org_id) VALUES ('late', 1.25, 1)", "DELETE FROM users WHERE id = 8"),
        "SELECT COUNT(*) FROM users WHERE amount = 1.25",
        1,
    ),
    "rebuild with another primary key": Case(
        'RebuildTable("users", primary_key=["nickname", "id"], row_format="compressed",'
        ' types={"id": "bigint unsigned"})',
        ("INSERT INTO users (full_name, nickname) VALUES ('late', 'n')", "DELETE FROM users WHERE nickname = 'N3'"),
        "SELECT COUNT(*) FROM users WHERE id > 899",
        2,
        ("DELETE FROM users WHERE id > 900",),
    ),
    "rebuild with partitions": Case(
        'RebuildTable("tags", partition_by="RANGE COLUMNS (`rank`) (PARTITION few VALUES LESS THAN (100),'
        ' PARTITION many VALUES LESS THAN (MAXVALUE))")',
        ("UPDATE tags SET `rank` = 600, word = 'x' WHERE `rank` = 7", "DELETE FROM tags WHERE `rank` = 8"),
        "SELECT SUM(word LIKE 'x') FROM tags PARTITION (many)",
        1,
    ),
    "rebuild, composite key": Case(
        'RebuildTable("tags", collation="utf8mb4_general_ci", not_null=["word"])',
        ("UPDATE tags SET area = 'ä 1', word = 'x' WHERE `rank` = 7", "DELETE FROM tags WHERE `rank` = 8"),
        "SELECT COUNT(*) FROM tags",
        499,
    ),
    "run SQL": Case(
        'RunSQL(expand="CREATE VIEW named AS SELECT id, full_name FROM users;'
        ' CREATE TABLE log (id int PRIMARY KEY); INSERT INTO log SELECT id FROM orgs",'
        ' undo="DROP TABLE log; DROP VIEW named", contract="DROP VIEW named",'
        ' restore="CREATE VIEW named AS SELECT id, full_name FROM users")',
        question="SELECT COUNT(*) FROM log",
        answer=2,
    ),
    "several operations": Case(
        'RenameColumn("users", "code", "reference"), AddColumn("users", "size", "integer", nullable=False,'
        ' fill="char_length(full_name)"), CreateIndex("users", "size"), DropColumn("users", "note")',
        ("INSERT INTO users (full_name, nickname, reference, size) VALUES ('late', 'n', 'late', 4)",),
        "SELECT COUNT(*) FROM users WHERE size = CHAR_LENGTH(full_name)",
        901,
    ),
}


EVERYWHERE = {
    "add column, fill",
    "rename required column",
    "rename column with words of other alphabets",
    "drop required column, fill",
    "set NOT NULL, fill",
}
"""What differs between MariaDB and MySQL, or matters most; the others are run by the two in turn."""

TOGETHER = "{} has it, with others"
REFUSED = "refused by name: test_what_cannot_be_done_is_refused_by_name_with_what_to_do_instead"
NOT_HERE = {
    "create table that references itself": TOGETHER.format("create table"),
    "add nullable column, volatile default": "the default is given row by row, as where the column is required",
    "drop required column, NULL": "the fill is an expression like any other",
    **dict.fromkeys(("set default", "change default", "drop default"), TOGETHER.format("set and drop defaults")),
    **dict.fromkeys(
        ("create index", "create unique index", "drop index", "rename index"),
        TOGETHER.format("create and drop indexes"),
    ),
    "add unique": TOGETHER.format("add foreign keys and a unique constraint"),
    "add foreign key": TOGETHER.format("add foreign keys and a unique constraint"),
    **dict.fromkeys(("drop unique", "drop foreign key"), TOGETHER.format("drop constraints")),
    "drop check": REFUSED,
    "drop exclusion": "there are none",
    "rename foreign key": TOGETHER.format("rename constraints"),
    **dict.fromkeys(("rename check", "rename primary key"), f"no server can: {REFUSED}"),
    "rename table to a name that has to be quoted": TOGETHER.format("rename constraints"),
    "split a table, required columns": TOGETHER.format("split a table"),
    "merge columns": 'the way back of "split a column" merges them',
    **dict.fromkeys(
        (
            "add check",
            "add primary key",
            "several constraints",
            "change type of a primary key",
            "change type of a serial primary key",
            "change type of a serial column",
            "change type of an identity column",
        ),
        TOGETHER.format("change type with an index, a check and a default"),
    ),
    "change type in the catalog only": "test_what_is_widened_in_place_stays_so: nothing takes it back",
    **dict.fromkeys(("rename serial column", "rename identity column"), f"AUTO_INCREMENT is {REFUSED}"),
    **dict.fromkeys(
        (
            "create index of a partitioned table",
            "create unique index of a partitioned table",
            "create indexes of a partitioned table over the same column",
            "create index of a partition",
        ),
        "partitioned tables are refused",
    ),
}
"""Cases of PostgreSQL that there are none of here, and why. What is refused by name needs none, nor any reason."""
