#pragma once
// What spoils a valid VMCS: a row names the rule that must be the first to fail, and the field and
// the bits that it must blame.

#include <span>

#include "tests/vmx/bench.h"

namespace vtsim::vmx::test {

struct SpoiledEntry {
  std::string_view rule;  // how its text begins; one rule of the section does
  void (*spoil)(Bench&);
  VmcsField field;
  u64 bits;
  Guest guest = Guest::k64;
};

struct SpoiledSection {
  EntryPhase phase;
  std::string_view section;
  std::span<const SpoiledEntry> entries;
};

// What is unusual and still valid.
struct ValidEntry {
  std::string_view what;
  void (*change)(Bench&);
  Guest guest = Guest::k64;
};

inline constexpr u64 kAll16 = 0xFFFF, kAll32 = 0xFFFF'FFFF, kAll64 = ~u64{0};
inline constexpr u64 kBit46 = u64{1} << 46;  // beyond the preset's physical-address width
inline constexpr u64 kHigh32 = 0xFFFF'FFFF'0000'0000;

}  // namespace vtsim::vmx::test
