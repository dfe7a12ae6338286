#pragma once
// Control registers, RFLAGS, EFER and debug registers, bit by bit.
// SDM 3A "System Architecture Overview > Control Registers", SDM 1 "EFLAGS Register".

#include "model/base/bits.h"

namespace vtsim::cpu {

struct Rflags {
  static constexpr Flag CF{0}, PF{2}, AF{4}, ZF{6}, SF{7}, TF{8}, IF{9}, DF{10}, OF{11};
  static constexpr Field IOPL{13, 12};
  static constexpr Flag NT{14}, RF{16}, VM{17}, AC{18}, VIF{19}, VIP{20}, ID{21};
  static constexpr u64 kFixedOne = 0x2;
  static constexpr u64 kArithmetic =
      CF.mask() | PF.mask() | AF.mask() | ZF.mask() | SF.mask() | OF.mask();
  // Every bit that exists; the others read as 0 (bit 1 as 1).
  static constexpr u64 kDefined = 0x3F7FD5 | kFixedOne;
};

struct Cr0 {
  static constexpr Flag PE{0}, MP{1}, EM{2}, TS{3}, ET{4}, NE{5}, WP{16}, AM{18}, NW{29}, CD{30},
      PG{31};
};

struct Cr3 {
  static constexpr Flag PWT{3}, PCD{4};
  static constexpr Field PCID{11, 0};
  static constexpr Flag kKeepTranslations{63};  // only as an operand of MOV to CR3
};

struct Cr4 {
  static constexpr Flag VME{0}, PVI{1}, TSD{2}, DE{3}, PSE{4}, PAE{5}, MCE{6}, PGE{7}, PCE{8},
      OSFXSR{9}, OSXMMEXCPT{10}, UMIP{11}, LA57{12}, VMXE{13}, SMXE{14}, FSGSBASE{16}, PCIDE{17},
      OSXSAVE{18}, KL{19}, SMEP{20}, SMAP{21}, PKE{22}, CET{23}, PKS{24};
};

struct Efer {
  static constexpr Flag SCE{0}, LME{8}, LMA{10}, NXE{11};
};

struct Xcr0 {
  static constexpr Flag X87{0}, SSE{1}, AVX{2}, PKRU{9};
};

struct Dr6 {
  static constexpr Field B{3, 0};
  static constexpr Flag BLD{11}, BD{13}, BS{14}, BT{15}, RTM{16};
  static constexpr u64 kReset = 0xFFFF0FF0;
};

struct Dr7 {
  static constexpr Field ENABLES{7, 0};
  static constexpr Flag LE{8}, GE{9}, GD{13};
  static constexpr u64 kReset = 0x400;
  static constexpr bool enabled(u64 dr7, unsigned n) { return bits(dr7, 2 * n + 1, 2 * n) != 0; }
  // 0 execute, 1 write, 2 I/O, 3 read or write
  static constexpr unsigned type(u64 dr7, unsigned n) {
    return static_cast<unsigned>(bits(dr7, 17 + 4 * n, 16 + 4 * n));
  }
  // bytes: 1, 2, 8, 4 for encodings 0..3
  static constexpr unsigned length(u64 dr7, unsigned n) {
    constexpr unsigned kBytes[4] = {1, 2, 8, 4};
    return kBytes[bits(dr7, 19 + 4 * n, 18 + 4 * n)];
  }
};

// IA32_DEBUGCTL
struct DebugCtl {
  static constexpr Flag LBR{0}, BTF{1};
};

}  // namespace vtsim::cpu
