#!/bin/bash
# run_demo.sh BUILD_DIR PLATFORM
# Runs the boot_demo kernel on two cores and tells what the simulator counted.
set -euo pipefail

build=$1
platform=$2
stats=$build/demo-stats.csv
"$build/vtsim" config "$platform" > /dev/null  # a broken installation shows before the clock starts
start=$EPOCHREALTIME
"$build/vtsim" run "$platform" --cpus 2 --kernel "$build/workloads/boot_demo.elf" \
  --progress never --stats "$stats"
micros=$(( ${EPOCHREALTIME/[.,]/} - ${start/[.,]/} ))

# The last snapshot is the run's end; cpu0.walk.walks and cpu1.walk.walks add up to one line.
awk -F, -v micros="$micros" '
  $3 ~ /^(cpu[0-9]+\.)?[a-z_]+(\.[a-z_]+)*$/ && $1 + 0 >= last { if ($1 + 0 > last) { split("", sum); last = $1 + 0 }
    name = $3; sub(/^cpu[0-9]+\./, "all.", name); sum[name] += $4 }
  END {
    printf "\nWhat happened, on all cores together:\n"
    printf "  %12d instructions in %.2f s: %.0f MIPS with start-up\n", sum["instructions"], micros / 1e6, sum["instructions"] / micros
    printf "  %12d exceptions and %d interrupts\n", sum["all.exceptions"], sum["all.interrupts"]
    printf "  %12d page walks with %d references to paging structures; %d ended in a fault\n",
      sum["all.walk.walks"], sum["all.walk.references"], sum["all.walk.faults"]
    printf "  %12d port accesses, %d accesses to memory-mapped registers\n", sum["all.port_accesses"], sum["all.mmio_accesses"]
  }' "$stats"
