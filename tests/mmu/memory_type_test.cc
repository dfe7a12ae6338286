// SDM 3A "Memory Cache Control": the manual's tables, row by row.

#include "model/mmu/memory_type.h"

#include <catch2/catch.hpp>

namespace vtsim::mmu::test {
namespace {

constexpr MemoryType UC = MemoryType::kUc, WC = MemoryType::kWc, WT = MemoryType::kWt,
                     WP = MemoryType::kWp, WB = MemoryType::kWb, UCm = MemoryType::kUcMinus;

// Table "Effective Page-Level Memory Types for Pentium III and More Recent Processor Families"
TEST_CASE("memory types: MTRR and PAT to the effective type") {
  struct Row {
    MemoryType mtrr, pat, effective;
  };
  constexpr Row kRows[] = {
      {UC, UC, UC}, {UC, UCm, UC}, {UC, WC, WC}, {UC, WT, UC}, {UC, WB, UC}, {UC, WP, UC},
      {WC, UC, UC}, {WC, UCm, WC}, {WC, WC, WC}, {WC, WT, UC}, {WC, WB, WC}, {WC, WP, UC},
      {WT, UC, UC}, {WT, UCm, UC}, {WT, WC, WC}, {WT, WT, WT}, {WT, WB, WT}, {WT, WP, WP},
      {WB, UC, UC}, {WB, UCm, UC}, {WB, WC, WC}, {WB, WT, WT}, {WB, WB, WB}, {WB, WP, WP},
      {WP, UC, UC}, {WP, UCm, WC}, {WP, WC, WC}, {WP, WT, WT}, {WP, WB, WP}, {WP, WP, WP},
  };
  for (const Row& row : kRows) {
    CAPTURE(int(row.mtrr), int(row.pat));
    CHECK(effective_type(row.mtrr, row.pat) == row.effective);
    CHECK(effective_ept_type({row.mtrr, false}, row.pat) == row.effective);
    CHECK(effective_ept_type({row.mtrr, true}, row.pat) == row.mtrr);
  }
}

TEST_CASE("memory types: encodings that software may write") {
  for (u64 type = 0; type < 256; ++type) {
    CHECK(mtrr_encoding(type).has_value() ==
          (type == 0 || type == 1 || type == 4 || type == 5 || type == 6));
    for (unsigned byte = 0; byte < 8; ++byte) {
      const bool valid = type == 0 || type == 1 || (type >= 4 && type <= 7);
      CHECK(is_valid_pat(type << (8 * byte)) == valid);
    }
  }
  CHECK(*mtrr_encoding(6) == WB);
}

// Table "Memory Type Setting of PAT Entries Following a Power-up or Reset"
TEST_CASE("PAT: the entry that PAT, PCD and PWT select") {
  constexpr u64 kReset = 0x0007'0406'0007'0406;
  constexpr MemoryType kExpected[] = {WB, WT, UCm, UC, WB, WT, UCm, UC};
  for (u8 index = 0; index < 8; ++index) CHECK(pat_type(kReset, index) == kExpected[index]);
  CHECK(pat_type(0, 8) == WB);  // no paging: WB
}

// Table "Address Mapping for Fixed-Range MTRRs": the first and the last byte of every range.
TEST_CASE("MTRR: each fixed range has its byte") {
  struct Row {
    unsigned index;  // of the register in Mtrrs::fixed
    u64 begin, bytes;
  };
  constexpr Row kRows[] = {{0, 0x00000, 0x10000}, {1, 0x80000, 0x4000}, {2, 0xa0000, 0x4000},
                           {3, 0xc0000, 0x1000},  {4, 0xc8000, 0x1000}, {5, 0xd0000, 0x1000},
                           {6, 0xd8000, 0x1000},  {7, 0xe0000, 0x1000}, {8, 0xe8000, 0x1000},
                           {9, 0xf0000, 0x1000},  {10, 0xf8000, 0x1000}};
  for (const Row& row : kRows) {
    for (unsigned byte = 0; byte < 8; ++byte) {
      Mtrrs mtrrs;
      mtrrs.def_type = 0xc06;  // E, FE, WB
      mtrrs.fixed.fill(0x0606'0606'0606'0606);
      mtrrs.fixed[row.index] = (0x0606'0606'0606'0606 & ~(0xffull << 8 * byte)) | 5ull << 8 * byte;
      const u64 begin = row.begin + byte * row.bytes;
      const u64 end = begin + row.bytes;
      CHECK(mtrr_type(mtrrs, Hpa(begin)) == WP);
      CHECK(mtrr_type(mtrrs, Hpa(end - 1)) == WP);
      if (begin > 0) CHECK(mtrr_type(mtrrs, Hpa(begin - 1)) == WB);
      CHECK(mtrr_type(mtrrs, Hpa(end)) == WB);
    }
  }
}

TEST_CASE("MTRR: E and FE") {
  Mtrrs mtrrs;
  mtrrs.fixed.fill(0x0101'0101'0101'0101);
  mtrrs.variable[0] = {0x4, 0xf'ffff'0000'0800};  // WT from 0, 4 GiB
  mtrrs.def_type = 0x406;
  CHECK(mtrr_type(mtrrs, Hpa(0)) == UC);  // E = 0: everything is UC
  mtrrs.def_type = 0x806;
  CHECK(mtrr_type(mtrrs, Hpa(0)) == WT);  // FE = 0: variable ranges reach down
  mtrrs.def_type = 0xc06;
  CHECK(mtrr_type(mtrrs, Hpa(0xfffff)) == WC);  // fixed ranges go before variable ones
  CHECK(mtrr_type(mtrrs, Hpa(0x100000)) == WT);
  CHECK(mtrr_type(mtrrs, Hpa(0x1'0000'0000)) == WB);  // the default
}

TEST_CASE("MTRR: a variable range, its edges, and a mask with a hole") {
  Mtrrs mtrrs;
  mtrrs.def_type = 0x806;
  mtrrs.variable[3] = {0xc000'0000, 0x3f'c000'0800};  // UC from 3 GiB, 1 GiB
  CHECK(mtrr_type(mtrrs, Hpa(0xbfff'ffff)) == WB);
  CHECK(mtrr_type(mtrrs, Hpa(0xc000'0000)) == UC);
  CHECK(mtrr_type(mtrrs, Hpa(0xffff'ffff)) == UC);
  CHECK(mtrr_type(mtrrs, Hpa(0x1'0000'0000)) == WB);
  mtrrs.variable[3].mask &= ~0x800ull;  // V = 0
  CHECK(mtrr_type(mtrrs, Hpa(0xc000'0000)) == WB);
  mtrrs.variable[3] = {0x10'0000'0001, 0x3f'ffd0'0800 | 0x3ull << 36};  // bit 21 does not matter
  CHECK(mtrr_type(mtrrs, Hpa(0x10'0000'0000)) == WC);
  CHECK(mtrr_type(mtrrs, Hpa(0x10'0020'0000)) == WC);
  CHECK(mtrr_type(mtrrs, Hpa(0x10'0040'0000)) == WB);
}

MemoryType overlap(MemoryType a, MemoryType b) {
  Mtrrs mtrrs;
  mtrrs.def_type = 0x801;
  mtrrs.variable[0] = {static_cast<u64>(a), 0x3f'ffff'f800};
  mtrrs.variable[7] = {static_cast<u64>(b), 0x3f'ffff'f800};
  return mtrr_type(mtrrs, Hpa(0));
}

// "MTRR Precedences"
TEST_CASE("MTRR: overlapping variable ranges") {
  for (const MemoryType type : {UC, WC, WT, WP, WB}) {
    CHECK(overlap(type, type) == type);
    CHECK(overlap(type, UC) == UC);
    CHECK(overlap(UC, type) == UC);
  }
  CHECK(overlap(WT, WB) == WT);
  CHECK(overlap(WB, WT) == WT);
}

TEST_CASE("MTRR: overlaps that the manual leaves undefined are UC") {
  CHECK(overlap(WC, WB) == UC);
  CHECK(overlap(WP, WT) == UC);
}

}  // namespace
}  // namespace vtsim::mmu::test
