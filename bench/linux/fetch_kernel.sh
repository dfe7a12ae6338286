#!/bin/sh
# fetch_kernel.sh PACKAGE CACHE_DIR
# Downloads the newest kernel that Debian's PACKAGE (linux-image-cloud-amd64, linux-image-amd64) stands
# for, unpacks it into CACHE_DIR and prints the path of its vmlinuz; KVM's modules lie beside it in
# <vmlinuz>.modules. Nothing is installed and no privileges are needed. What is there already is not fetched again.
set -eu

[ $# = 2 ] || { sed -n '2,6s/^# //p' "$0" >&2; exit 2; }
package=$1
cache=$2
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)

# The meta-package depends on the versioned one.
versioned=$(apt-cache depends --no-recommends --no-suggests "$package" 2> /dev/null \
  | sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
if [ -z "$versioned" ]; then
  flavour=${package#linux-image-}
  kept=$(ls "$cache" | grep -E "^vmlinuz-[0-9.]+-[0-9]+-$flavour\$" | sort -V | tail -n 1)
  if [ -n "$kept" ]; then
    echo "$0: the package lists know no $package; using what is there" >&2
    echo "$cache/$kept"
    exit 0
  fi
  echo "$0: the package lists know no $package (apt-get update?)" >&2
  exit 2
fi

image=$cache/vmlinuz-${versioned#linux-image-}
stamp=$cache/$versioned.version
version=$(apt-cache policy "$versioned" | sed -n 's/^ *Candidate: //p')
if [ ! -f "$image" ] || [ ! -d "$image.modules" ] || [ "$(cat "$stamp" 2> /dev/null)" != "$version" ]; then
  work=$(mktemp -d "$cache/fetch.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && apt-get -q -o APT::Sandbox::User=root download "$versioned=$version" >&2)
  dpkg-deb --fsys-tarfile "$work"/*.deb | tar -x -C "$work" --wildcards './boot/vmlinuz-*' \
    '*/irqbypass.ko' '*/kvm.ko' '*/kvm-intel.ko'
  rm -rf "$image.modules"
  mkdir "$image.modules"
  find "$work/lib" -name '*.ko' -exec mv {} "$image.modules/" ';'
  mv "$work/boot/$(basename "$image")" "$image"
  echo "$version" > "$stamp"
fi
echo "$image"
