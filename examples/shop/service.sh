#!/bin/sh
# What systemd is elsewhere: runs programs in the background, and stops them.
#   ./service.sh start NAME PROGRAM …   its number is in run/NAME.pid, what it says in run/NAME.log
#   ./service.sh stop NAME              SIGTERM, which lets it finish its requests; succeeds where nothing runs
#   ./service.sh guard                  waits for the end of its input, then stops everything and removes run/
set -eu
cd "$(dirname "$0")"

alive() { # what has ended, and was not asked how, has no command line
  grep -qs . "/proc/$1/cmdline"
}

stop() {
  test -e "run/$1.pid" || return 0
  pid="$(cat "run/$1.pid")"
  kill "$pid" 2>/dev/null || true
  for _ in $(seq 300); do
    alive "$pid" || break
    sleep 0.05
  done
  kill -KILL "$pid" 2>/dev/null || true
  rm -f "run/$1.pid"
}

command="$1"
shift
case "$command" in
  start)
    name="$1"
    shift
    setsid sh -c 'echo $$ > "$0.pid" && exec "$@"' "run/$name" "$@" </dev/null >>"run/$name.log" 2>&1 &
    ;;
  stop)
    stop "$1"
    ;;
  guard)
    cat >/dev/null
    for file in run/*.pid; do
      stop "$(basename "$file" .pid)" &
    done
    wait
    rm -rf run
    ;;
esac
