// SDM 3A "PDPTE Registers"

#include <catch2/catch.hpp>

#include "model/mmu/walker.h"
#include "tests/mmu/nested_path.h"

namespace vtsim::mmu::test {
namespace {

PagingContext pae(u8 width = 40) {
  PagingContext context;
  context.mode = PagingMode::kPae;
  context.physical_width = width;
  return context;
}

TEST_CASE("PDPTEs: four of them, at CR3 bits 31:5") {
  FakeMemory memory;
  for (u64 i = 0; i < 4; ++i) memory.poke64(0x1ae0 + i * 8, 0x1001 + (i << 12));
  memory.logging = true;
  const PdpteResult result = load_pdptes(pae(), 0xffff'ffff'0000'1aff, memory);
  REQUIRE(std::holds_alternative<Pdptes>(result));
  CHECK(std::get<Pdptes>(result) == Pdptes{0x1001, 0x2001, 0x3001, 0x4001});
  REQUIRE(memory.references.size() == 4);
  CHECK(memory.references[3] == Reference{RefKind::kStage1Entry, 3, 0x1af8});
}

// Bits 2:1, 8:5 and 63:MAXPHYADDR are reserved; 4:3 and 11:9 are not.
TEST_CASE("PDPTEs: each bit of each, present and not") {
  for (const u8 width : {u8{32}, u8{36}, u8{40}, u8{52}}) {
    for (u64 index = 0; index < 4; ++index) {
      for (unsigned bit = 1; bit < 64; ++bit) {
        FakeMemory memory;
        const bool reserved = bit <= 2 || (bit >= 5 && bit <= 8) || bit >= width;
        memory.poke64(0x1000 + index * 8, 1 | 1ull << bit);
        const PdpteResult present = load_pdptes(pae(width), 0x1000, memory);
        REQUIRE(std::holds_alternative<PdpteReserved>(present) == reserved);
        if (reserved) REQUIRE(std::get<PdpteReserved>(present).index == index);
        memory.poke64(0x1000 + index * 8, 1ull << bit);
        REQUIRE(std::holds_alternative<Pdptes>(load_pdptes(pae(width), 0x1000, memory)));
      }
    }
  }
}

TEST_CASE("PDPTEs under EPT: read as data, never written, without a linear address") {
  NestedPath path(PagingMode::kPae);
  path.context.ept.accessed_dirty = true;
  const u64 leaf = NestedPath::table_ept(1, 0x3000);
  path.memory.poke64(leaf, 0x23000 | kEptWb | 1);  // not writable: no matter
  path.memory.poke64(0x23000, 0x2001);
  const PdpteResult good = load_pdptes(path.context, 0x3000, path.memory);
  REQUIRE(std::holds_alternative<Pdptes>(good));
  CHECK(std::get<Pdptes>(good)[0] == 0x2001);
  CHECK((path.memory.peek64(leaf) & 0x300) == 0x100);  // accessed, not dirty
  path.memory.poke64(leaf, 0);
  const PdpteResult bad = load_pdptes(path.context, 0x3000, path.memory);
  REQUIRE(std::holds_alternative<WalkFault>(bad));
  CHECK(ept_violation_qualification(std::get<WalkFault>(bad)) == 1);
  CHECK(std::get<WalkFault>(bad).gpa.value == 0x3000);
}

}  // namespace
}  // namespace vtsim::mmu::test
