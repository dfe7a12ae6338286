#!/bin/sh
# install-deps.sh                      installs what building, testing and the demos need and is missing
# install-deps.sh --only PACKAGE...    the same for the packages named
# Debian packages. Asks for root (sudo) only when something is missing.
set -eu

build="build-essential cmake ninja-build pkg-config ccache git acpica-tools
  libsystemc-dev libzydis-dev libcapstone-dev libyaml-cpp-dev catch2 libcli11-dev libfmt-dev
  nlohmann-json3-dev libzstd-dev libmpfr-dev libgmp-dev libre2-dev nettle-dev"
run="busybox-static cpio time python3"

if [ "${1:-}" = --only ]; then
  shift
  wanted=$*
else
  wanted="$build $run"
fi

missing=
for package in $wanted; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null || true)
  [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
  command -v sudo > /dev/null || {
    echo "missing packages; as root: apt-get install$missing" >&2
    exit 2
  }
  as_root=sudo
fi
echo "installing:$missing" >&2
# shellcheck disable=SC2086
install_missing() {
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0 \
    install -y --no-install-recommends $missing >&2
}
# Stale package lists name files that are gone: then refresh them and try again.
install_missing || { $as_root apt-get -q update >&2 && install_missing; }
