#!/bin/sh
# make_initramfs.sh measure|check|power|shell OUTPUT.gz
# make_initramfs.sh kvm OUTPUT.gz VMLINUZ
# A busybox initial RAM disk whose /init is the script init/<variant>. The same bytes each time for
# one version of busybox. Needs Debian's busybox-static and cpio; no privileges. The variant kvm holds
# Debian's QEMU too, the KVM modules of VMLINUZ (as fetch_kernel.sh leaves them), and as a second
# guest the same kernel with the disks of the variants check and shell.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
usage() { sed -n '2,7s/^# //p' "$0" >&2; exit 2; }
[ $# -ge 2 ] || usage
variant=$1
output=$2
case $variant in
  kvm) [ $# = 3 ] || usage; kernel=$3 ;;
  *) [ $# = 2 ] || usage ;;
esac
[ -f "$here/init/$variant" ] || { echo "$0: no such variant: $variant" >&2; exit 2; }

busybox=$(command -v busybox || true)
if [ -z "$busybox" ] || ldd "$busybox" > /dev/null 2>&1; then
  echo "$0: a static busybox is needed: apt-get install busybox-static" >&2
  exit 2
fi

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/bin" "$tree/proc" "$tree/sys" "$tree/dev" "$tree/tmp"
cp "$busybox" "$tree/bin/busybox"
for applet in $("$busybox" --list); do
  [ "$applet" = busybox ] || ln -s busybox "$tree/bin/$applet"
done
cp "$here/init/$variant" "$tree/init"
chmod 755 "$tree/init" "$tree/bin/busybox"

add_qemu_and_guest() {
  qemu=$(command -v qemu-system-x86_64) || {
    echo "$0: Debian's QEMU is needed: apt-get install qemu-system-x86" >&2
    exit 2
  }
  mkdir -p "$tree/usr/share/qemu" "$tree/guest" "$tree/modules"
  cp "$qemu" "$tree/bin/"
  for library in $(ldd "$qemu" | grep -o '/[^ ]*'); do
    mkdir -p "$tree$(dirname "$library")"
    cp -L "$library" "$tree$library"
  done
  for file in bios-256k.bin linuxboot_dma.bin kvmvapic.bin; do
    found=$(find /usr/share/qemu /usr/share/seabios -name "$file" | head -n 1)
    cp -L "$found" "$tree/usr/share/qemu/"
  done
  cp "$kernel.modules"/*.ko "$tree/modules/"
  cp -L "$kernel" "$tree/guest/vmlinuz"
  for inner in check shell; do
    "$0" "$inner" "$tree/guest/$inner.gz"
  done
}
[ "$variant" != kvm ] || add_qemu_and_guest

find "$tree" -exec touch -h -d @0 {} +
(cd "$tree" && find . | LC_ALL=C sort | cpio --quiet --reproducible -o -H newc -R 0:0) \
  | gzip -9n > "$output.part"
mv "$output.part" "$output"
