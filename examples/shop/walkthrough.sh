#!/bin/sh
# The tutorial, from an empty database to the purge. SHOP_DATABASE_URL names the database.
set -eu
cd "$(dirname "$0")"

not_yet() { # runs a command that has to say "not yet": exit code 3
  code=0
  "$@" || code=$?
  test "$code" = 3
}

shop() { # adds a user with a version of the application, which prints all of them
  SHOP_VERSION="$1" flask add-user "$2"
}

migrator apply --yes --to 0001_create_users
migrator deploy record --app shop --version 1.0 --shape 0001_create_users
shop 1.0 "Ann Smith"

migrator plan
not_yet migrator deploy start --app shop --version 2.0
migrator apply --yes

migrator deploy start --app shop --version 2.0
shop 2.0 "Bob Jones"
shop 1.0 "Cleo Brown"
migrator deploy finish --app shop
migrator verify

not_yet migrator gate
migrator apply --phase contract --to 0002_rename_full_name --yes --override --reason "the walkthrough cannot wait a day"
shop 2.0 "Dan Green"
migrator restore 0002_rename_full_name --yes
shop 1.0 "Eve White"
migrator apply --phase contract --to 0002_rename_full_name --yes --override --reason "for good"
migrator apply --phase purge --to 0002_rename_full_name --yes --override --reason "nothing here is worth keeping"
shop 2.0 "Finn Black"
migrator status --events 5
