# From a fresh Debian 12: `make` installs what is missing and builds into build/.
#   make demo    runs boot_demo on the default machine and tells what happened
#   make test    runs every test
#   make sanitize  the tests that look for crashes, and the fuzzers, under ASan and UBSan
#   make linux   boots Debian's cloud kernel to a shell (KERNEL=linux-image-amd64 for the generic one)
#   make nested  boots it, and in it a second one to a shell with Debian's QEMU and KVM; to change how
#                KVM works: KVM="kvm_intel.ept=0"
#   make bench   builds and runs the micro-benchmarks (BENCH_FLAGS=--benchmark_filter=alu for some)

BUILD ?= build
CMAKE_FLAGS ?=
JOBS ?= $(shell nproc)
PLATFORM ?= q35-skylake-sp
CPUS ?= 1
KERNEL ?= linux-image-cloud-amd64
BENCH_FLAGS ?=

.PHONY: all deps test demo linux nested bench clean

all: deps
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release $(CMAKE_FLAGS) > $(BUILD).configure.log 2>&1 \
	  || { cat $(BUILD).configure.log; exit 1; }
	@cmake --build $(BUILD) -j $(JOBS)

deps:
	@tools/install-deps.sh

test: all
	ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS)

SANITIZED = test_base test_mmu test_cpu test_device test_chipset test_chipset_platform test_loader test_config \
  test_firmware_tables fuzz_code fuzz_chipset fuzz_machine

sanitize: deps
	@cmake -S . -B $(BUILD)-san -G Ninja -DCMAKE_BUILD_TYPE=Release -DVTSIM_SANITIZE=ON $(CMAKE_FLAGS) \
	  > $(BUILD)-san.configure.log 2>&1 || { cat $(BUILD)-san.configure.log; exit 1; }
	@cmake --build $(BUILD)-san -j $(JOBS) --target vtsim boot_demo $(SANITIZED)
	ctest --test-dir $(BUILD)-san --output-on-failure --no-tests=error -j $(JOBS) \
	  -R "^($$(echo $(SANITIZED) | tr ' ' '|')|guest_boot_demo_.cpu)$$"

demo: all
	@tools/run_demo.sh $(BUILD) $(PLATFORM)

linux: all
	@bench/linux/make_initramfs.sh shell $(BUILD)/shell.gz
	$(BUILD)/vtsim run $(PLATFORM) --cpus $(CPUS) --memory 1G --append console=ttyS0 --initrd $(BUILD)/shell.gz \
	  --kernel "$$(bench/linux/fetch_kernel.sh $(KERNEL) $(BUILD)/kernels)"

bench: deps
	@tools/install-deps.sh --only libbenchmark-dev
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release -DVTSIM_BENCH=ON $(CMAKE_FLAGS) > $(BUILD).configure.log 2>&1 \
	  || { cat $(BUILD).configure.log; exit 1; }
	@cmake --build $(BUILD) -j $(JOBS) --target vtsim_micro
	$(BUILD)/bench/micro/vtsim_micro $(BENCH_FLAGS)

nested: all
	@tools/install-deps.sh --only qemu-system-x86
	@kernel="$$(bench/linux/fetch_kernel.sh $(KERNEL) $(BUILD)/kernels)" && \
	  bench/linux/make_initramfs.sh kvm $(BUILD)/kvm.gz "$$kernel" && \
	  $(BUILD)/vtsim run $(PLATFORM) --memory 1G --append "console=ttyS0 inner=shell $(KVM)" \
	  --initrd $(BUILD)/kvm.gz --kernel "$$kernel"

clean:
	rm -rf $(BUILD) $(BUILD)-san $(BUILD).configure.log $(BUILD)-san.configure.log
