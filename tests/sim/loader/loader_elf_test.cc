#include "tests/sim/loader/loader_fixture.h"

namespace vtsim::loader {
namespace {

using test::Bytes;
using test::ElfSpec;
using test::Machine;

constexpr u64 kBase = 2 << 20;

TEST_CASE("ELF: a 32-bit executable enters in flat protected mode, a 64-bit one in 64-bit mode") {
  for (unsigned bits : {32u, 64u}) {
    INFO(bits);
    Machine machine;
    const LoadedImage loaded = machine.load(test::elf(test::one_segment(bits)));
    CHECK(loaded.kind == ImageKind::kElf);
    CHECK(loaded.entry.rip == kBase + 16);
    CHECK(loaded.entry.mode == (bits == 32 ? EntryMode::kProtected : EntryMode::kLong));
    const u64 info = loaded.entry.gpr[bits == 32 ? kRbx : kRdi];
    CHECK(machine.memory.number(info, 4) == 0x336ec578);
  }
}

TEST_CASE("ELF: what a segment has beyond its file bytes is cleared") {
  Machine machine;
  const Bytes dirty(0x4000, 0xff);
  REQUIRE(machine.memory.write(Hpa(kBase), dirty));
  machine.load(test::elf(test::one_segment(64)));
  CHECK(machine.memory.number(kBase, 1) == 1);
  CHECK(machine.memory.number(kBase + 0x1000, 8) == 0);
  CHECK(machine.memory.number(kBase + 0x1ff8, 8) == 0);
  CHECK(machine.memory.number(kBase + 0x2000, 1) == 0xff);
}

TEST_CASE("ELF: a virtual entry address stands for the physical one of its segment") {
  ElfSpec spec = test::one_segment(64);
  spec.segments[0].virtual_address = 0xffff'ffff'8000'0000;
  spec.entry = 0xffff'ffff'8000'0123;
  Machine machine;
  CHECK(machine.load(test::elf(spec)).entry.rip == kBase + 0x123);
}

TEST_CASE("PVH: the note's entry is taken, with EBX pointing to hvm_start_info") {
  ElfSpec spec = test::one_segment(64);
  spec.note = test::pvh_note(kBase + 0x40);
  const Bytes image = test::elf(spec);
  const Bytes one(100, 1), two(5000, 2);
  LoadRequest request{"path/kernel", image, {{"x/one", "a b", one}, {"two", "", two}},
                      "quiet",       {},    Hpa(0xe0000)};
  Machine machine;
  const LoadedImage loaded = machine.load(request);
  CHECK(loaded.kind == ImageKind::kPvh);
  CHECK(loaded.entry.mode == EntryMode::kProtected);
  CHECK(loaded.entry.rip == kBase + 0x40);
  CHECK(loaded.entry.cr4 == 0);
  CHECK(loaded.entry.tr.limit == 0x67);
  CHECK(loaded.entry.tr.access.value == 0x8b);
  const auto& memory = machine.memory;
  const u64 info = loaded.entry.gpr[kRbx];
  CHECK(memory.number(info, 4) == 0x336ec578);
  CHECK(memory.number(info + 4, 4) == 1);
  CHECK(memory.number(info + 12, 4) == 2);
  CHECK(machine.c_string(memory.number(info + 24, 8)) == "quiet");
  CHECK(memory.number(info + 32, 8) == 0xe0000);
  CHECK(memory.number(info + 48, 4) == machine.layout.ranges.size());
  const u64 modules = memory.number(info + 16, 8), map = memory.number(info + 40, 8);
  CHECK(machine.c_string(memory.number(modules + 16, 8)) == "one a b");
  CHECK(memory.number(modules + 32 + 8, 8) == 5000);
  CHECK(memory.number(memory.number(modules + 32, 8) + 4999, 1) == 2);
  CHECK(memory.number(map, 8) == 0);
  CHECK(memory.number(map + 8, 8) == 0x9fc00);
  CHECK(memory.number(map + 16, 4) == 1);
}

TEST_CASE("ELF: notes of other owners and types are passed over") {
  ElfSpec spec = test::one_segment(32);
  Bytes note = test::pvh_note(1);
  test::put(note, 8, 17, 4);  // another type
  Bytes gnu = test::pvh_note(2);
  test::put(gnu, 12, 0x00554e47, 4);  // "GNU"
  const Bytes right = test::pvh_note(kBase + 8);
  note.insert(note.end(), gnu.begin(), gnu.end());
  note.insert(note.end(), right.begin(), right.end());
  spec.note = note;
  Machine machine;
  CHECK(machine.load(test::elf(spec)).entry.rip == kBase + 8);
}

TEST_CASE("ELF32: wrong fields are refused by name") {
  test::check_spoils(test::elf(test::one_segment(32)),
                     {{4, 1, 3, "e_ident[EI_CLASS]"},
                      {5, 1, 2, "e_ident[EI_DATA]"},
                      {6, 1, 0, "e_ident[EI_VERSION]"},
                      {16, 2, 3, "e_type"},
                      {18, 2, 40, "e_machine"},
                      {24, 4, 0x1000, "e_entry"},
                      {28, 4, 0xffffff00, "e_phoff"},
                      {42, 2, 56, "e_phentsize"},
                      {44, 2, 0, "e_phnum"},
                      {44, 2, 0xffff, "e_phoff"},
                      {52, 4, 0, "e_phnum"},  // p_type: nothing to load
                      {52 + 4, 4, 0x10000, "p_offset"},
                      {52 + 12, 4, 0x4000000, "segment 0"},  // p_paddr beyond RAM
                      {52 + 12, 4, 0xe0000, "segment 0"},    // reserved
                      {52 + 16, 4, 0x2001, "p_offset"},      // p_filesz beyond the file
                      {52 + 20, 4, 0xfff, "p_filesz"},
                      {52 + 20, 4, 0xffffffff, "segment 0"}});
}

TEST_CASE("ELF64: a segment may not wrap around the address space") {
  test::check_spoils(test::elf(test::one_segment(64)), {{64 + 24, 8, ~u64{0} - 0xfff, "p_memsz"},
                                                        {64 + 40, 8, ~u64{0}, "p_memsz"},
                                                        {64 + 8, 8, ~u64{0}, "p_offset"},
                                                        {32, 8, ~u64{0} - 8, "e_phoff"}});
}

TEST_CASE("ELF: overlapping segments are refused, adjacent ones are not") {
  ElfSpec spec = test::one_segment(64);
  spec.segments.push_back({kBase + 8192, kBase + 8192, Bytes(16, 1), 16});
  CHECK(test::refused_field(test::elf(spec)) == "");
  spec.segments[1].physical -= 1;
  CHECK(test::refused_field(test::elf(spec)) == "segment 1");
}

TEST_CASE("PVH: notes that lie are refused by name") {
  ElfSpec spec = test::one_segment(64);
  spec.note = test::pvh_note(0x1000);
  CHECK(test::refused_field(test::elf(spec)) == "XEN_ELFNOTE_PHYS32_ENTRY");
  spec.note = test::pvh_note(kBase);
  test::put(spec.note, 4, 2, 4);
  CHECK(test::refused_field(test::elf(spec)) == "XEN_ELFNOTE_PHYS32_ENTRY");
  test::put(spec.note, 4, 0xffffffff, 4);
  CHECK(test::refused_field(test::elf(spec)) == "n_descsz");
  test::put(spec.note, 0, 0xffffffff, 4);
  CHECK(test::refused_field(test::elf(spec)) == "n_descsz");
}

TEST_CASE("ELF: modules that do not fit are refused") {
  const Bytes image = test::elf(test::one_segment(64));
  const Bytes large(test::kTestRam);
  CHECK(test::refused_field({"k", image, {{"m", "", large}}, "", {}, {}}) == "module m");
}

TEST_CASE("Flat: below 64 KiB the code segment is 0, below 1 MiB a paragraph, above protected") {
  const Bytes code(512, 0x90);
  struct Row {
    u64 at;
    EntryMode mode;
    u16 selector;
    u64 base;
    u64 rip;
  };
  static constexpr Row kRows[] = {{0x7c00, EntryMode::kReal, 0, 0, 0x7c00},
                                  {0xfe00, EntryMode::kReal, 0, 0, 0xfe00},
                                  {0x12345, EntryMode::kReal, 0x1234, 0x12340, 5},
                                  {0x100000, EntryMode::kProtected, 0x10, 0, 0x100000}};
  for (const Row& row : kRows) {
    INFO(row.at);
    Machine machine;
    LoadRequest request{"boot.bin", code, {}, "", Hpa(row.at), {}};
    const EntryState entry = machine.load(request).entry;
    CHECK(entry.mode == row.mode);
    CHECK(entry.cs.selector == row.selector);
    CHECK(entry.cs.base == row.base);
    CHECK(entry.rip == row.rip);
    CHECK(machine.memory.number(row.at, 1) == 0x90);
  }
}

TEST_CASE("Flat: --load-at wins over what the file looks like") {
  const Bytes image = test::elf(test::one_segment(64));
  Machine machine;
  CHECK(machine.load({"x", image, {}, "", Hpa(0x8000), {}}).kind == ImageKind::kFlat);
}

TEST_CASE("Flat: modules, command lines and addresses outside RAM are refused") {
  const Bytes code(512, 0x90), empty;
  CHECK(test::refused_field({"x", code, {{"m", "", code}}, "", Hpa(0x8000), {}}) == "--initrd");
  CHECK(test::refused_field({"x", code, {}, "quiet", Hpa(0x8000), {}}) == "--append");
  CHECK(test::refused_field({"x", code, {}, "", Hpa(0x9fb00), {}}) == "flat binary");
  CHECK(test::refused_field({"x", code, {}, "", Hpa(~u64{0}), {}}) == "flat binary");
  CHECK(test::refused_field({"x", empty, {}, "", Hpa(0x8000), {}}) == "file");
}

TEST_CASE("Magic: a file of no known kind is refused, with a hint") {
  const Bytes text(1000, 'x');
  try {
    Machine().load(text);
    FAIL("was accepted");
  } catch (const ImageError& error) {
    CHECK(error.field() == "magic");
    CHECK(std::string(error.what()).find("--load-at") != std::string::npos);
  }
}

}  // namespace
}  // namespace vtsim::loader
