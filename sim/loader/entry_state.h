#pragma once
// The boot core's registers at the first instruction of a loaded image. What is not named here has
// its reset value. Plain data: sim/machine copies it into the core.

#include <array>

#include "model/base/bits.h"

namespace vtsim::loader {

enum class EntryMode : u8 { kReal, kProtected, kLong };

// The general registers' architectural numbers, as in ModRM.
enum Gpr : u8 { kRax, kRcx, kRdx, kRbx, kRsp, kRbp, kRsi, kRdi };

// Access rights as the VMCS holds them: SDM 3C "Guest Register State".
struct AccessRights {
  static constexpr Field TYPE{3, 0};
  static constexpr Flag S{4};
  static constexpr Field DPL{6, 5};
  static constexpr Flag P{7};
  static constexpr Flag L{13};
  static constexpr Flag DB{14};
  static constexpr Flag G{15};
};

struct SegmentValue {
  u16 selector = 0;
  u64 base = 0;
  u32 limit = 0xffff;  // in bytes, as loaded: with granularity applied
  Reg<AccessRights> access;
};

struct DescriptorTable {
  u64 base = 0;
  u16 limit = 0;
};

struct EntryState {
  EntryMode mode = EntryMode::kReal;
  u64 rip = 0;
  u64 rflags = 0x2;
  std::array<u64, 16> gpr{};
  SegmentValue cs, ss, ds, es, fs, gs, ldtr, tr;
  DescriptorTable gdtr, idtr;
  u64 cr0 = 0, cr3 = 0, cr4 = 0, efer = 0;
};

}  // namespace vtsim::loader
