#!/bin/bash
# run_guest.sh VTSIM PLATFORM [--twice] [--shuts-down REGEX] OPTIONS...: runs a guest, shows its console
# and succeeds if vtsim does. With --twice a second run must leave the same console output and the same
# statistics, byte for byte, and a third one, without host code, the same but for that setting. With
# --shuts-down the guest may restart the machine, must print a line that matches, and must end by
# shutting down.
set -euo pipefail

vtsim=$1
platform=$2
shift 2
twice=
last_words=
options=()
while [ $# -gt 0 ]; do
  case $1 in
    --twice) twice=yes ;;
    --shuts-down) last_words=$2; shift ;;
    *) options+=("$1") ;;
  esac
  shift
done
[ -n "$last_words" ] || options+=(--no-reboot)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The file's name is part of the results, so each run writes the same name in a folder of its own.
run() {
  mkdir "$work/$1"
  (cd "$work/$1" && "$vtsim" run "$platform" "${options[@]}" --console stdio --progress never \
    --stats stats.json --stats stats.csv "${@:2}" < /dev/null > console)
}

status=0
run first || status=$?
cat "$work/first/console"
[ $status = 0 ] || { echo "run_guest: exit status $status"; exit 1; }
if [ -n "$last_words" ]; then
  grep -qE "$last_words" "$work/first/console" || { echo "run_guest: no $last_words"; exit 1; }
  grep -qF '"the guest shut down"' "$work/first/stats.json" ||
    { echo "run_guest: the guest did not shut down"; exit 1; }
fi
[ -n "$twice" ] || exit 0
run second
cmp "$work/first/console" "$work/second/console"
cmp "$work/first/stats.json" "$work/second/stats.json"
run handlers --set host_code=false
cmp "$work/first/console" "$work/handlers/console"
# but for the lines that tell the command
cmp <(grep -v '^#' "$work/first/stats.csv") <(grep -v '^#' "$work/handlers/stats.csv")
echo "run_guest: three runs are the same"
