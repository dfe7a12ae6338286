#!/bin/sh
# The include check must find what it looks for: a copy of the tree with one wrong arrow, and one with
# SystemC in the wrong file, are refused.
set -eu
root=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for line in '#include "sim/config/quantity.h"' '#include <systemc>' '#include "model/cpu/core.h"'; do
  rm -rf "$work/tree" && mkdir "$work/tree"
  cp -r "$root/model" "$root/sim" "$work/tree"
  echo "$line" >> "$work/tree/model/mmu/walker.h"
  if python3 "$root/tests/architecture/check_includes.py" "$work/tree" > "$work/said"; then
    echo "not found: $line"
    exit 1
  fi
  grep -q '^model/mmu/walker.h: ' "$work/said"
done
echo "the check finds wrong arrows"
