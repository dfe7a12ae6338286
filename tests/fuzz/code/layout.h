#pragma once
// Where things lie in a fuzzed program's memory. Linear and physical addresses are the same but
// for the aliases: with paging, the second MByte shows the first one again.

#include "model/base/types.h"

namespace vtsim::fuzz::layout {

inline constexpr u64 kTables = 0x1000;    // paging structures: five pages, by level
inline constexpr u64 kGdt = 0x6000, kGdtLimit = 0x1FF;
inline constexpr u64 kLdt = 0x6800;
inline constexpr u64 kIdt = 0x7000;
inline constexpr u64 kTss = 0x8000, kTssLimit = 0x67 + 0x20 + 0x2000 + 1;  // two bitmaps
inline constexpr u64 kSecondTss = 0xB800;
inline constexpr u64 kStubs = 0xC000;     // ends of handlers
inline constexpr u64 kCode = 0x10000, kCodeBytes = 0x4000;
inline constexpr u64 kData = 0x20000;
inline constexpr u64 kStack = 0x28000;    // and of inner privilege levels below it
inline constexpr u64 kAlias = 0x100000;
inline constexpr u64 kApicAlias = 0x1FF000;
inline constexpr u64 kOddPages = 0x24;    // pages whose kind is drawn

// Selectors of the GDT.
enum Selector : u16 {
  kCode64 = 0x08, kFlatData = 0x10, kCode32 = 0x18, kCode16 = 0x20,
  kUserCode32 = 0x28, kUserData = 0x30, kUserCode64 = 0x38, kUserCode16 = 0x40,
  kData16 = 0x48, kUserData16 = 0x50, kConforming = 0x58, kExpandDown = 0x60,
  kLdtEntry = 0x68, kTssEntry = 0x78, kSecondTssEntry = 0x88, kTss16Entry = 0x98,
  kCallGate = 0xA0, kTaskGate = 0xB0, kFirstRandom = 0xB8,
};

}  // namespace vtsim::fuzz::layout
