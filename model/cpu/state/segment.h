#pragma once
// Segment registers with their hidden parts, and descriptors in memory.
// SDM 3A "Protected-Mode Memory Management > Segment Registers / Segment Descriptors".

#include "model/base/bits.h"

namespace vtsim::cpu {

enum SegmentName : u8 { kEs, kCs, kSs, kDs, kFs, kGs, kLdtr, kTr };  // the manual's encoding 0..5
inline constexpr unsigned kSegmentCount = 8;

// The access rights as a VMCS keeps them (SDM 3C "Guest Register State > segment access rights").
struct SegmentRights {
  static constexpr Field TYPE{3, 0};
  static constexpr Flag S{4};  // 1: code or data, 0: system
  static constexpr Field DPL{6, 5};
  static constexpr Flag P{7}, AVL{12}, L{13}, DB{14}, G{15};
  static constexpr Flag UNUSABLE{16};

  // within TYPE, for S = 1
  static constexpr Flag ACCESSED{0}, WRITABLE{1}, EXPAND_DOWN{2}, CODE{3};
  static constexpr Flag READABLE{1}, CONFORMING{2};
};

struct SegmentRegister {
  u16 selector = 0;
  Reg<SegmentRights> rights{SegmentRights::UNUSABLE.mask()};
  u32 limit = 0;  // in bytes, granularity applied
  u64 base = 0;

  bool usable() const { return !rights[SegmentRights::UNUSABLE]; }
  unsigned dpl() const { return static_cast<unsigned>(rights[SegmentRights::DPL]); }
  unsigned rpl() const { return selector & 3; }
  bool is_code() const { return rights[SegmentRights::S] && rights[SegmentRights::CODE]; }
  bool is_writable() const { return !rights[SegmentRights::CODE] && rights[SegmentRights::WRITABLE]; }
  bool is_readable() const { return !rights[SegmentRights::CODE] || rights[SegmentRights::READABLE]; }
  bool is_expand_down() const {
    return !rights[SegmentRights::CODE] && rights[SegmentRights::EXPAND_DOWN];
  }
};

struct DescriptorTable {
  u64 base = 0;
  u16 limit = 0xFFFF;
};

// An eight-byte descriptor as it lies in the GDT, LDT or IDT.
struct Descriptor {
  u64 raw = 0;

  constexpr u64 base() const { return bits(raw, 39, 16) | bits(raw, 63, 56) << 24; }
  constexpr u32 limit() const {
    const u32 field = static_cast<u32>(bits(raw, 15, 0) | bits(raw, 51, 48) << 16);
    return granular() ? field << 12 | 0xFFF : field;
  }
  // in the layout of SegmentRights
  constexpr Reg<SegmentRights> rights() const {
    return Reg<SegmentRights>(bits(raw, 47, 40) | bits(raw, 55, 52) << 12);
  }
  constexpr unsigned type() const { return static_cast<unsigned>(bits(raw, 43, 40)); }
  constexpr bool is_system() const { return !bit(raw, 44); }
  constexpr bool is_code() const { return bit(raw, 44) && bit(raw, 43); }
  constexpr bool is_conforming() const { return bit(raw, 42); }
  constexpr unsigned dpl() const { return static_cast<unsigned>(bits(raw, 46, 45)); }
  constexpr bool present() const { return bit(raw, 47); }
  constexpr bool is_long() const { return bit(raw, 53); }
  constexpr bool is_big() const { return bit(raw, 54); }
  constexpr bool granular() const { return bit(raw, 55); }
  // call, interrupt, trap and task gates
  constexpr u16 gate_selector() const { return static_cast<u16>(bits(raw, 31, 16)); }
  constexpr u32 gate_offset() const {
    return static_cast<u32>(bits(raw, 15, 0) | bits(raw, 63, 48) << 16);
  }
};

// System descriptor types. SDM 3A "System Descriptor Types".
enum SystemType : u8 {
  kTss16Available = 1,
  kLdt = 2,
  kTss16Busy = 3,
  kCallGate16 = 4,
  kTaskGate = 5,
  kInterruptGate16 = 6,
  kTrapGate16 = 7,
  kTssAvailable = 9,  // 32-bit, or 64-bit in IA-32e mode
  kTssBusy = 11,
  kCallGate = 12,
  kInterruptGate = 14,
  kTrapGate = 15,
};

}  // namespace vtsim::cpu
