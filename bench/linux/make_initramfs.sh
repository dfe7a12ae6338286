#!/bin/sh
# make_initramfs.sh measure|check|shell OUTPUT.gz
# A busybox initial RAM disk whose /init is the script init/<variant>. The same bytes each time for
# one version of busybox. Needs Debian's busybox-static and cpio; no privileges.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
[ $# = 2 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
variant=$1
output=$2
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
find "$tree" -exec touch -h -d @0 {} +
(cd "$tree" && find . | LC_ALL=C sort | cpio --quiet --reproducible -o -H newc -R 0:0) \
  | gzip -9n > "$output.part"
mv "$output.part" "$output"
