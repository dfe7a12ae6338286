#!/bin/bash
# run_peer.sh PEER GUEST.elf [CPUS [MEMORY-MIB]]: runs a self-checking guest elsewhere and compares the
# checks that fail there with those of peers/GUEST.PEER, the peer's known errors. PEER is one of
#   qemu-tcg    qemu-system-x86_64 -accel tcg
#   qemu-kvm    the same on /dev/kvm: the host processor
#   bochs       Debian's bochs, from a CD-ROM image that grub-mkrescue makes
# A line of the list is the text of a check; after "? " it need not fail each time; lines that begin
# with "# " say why. Succeeds if no other check fails and every line of the list still does.
set -euo pipefail

peer=$1 guest=$2 cpus=${3:-1} memory=${4:-256}
here=$(cd "$(dirname "$0")" && pwd)
name=$(basename "$guest" .elf)
seconds=${PEER_SECONDS:-120}
work=$(mktemp -d)
[ -n "${PEER_KEEP:-}" ] || trap 'rm -rf "$work"' EXIT

qemu() {
  # QEMU prefers multiboot 1 and PVH; its firmware prints before the guest does.
  timeout "$seconds" qemu-system-x86_64 -M q35 -m "$memory" -smp "$cpus" -display none -vga none \
    -nic none -no-reboot -serial "file:$work/console" -device isa-debug-exit,iobase=0xf4 \
    -device pci-testdev -kernel "$guest" "$@" < /dev/null || true
}

# Debian's bochs has its debugger built in (hence the command file) and draws on a terminal only
# (hence script). It has no debug-exit port: the guest ends it by the port 8900 that it does have.
run_bochs() {
  mkdir -p "$work/iso/boot/grub"
  cp "$guest" "$work/iso/boot/guest.elf"
  printf 'set timeout=0\nmenuentry guest {\n  multiboot2 /boot/guest.elf\n}\n' \
    > "$work/iso/boot/grub/grub.cfg"
  grub-mkrescue -o "$work/guest.iso" "$work/iso" > "$work/grub.log" 2>&1
  : > "$work/console"
  cat > "$work/bochsrc" << END
display_library: term
cpu: model=${BOCHS_CPU:-corei7_icelake_u}, count=$cpus, ips=100000000, reset_on_triple_fault=0
megs: $memory
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
ata0-master: type=cdrom, path=$work/guest.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=$work/console
clock: sync=none, time0=utc
log: $work/bochs.log
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
panic: action=fatal
END
  echo c > "$work/commands"
  local run="stty rows 50 cols 132; exec bochs -q -f $work/bochsrc -rc $work/commands"
  TERM=xterm timeout "$seconds" script -qec "$run" /dev/null > "$work/bochs.out" 2>&1 < /dev/null || true
}

case $peer in
  qemu-tcg) qemu -accel "tcg,thread=multi" -cpu max ;;
  qemu-kvm) qemu -accel kvm -cpu "host,-arch-capabilities" ;;
  bochs) run_bochs ;;
  *) echo "run_peer: unknown peer $peer" >&2; exit 2 ;;
esac

tr -d '\r' < "$work/console" | grep -aE "^(ok|skip|FAIL) |^$name: |^exception " > "$work/lines" || true
sed -n 's/^FAIL //p' "$work/lines" | sed 's/ -- .*//' | sort -u > "$work/failed"
list=$here/peers/$name.$peer
if [ -f "$list" ]; then grep -v '^# ' "$list"; fi > "$work/list"
grep -v '^? ' "$work/list" | sort -u > "$work/known" || true
sed -n 's/^? //p' "$work/list" > "$work/sometimes"
grep -vxFf "$work/sometimes" "$work/failed" > "$work/always" || true
grep '^FAIL ' "$work/lines" | grep -vFf <(sed 's/^? //; s/^/FAIL /' "$work/list"; echo "no known line") || true
echo "$(grep -c '^ok ' "$work/lines") checks hold"
tail -n 1 "$work/lines"
if ! grep -qE "^$name: (all|[0-9]+ of)" "$work/lines"; then
  echo "run_peer: $name did not finish"
  exit 1
fi
diff "$work/known" "$work/always" > "$work/diff" || { grep '^[<>]' "$work/diff"; exit 1; }
