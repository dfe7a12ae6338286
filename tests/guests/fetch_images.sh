#!/bin/sh
# fetch_images.sh DIR: Debian's newest cloud and generic kernels as DIR/vmlinuz-cloud-amd64 and
# DIR/vmlinuz-amd64, the initial RAM disks of the checks as DIR/check.gz and DIR/power.gz, and that
# with KVM, QEMU and a second Linux as DIR/kvm.gz.
set -eu

bench=$(cd "$(dirname "$0")/../../bench/linux" && pwd)
images=$1
mkdir -p "$images"
for flavour in cloud-amd64 amd64; do
  kernel=$("$bench/fetch_kernel.sh" "linux-image-$flavour" "$images/kernels")
  ln -sf "$kernel" "$images/vmlinuz-$flavour"
done
for variant in check power; do
  "$bench/make_initramfs.sh" $variant "$images/$variant.gz"
done
"$bench/../../tools/install-deps.sh" --only qemu-system-x86
"$bench/make_initramfs.sh" kvm "$images/kvm.gz" "$(readlink "$images/vmlinuz-cloud-amd64")"
