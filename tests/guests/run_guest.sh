#!/bin/bash
# run_guest.sh VTSIM PLATFORM [--twice] OPTIONS...: runs a guest, shows its console and succeeds if
# vtsim does. With --twice a second run must leave the same console output and the same statistics,
# byte for byte.
set -euo pipefail

vtsim=$1
platform=$2
shift 2
twice=
options=()
for option in "$@"; do
  if [ "$option" = --twice ]; then twice=yes; else options+=("$option"); fi
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The file's name is part of the results, so each run writes the same name in a folder of its own.
run() {
  mkdir "$work/$1"
  (cd "$work/$1" && "$vtsim" run "$platform" "${options[@]}" --console stdio --progress never \
    --no-reboot --stats stats.json < /dev/null > console)
}

status=0
run first || status=$?
cat "$work/first/console"
[ $status = 0 ] || { echo "run_guest: exit status $status"; exit 1; }
[ -n "$twice" ] || exit 0
run second
cmp "$work/first/console" "$work/second/console"
cmp "$work/first/stats.json" "$work/second/stats.json"
echo "run_guest: two runs are the same"
