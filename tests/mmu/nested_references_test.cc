// The references of two-dimensional walks, one by one.

#include <catch2/catch.hpp>

#include "model/mmu/walker.h"
#include "tests/mmu/nested_path.h"

namespace vtsim::mmu::test {
namespace {

constexpr RefKind kGuest = RefKind::kStage1Entry;
constexpr RefKind kEpt = RefKind::kStage2Entry;

std::vector<Reference> references(NestedPath& path) {
  path.memory.logging = true;
  path.memory.references.clear();
  REQUIRE(walk(path.context, path.linear(), {}, path.memory));
  return path.memory.references;
}

// clang-format off (one row: an EPT walk; then the reference that it was for)
// Linear 0x281'8024'0123: indices 5, 6, 1, 0x40. Data page at guest-physical 0x80'4024'0000:
// indices 1, 1, 1, 0x40. See NestedPath for where the tables lie.
TEST_CASE("walk: the 24 references of 4-level paging under 4-level EPT") {
  NestedPath path(PagingMode::k4Level);
  REQUIRE(path.linear().value == 0x281'8024'0123);
  const std::vector<Reference> expected{
      {kEpt, 4, 0x4000},    {kEpt, 3, 0x3000},    {kEpt, 2, 0x2000},    {kEpt, 1, 0x1020},
      {kGuest, 4, 0x24028}, {kEpt, 4, 0x4000},    {kEpt, 3, 0x3000},    {kEpt, 2, 0x2000},
      {kEpt, 1, 0x1018},    {kGuest, 3, 0x23030}, {kEpt, 4, 0x4000},    {kEpt, 3, 0x3000},
      {kEpt, 2, 0x2000},    {kEpt, 1, 0x1010},    {kGuest, 2, 0x22008}, {kEpt, 4, 0x4000},
      {kEpt, 3, 0x3000},    {kEpt, 2, 0x2000},    {kEpt, 1, 0x1008},    {kGuest, 1, 0x21200},
      {kEpt, 4, 0x4008},    {kEpt, 3, 0xb008},    {kEpt, 2, 0xa008},    {kEpt, 1, 0x9200},
  };
  REQUIRE(expected.size() == 24);
  CHECK(references(path) == expected);
}

TEST_CASE("walk: the 35 references of 5-level paging under 5-level EPT") {
  NestedPath path(PagingMode::k5Level, 5);
  REQUIRE(path.linear().value == 0x3'0281'8024'0123);
  const std::vector<Reference> expected{
      {kEpt, 5, 0x5000}, {kEpt, 4, 0x4000},    {kEpt, 3, 0x3000}, {kEpt, 2, 0x2000},
      {kEpt, 1, 0x1028}, {kGuest, 5, 0x25018}, {kEpt, 5, 0x5000}, {kEpt, 4, 0x4000},
      {kEpt, 3, 0x3000}, {kEpt, 2, 0x2000},    {kEpt, 1, 0x1020}, {kGuest, 4, 0x24028},
      {kEpt, 5, 0x5000}, {kEpt, 4, 0x4000},    {kEpt, 3, 0x3000}, {kEpt, 2, 0x2000},
      {kEpt, 1, 0x1018}, {kGuest, 3, 0x23030}, {kEpt, 5, 0x5000}, {kEpt, 4, 0x4000},
      {kEpt, 3, 0x3000}, {kEpt, 2, 0x2000},    {kEpt, 1, 0x1010}, {kGuest, 2, 0x22008},
      {kEpt, 5, 0x5000}, {kEpt, 4, 0x4000},    {kEpt, 3, 0x3000}, {kEpt, 2, 0x2000},
      {kEpt, 1, 0x1008}, {kGuest, 1, 0x21200}, {kEpt, 5, 0x5000}, {kEpt, 4, 0x4008},
      {kEpt, 3, 0xb008}, {kEpt, 2, 0xa008},    {kEpt, 1, 0x9200},
  };
  REQUIRE(expected.size() == 35);
  CHECK(references(path) == expected);
}
// clang-format on

// (n + 1) * (m + 1) - 1, less what larger pages at the end of either stage save.
TEST_CASE("walk: how many references each pair of page sizes and modes takes") {
  struct Row {
    PagingMode mode;
    unsigned guest_leaf, ept_levels, ept_leaf;  // ept_leaf: of the data page only
    std::size_t references;
  };
  const auto row =
      GENERATE(Row{PagingMode::k4Level, 1, 4, 1, 24}, Row{PagingMode::k4Level, 1, 4, 2, 23},
               Row{PagingMode::k4Level, 1, 4, 3, 22}, Row{PagingMode::k4Level, 2, 4, 1, 19},
               Row{PagingMode::k4Level, 2, 4, 2, 18}, Row{PagingMode::k4Level, 3, 4, 3, 12},
               Row{PagingMode::k5Level, 1, 4, 1, 29}, Row{PagingMode::k4Level, 1, 5, 1, 29},
               Row{PagingMode::k5Level, 1, 5, 1, 35}, Row{PagingMode::kPae, 1, 4, 1, 14},
               Row{PagingMode::kPae, 2, 4, 1, 9}, Row{PagingMode::k32Bit, 1, 4, 1, 14},
               Row{PagingMode::kNone, 1, 4, 1, 4}, Row{PagingMode::kNone, 1, 5, 3, 3});
  NestedPath path(row.mode, row.ept_levels, row.guest_leaf);
  if (row.ept_leaf > 1) {
    path.memory.poke64(path.data_ept(row.ept_leaf),
                       kEptOpen | kEptWb | kEptPage | path.data_target(row.ept_leaf, true));
  }
  CHECK(references(path).size() == row.references);
}

TEST_CASE("walk: natively, one reference a level") {
  NestedPath path(PagingMode::k4Level);
  path.context.ept.enabled = false;
  path.context.cr3 = 0x24000;
  for (unsigned level = 4; level >= 2; --level) {
    path.set_guest(level, 0x27 | (0x20000 + 0x1000 * (level - 1)));
  }
  const std::vector<Reference> expected{
      {kGuest, 4, 0x24028}, {kGuest, 3, 0x23030}, {kGuest, 2, 0x22008}, {kGuest, 1, 0x21200}};
  CHECK(references(path) == expected);
}

}  // namespace
}  // namespace vtsim::mmu::test
