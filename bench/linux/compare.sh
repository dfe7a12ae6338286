#!/bin/bash
# compare.sh [--runs N] [--no-bochs] [--no-qemu] [--no-vtsim] [--vtsim FILE] [--platform NAME] [--out DIR]
# The measure, side by side: vtsim, QEMU's TCG on one thread, and Debian's Bochs boot the same kernel
# with the same initial RAM disk and command line to power-off, in turns, N times (default 3; Bochs,
# which takes minutes, once). Prints the median of wall time, peak memory and the time of each phase,
# as marker lines on the console delimit them. Instructions are those that vtsim counted for the same
# work; the others' MIPS are that number over their time. Installs qemu and bochs where missing.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
runs=3
simulators=(vtsim qemu bochs)
vtsim=$root/build/vtsim
platform=q35-skylake-sp
out=$root/build/bench-linux
append="console=ttyS0"
phases=(boot shell_loop sha256 gzip power_off)

usage() { sed -n '2,8s/^# //p' "$0" >&2; exit 2; }
without() {
  local kept=() one
  for one in "${simulators[@]}"; do [ "$one" = "$1" ] || kept+=("$one"); done
  simulators=("${kept[@]}")
}
while [ $# -gt 0 ]; do
  case $1 in
    --runs) runs=$2; shift ;;
    --no-bochs) without bochs ;;
    --no-qemu) without qemu ;;
    --no-vtsim) without vtsim ;;
    --vtsim) vtsim=$2; shift ;;
    --platform) platform=$2; shift ;;
    --out) out=$2; shift ;;
    *) usage ;;
  esac
  shift
done
mkdir -p "$out"

packages=(busybox-static cpio time)
case " ${simulators[*]} " in
  *" qemu "*) packages+=(qemu-system-x86) ;;
esac
case " ${simulators[*]} " in
  *" bochs "*) packages+=(bochs bochs-term bochsbios vgabios grub-pc-bin grub-common xorriso mtools bsdutils) ;;
esac
"$root/tools/install-deps.sh" --only "${packages[@]}"

kernel=$("$here/fetch_kernel.sh" linux-image-cloud-amd64 "$out/kernels")
initrd=$out/measure.gz
"$here/make_initramfs.sh" measure "$initrd"

run_vtsim() {
  "$vtsim" run "$platform" --kernel "$kernel" --initrd "$initrd" --append "$append" \
    --memory 1G --cpus 1 --mode functional --console stdio --progress never \
    --stats "$out/vtsim.stats.csv" < /dev/null
}
run_qemu() {
  qemu-system-x86_64 -machine q35 -m 1G -smp 1 -accel tcg,thread=single -nographic -vga none \
    -nic none -no-reboot -kernel "$kernel" -initrd "$initrd" -append "$append" < /dev/null
}
# Debian's Bochs is built with its debugger (hence the command file) and has a terminal display only
# (hence script, which gives it a terminal). It boots from a CD; its serial port writes a file.
run_bochs() {
  mkdir -p "$out/iso/boot/grub"
  cp "$kernel" "$out/iso/boot/vmlinuz"
  cp "$initrd" "$out/iso/boot/initrd"
  printf 'set timeout=0\nmenuentry measure {\n  linux /boot/vmlinuz %s\n  initrd /boot/initrd\n}\n' \
    "$append" > "$out/iso/boot/grub/grub.cfg"
  grub-mkrescue -o "$out/measure.iso" "$out/iso" > "$out/grub-mkrescue.log" 2>&1
  rm -f "$out/bochs.serial"
  : > "$out/bochs.serial"
  cat > "$out/bochsrc" << END
display_library: term
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
cpu: model=corei7_haswell_4770, count=1, ips=100000000, reset_on_triple_fault=0
megs: 1024
ata0-master: type=cdrom, path=$out/measure.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=$out/bochs.serial
clock: sync=none, time0=utc
log: $out/bochs.log
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
panic: action=fatal
END
  echo c > "$out/bochs.commands"
  local run="stty rows 50 cols 132; exec bochs -q -f $out/bochsrc -rc $out/bochs.commands"
  TERM=xterm script -qec "$run" /dev/null > /dev/null 2>&1 < /dev/null &
  tail -n +1 -f --pid=$! "$out/bochs.serial"
}

# Puts "seconds since the start, line" for each console line into FILE, and wall time and peak memory
# of the whole process tree's largest member at its end.
measure() {
  local name=$1 file=$2 start
  start=$EPOCHREALTIME
  export -f "run_$name"
  export kernel initrd append out vtsim platform
  /usr/bin/time -q -o "$file.time" -f "%e %M" bash -c "run_$name" 2> "$file.errors" \
    | while IFS= read -r line; do
        echo "$(bc_minus "$EPOCHREALTIME" "$start") $line"
      done > "$file"
}
# Difference of two EPOCHREALTIME values, in seconds with three digits.
bc_minus() {
  local micros=$(( ${1/[.,]/} - ${2/[.,]/} ))
  printf '%d.%03d' $((micros / 1000000)) $((micros / 1000 % 1000))
}
# The seconds of one phase in a log: from the marker before it to its own, or to the end.
phase_seconds() {
  local file=$1 phase=$2
  awk -v phase="$phase" -v total="$(cut -d' ' -f1 "$file.time")" '
    $2 == "VTSIM-MARK" { if ($3 == phase) { print $1 - last; found = 1; exit } last = $1 }
    END { if (!found) print (phase == "power_off" && last ? total - last : "nan") }' "$file"
}
median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
runs_of() { if [ "$1" = bochs ]; then echo 1; else echo "$runs"; fi; }

for ((i = 1; i <= runs; ++i)); do
  for name in "${simulators[@]}"; do
    [ "$i" -le "$(runs_of "$name")" ] || continue
    echo "run $i of $(runs_of "$name"): $name ..." >&2
    measure "$name" "$out/$name.$i.log"
    grep -q "VTSIM-MARK gzip" "$out/$name.$i.log" \
      || { echo "$name did not finish: see $out/$name.$i.log and .errors" >&2; exit 1; }
  done
done

instructions=-
if [ -f "$out/vtsim.stats.csv" ]; then
  instructions=$(awk -F, '$3 == "instructions" { n = $4 } END { print n }' "$out/vtsim.stats.csv")
fi

echo
echo "$(basename "$kernel"), 1 processor, 1 GiB, \"$append\"; median of $runs; seconds"
printf '%-7s %9s %14s %7s %9s' simulator wall instructions MIPS "peak MB"
printf ' %10s' "${phases[@]}"
echo
for name in "${simulators[@]}"; do
  logs=()
  for ((i = 1; i <= $(runs_of "$name"); ++i)); do logs+=("$out/$name.$i.log"); done
  wall=$(for log in "${logs[@]}"; do cut -d' ' -f1 "$log.time"; done | median)
  peak=$(for log in "${logs[@]}"; do cut -d' ' -f2 "$log.time"; done | median)
  awk -v name="$name" -v wall="$wall" -v n="$instructions" -v peak="$peak" 'BEGIN {
    printf "%-9s %7.2f %14s %7s %9.0f", name, wall, n, n == "-" ? "-" : sprintf("%.0f", n / wall / 1e6), peak / 1024 }'
  for phase in "${phases[@]}"; do
    printf ' %10.2f' "$(for log in "${logs[@]}"; do phase_seconds "$log" "$phase"; done | median)"
  done
  echo
done
