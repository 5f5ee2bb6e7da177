"""Write the reference pages: `python docs/generate.py`. A test fails while they differ from what this writes.

The pages of operations are written by running their examples on a PostgreSQL 18 of our own. `--without-server`
leaves the examples on them as they are, and writes everything else.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from generator import plain_pages
from generator.operation_pages import operation_page, resigned_page
from generator.running import MAJOR, scratch_database
from generator.signatures import FOLDER, NAMES, index_page, page_of

from migrator.embedded import EmbeddedServer, all_binaries

REFERENCE = Path(__file__).parent / "reference"


def write_plain_pages() -> None:
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "index.md").write_text(index_page())
    for name, page in plain_pages.PAGES.items():
        (REFERENCE / name).write_text(page())


def write_operation_pages() -> None:
    binaries = all_binaries()
    if MAJOR not in binaries:
        sys.exit(f'PostgreSQL {MAJOR} is not here: pip install "expand-contract-migrator[demo]", or --without-server')
    with EmbeddedServer(binaries[MAJOR]) as server, scratch_database(server.url().replace("+psycopg", "")) as url:
        for name in NAMES:
            page_of(name).write_text(operation_page(name, url))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--without-server", action="store_true", help="leave the examples as they are")
    given = parser.parse_args()
    write_plain_pages()
    if given.without_server:
        for name in NAMES:
            page_of(name).write_text(resigned_page(name))
    else:
        write_operation_pages()


if __name__ == "__main__":
    main()
