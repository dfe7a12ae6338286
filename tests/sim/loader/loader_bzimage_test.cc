#include "tests/sim/loader/loader_fixture.h"

namespace vtsim::loader {
namespace {

using test::Bytes;
using test::Machine;

struct LinuxBoot {
  Machine machine;
  Bytes image = test::bzimage();
  Bytes initrd = Bytes(5000, 0x5a);
  LoadRequest request;

  LinuxBoot() {
    request.file = "vmlinuz";
    request.image = image;
    request.modules = {{"initrd.gz", "", initrd}};
    request.command_line = "console=ttyS0";
    request.rsdp = Hpa(0xe0000);
  }
};

TEST_CASE("bzImage: the kernel enters in 64-bit mode 200h into its preferred address") {
  LinuxBoot boot;
  const LoadedImage loaded = boot.machine.load(boot.request);
  CHECK(loaded.kind == ImageKind::kBzImage);
  const EntryState& entry = loaded.entry;
  CHECK(entry.mode == EntryMode::kLong);
  CHECK(entry.rip == 0x1000200);
  CHECK(entry.rflags == 2);
  CHECK(entry.cr0 == 0x8000'0011);
  CHECK(entry.cr4 == 0x20);
  CHECK(entry.efer == 0x500);
  CHECK(entry.cs.selector == 0x10);
  CHECK(entry.cs.access.value == 0xa09b);
  CHECK(entry.ds.selector == 0x18);
  CHECK(entry.ds.access.value == 0xc093);
  CHECK(entry.ss.limit == 0xffff'ffff);
  const auto view = boot.machine.memory.view(0x1000000, 64 * 1024);
  CHECK(std::equal(view.begin(), view.end(), boot.image.begin() + 5 * 512));
}

TEST_CASE("bzImage: boot_params hold the header, the memory map, the RSDP and what is loaded") {
  LinuxBoot boot;
  const LoadedImage loaded = boot.machine.load(boot.request);
  const auto& memory = boot.machine.memory;
  const u64 params = loaded.entry.gpr[kRsi];
  CHECK(params % 4096 == 0);
  CHECK(memory.number(params + 0x202, 4) == 0x53726448);
  CHECK(memory.number(params + 0x210, 1) == 0xff);
  CHECK(memory.number(params + 0x070, 8) == 0xe0000);
  CHECK(memory.number(params + 0x1ef, 1) == 0);  // sentinel: the loader cleared boot_params
  CHECK(memory.number(params + 0x250, 8) == 0);  // setup_data
  CHECK(boot.machine.c_string(memory.number(params + 0x228, 4)) == "console=ttyS0");
  const auto& ranges = boot.machine.layout.ranges;
  REQUIRE(memory.number(params + 0x1e8, 1) == ranges.size());
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    CHECK(memory.number(params + 0x2d0 + 20 * i, 8) == ranges[i].base.value);
    CHECK(memory.number(params + 0x2d0 + 20 * i + 8, 8) == ranges[i].bytes);
    CHECK(memory.number(params + 0x2d0 + 20 * i + 16, 4) == static_cast<u32>(ranges[i].type));
  }
}

TEST_CASE("bzImage: the initial RAM disk lies as high as RAM allows, on a page") {
  LinuxBoot boot;
  const LoadedImage loaded = boot.machine.load(boot.request);
  const u64 params = loaded.entry.gpr[kRsi];
  const u64 at = boot.machine.memory.number(params + 0x218, 4);
  CHECK(at == boot.machine.layout.acpi_area.value - 0x2000);
  CHECK(boot.machine.memory.number(params + 0x21c, 4) == 5000);
  CHECK(boot.machine.memory.number(at, 1) == 0x5a);
  CHECK(boot.machine.memory.number(at + 4999, 1) == 0x5a);
}

TEST_CASE("bzImage: the initial RAM disk ends at or below initrd_addr_max") {
  LinuxBoot boot;
  test::put(boot.image, 0x22c, 0x1ffffff, 4);
  const LoadedImage loaded = boot.machine.load(boot.request);
  const u64 at = boot.machine.memory.number(loaded.entry.gpr[kRsi] + 0x218, 4);
  CHECK(at == 0x2000000 - 0x2000);
}

TEST_CASE("bzImage: the identity map translates each 2 MiB of the low 4 GiB to itself") {
  LinuxBoot boot;
  const LoadedImage loaded = boot.machine.load(boot.request);
  const auto& memory = boot.machine.memory;
  for (u64 address = 0; address < (u64{4} << 30); address += u64{2} << 20) {
    const u64 pml4e = memory.number(loaded.entry.cr3 + (address >> 39) * 8, 8);
    const u64 pdpte = memory.number((pml4e & ~0xfffull) + ((address >> 30) & 511) * 8, 8);
    const u64 pde = memory.number((pdpte & ~0xfffull) + ((address >> 21) & 511) * 8, 8);
    REQUIRE((pml4e & 0xfff) == 3);
    REQUIRE((pdpte & 0xfff) == 3);
    REQUIRE(pde == (address | 0x83));
  }
  CHECK(memory.number(loaded.entry.cr3 + 8, 8) == 0);
}

TEST_CASE("bzImage: the GDT holds what the segment registers show") {
  LinuxBoot boot;
  const EntryState entry = boot.machine.load(boot.request).entry;
  CHECK(boot.machine.memory.number(entry.gdtr.base + 0x10, 8) == 0x00af'9b00'0000'ffff);
  CHECK(boot.machine.memory.number(entry.gdtr.base + 0x18, 8) == 0x00cf'9300'0000'ffff);
  CHECK(entry.gdtr.limit == 0x2f);
}

TEST_CASE("bzImage: without a 64-bit entry the kernel enters in protected mode at its start") {
  LinuxBoot boot;
  test::put(boot.image, 0x236, 0, 2);
  const EntryState entry = boot.machine.load(boot.request).entry;
  CHECK(entry.mode == EntryMode::kProtected);
  CHECK(entry.rip == 0x1000000);
  CHECK(entry.cr0 == 0x11);
  CHECK(entry.cs.access.value == 0xc09b);
  CHECK(entry.gpr[kRbp] == 0);
  CHECK(entry.gpr[kRdi] == 0);
  CHECK(entry.gpr[kRbx] == 0);
}

TEST_CASE("bzImage: a relocatable kernel goes elsewhere when its preferred address is no RAM") {
  LinuxBoot boot;
  test::put(boot.image, 0x258, u64{1} << 30, 8);
  CHECK(boot.machine.load(boot.request).entry.rip == 0x200200);
}

TEST_CASE("bzImage: wrong fields are refused by name") {
  test::check_spoils(test::bzimage(), {{0x206, 2, 0x0209, "version"},
                                       {0x211, 1, 0, "loadflags"},
                                       {0x1f1, 1, 255, "syssize"},
                                       {0x1f4, 4, 0x1001, "syssize"},
                                       {0x1f4, 4, 0, "syssize"},
                                       {0x260, 4, 0, "init_size"},
                                       {0x260, 4, 0x7000000, "kernel (init_size)"},
                                       {0x230, 4, 0x300000, "kernel_alignment"},
                                       {0x230, 4, 0, "kernel_alignment"},
                                       {0x201, 1, 0xff, "jump"},
                                       {0x1fe, 2, 0, "magic"},
                                       {0x202, 4, 0, "magic"}});
}

TEST_CASE("bzImage: a kernel that cannot move is refused when its address is no RAM") {
  Bytes image = test::bzimage();
  test::put(image, 0x234, 0, 1);
  test::put(image, 0x258, u64{1} << 30, 8);
  CHECK(test::refused_field(image) == "kernel (init_size)");
}

TEST_CASE("bzImage: command line, RAM disk and number of modules have limits") {
  LinuxBoot boot;
  boot.request.command_line = std::string(255, 'x');
  CHECK(test::refused_field(boot.request) == "");
  boot.request.command_line = std::string(256, 'x');
  CHECK(test::refused_field(boot.request) == "cmdline_size");
  boot.request.command_line = "";
  const Bytes large(test::kTestRam);
  boot.request.modules = {{"large", "", large}};
  CHECK(test::refused_field(boot.request) == "initrd large");
  boot.request.modules = {{"a", "", boot.initrd}, {"b", "", boot.initrd}};
  CHECK(test::refused_field(boot.request) == "--initrd");
}

TEST_CASE("bzImage: a truncated file is refused, whatever its length") {
  const Bytes image = test::bzimage();
  for (std::size_t length = 0; length < image.size(); length += length < 0x300 ? 1 : 997) {
    INFO(length);
    CHECK(test::refused_field(Bytes(image.begin(), image.begin() + static_cast<long>(length))) !=
          "");
  }
}

}  // namespace
}  // namespace vtsim::loader
