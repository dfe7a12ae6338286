#include "model/vmx/intercepts.h"

#include <span>

namespace vtsim::vmx {

namespace {

struct Row {
  Intercept id;
  ExitReason reason;
  bool (*exits)(const Vmcs&);
};

bool always(const Vmcs&) { return true; }

template <unsigned position>
bool primary(const Vmcs& vmcs) {
  return vmcs.primary()[Flag{position}];
}
template <unsigned position>
bool secondary(const Vmcs& vmcs) {
  return vmcs.secondary()[Flag{position}];
}

constexpr Row kRows[] = {
    {Intercept::kHlt, ExitReason::kHlt, primary<Primary::HLT_EXITING.position>},
    {Intercept::kCpuid, ExitReason::kCpuid, always},
    {Intercept::kRdtsc, ExitReason::kRdtsc, primary<Primary::RDTSC_EXITING.position>},
    {Intercept::kRdtscp, ExitReason::kRdtscp, primary<Primary::RDTSC_EXITING.position>},
    {Intercept::kRdpmc, ExitReason::kRdpmc, primary<Primary::RDPMC_EXITING.position>},
    {Intercept::kInvlpg, ExitReason::kInvlpg, primary<Primary::INVLPG_EXITING.position>},
    {Intercept::kInvpcid, ExitReason::kInvpcid, primary<Primary::INVLPG_EXITING.position>},
    {Intercept::kInvd, ExitReason::kInvd, always},
    {Intercept::kWbinvd, ExitReason::kWbinvd, secondary<Secondary::WBINVD_EXITING.position>},
    {Intercept::kMwait, ExitReason::kMwait, primary<Primary::MWAIT_EXITING.position>},
    {Intercept::kMonitor, ExitReason::kMonitor, primary<Primary::MONITOR_EXITING.position>},
    {Intercept::kPause, ExitReason::kPause, primary<Primary::PAUSE_EXITING.position>},
    {Intercept::kXsetbv, ExitReason::kXsetbv, always},
    {Intercept::kRdrand, ExitReason::kRdrand, secondary<Secondary::RDRAND_EXITING.position>},
    {Intercept::kRdseed, ExitReason::kRdseed, secondary<Secondary::RDSEED_EXITING.position>},
    {Intercept::kGdtrIdtr, ExitReason::kGdtrIdtrAccess,
     secondary<Secondary::DESCRIPTOR_TABLE_EXITING.position>},
    {Intercept::kLdtrTr, ExitReason::kLdtrTrAccess,
     secondary<Secondary::DESCRIPTOR_TABLE_EXITING.position>},
    {Intercept::kTaskSwitch, ExitReason::kTaskSwitch, always},
};

}  // namespace

std::optional<ExitReason> exits_by_controls(Intercept id, const Vmcs& vmcs) {
  for (const Row& row : kRows)
    if (row.id == id) return row.exits(vmcs) ? std::optional(row.reason) : std::nullopt;
  return std::nullopt;
}

bool is_disabled(Intercept id, const Vmcs& vmcs) {
  switch (id) {
    case Intercept::kRdtscp: return !vmcs.secondary()[Secondary::RDTSCP];
    case Intercept::kInvpcid: return !vmcs.secondary()[Secondary::INVPCID];
    case Intercept::kXsaves:
    case Intercept::kXrstors: return !vmcs.secondary()[Secondary::XSAVES];
    default: return false;
  }
}

// ---- control and debug registers

namespace {

// SDM 3C "Exit Qualification for Control-Register Accesses"
struct CrQualification {
  static constexpr Field NUMBER{3, 0}, TYPE{5, 4};
  static constexpr Flag LMSW_MEMORY{6};
  static constexpr Field GPR{11, 8}, LMSW_SOURCE{31, 16};
};

u64 cr_qualification(const CrAccess& access) {
  u64 value = CrQualification::NUMBER.put(0, access.number);
  value = CrQualification::TYPE.put(value, static_cast<u64>(access.type));
  if (access.type == CrAccess::Type::kLmsw) {
    if (access.memory) value |= CrQualification::LMSW_MEMORY.mask();
    return CrQualification::LMSW_SOURCE.put(value, access.value);
  }
  return CrQualification::GPR.put(value, access.gpr);
}

// A bit that the host owns and whose value would differ from the read shadow.
bool masked_change(const Vmcs& vmcs, VmcsField mask, VmcsField shadow, u64 value) {
  return ((value ^ vmcs[shadow]) & vmcs[mask]) != 0;
}

bool is_cr3_target(const Vmcs& vmcs, u64 value) {
  for (unsigned n = 0; n < vmcs[VmcsField::CR3_TARGET_COUNT] && n < 4; ++n)
    if (vmcs[VmcsField::CR3_TARGET_0 + n] == value) return true;
  return false;
}

bool mov_to_exits(const Vmcs& vmcs, unsigned number, u64 value) {
  const Reg<Primary> controls = vmcs.primary();
  switch (number) {
    case 0: return masked_change(vmcs, VmcsField::CR0_MASK, VmcsField::CR0_SHADOW, value);
    case 3: return controls[Primary::CR3_LOAD_EXITING] && !is_cr3_target(vmcs, value);
    case 4: return masked_change(vmcs, VmcsField::CR4_MASK, VmcsField::CR4_SHADOW, value);
    case 8: return controls[Primary::CR8_LOAD_EXITING];
    default: return false;
  }
}

bool mov_from_exits(const Vmcs& vmcs, unsigned number) {
  const Reg<Primary> controls = vmcs.primary();
  if (number == 3) return controls[Primary::CR3_STORE_EXITING];
  return number == 8 && controls[Primary::CR8_STORE_EXITING];
}

// CLTS exits if the host owns TS and shows it set; LMSW changes the low four bits, and PE only to 1.
bool lmsw_exits(const Vmcs& vmcs, u64 source) {
  constexpr Flag kPe{0};
  constexpr Field kMpEmTs{3, 1};
  const u64 mask = vmcs[VmcsField::CR0_MASK], shadow = vmcs[VmcsField::CR0_SHADOW];
  if (((source ^ shadow) & mask & kMpEmTs.mask()) != 0) return true;
  return (source & mask & ~shadow & kPe.mask()) != 0;
}

bool clts_exits(const Vmcs& vmcs) {
  constexpr Flag kTs{3};
  return (vmcs[VmcsField::CR0_MASK] & vmcs[VmcsField::CR0_SHADOW] & kTs.mask()) != 0;
}

}  // namespace

std::optional<u64> cr_access_exit(const Vmcs& vmcs, const CrAccess& access) {
  bool exits = false;
  switch (access.type) {
    case CrAccess::Type::kMovTo: exits = mov_to_exits(vmcs, access.number, access.value); break;
    case CrAccess::Type::kMovFrom: exits = mov_from_exits(vmcs, access.number); break;
    case CrAccess::Type::kClts: exits = clts_exits(vmcs); break;
    case CrAccess::Type::kLmsw: exits = lmsw_exits(vmcs, access.value); break;
  }
  return exits ? std::optional(cr_qualification(access)) : std::nullopt;
}

std::optional<u64> dr_access_exit(const Vmcs& vmcs, unsigned number, bool from, unsigned gpr) {
  constexpr Field kNumber{2, 0}, kGpr{11, 8};
  constexpr Flag kFrom{4};
  if (!vmcs.primary()[Primary::MOV_DR_EXITING]) return std::nullopt;
  return kGpr.put(kNumber.put(from ? kFrom.mask() : 0, number), gpr);
}

// ---- bitmaps

namespace {

bool bitmap_bit(HostMemory& memory, u64 base, u64 index, RefKind kind) {
  return bit(memory.load<u8>(Hpa(base + index / 8), kind), static_cast<unsigned>(index % 8));
}

// Ports 0 to 7FFFH are in bitmap A. An access that wraps around the 16-bit space exits.
bool io_bitmaps_say(const Vmcs& vmcs, const IoAccess& access, HostMemory& memory) {
  constexpr u32 kHalf = 0x8000, kSpace = 0x10000;
  for (u32 port = access.port; port < access.port + access.size; ++port) {
    if (port >= kSpace) return true;
    const u64 base = vmcs[port < kHalf ? VmcsField::IO_BITMAP_A : VmcsField::IO_BITMAP_B];
    if (bitmap_bit(memory, base, port % kHalf, RefKind::kIoBitmap)) return true;
  }
  return false;
}

struct IoQualification {
  static constexpr Field SIZE{2, 0};
  static constexpr Flag IN{3}, STRING{4}, REP{5}, IMMEDIATE{6};
  static constexpr Field PORT{31, 16};
};

}  // namespace

std::optional<u64> io_exit(const Vmcs& vmcs, const IoAccess& access, HostMemory& memory) {
  const Reg<Primary> controls = vmcs.primary();
  const bool exits = controls[Primary::IO_BITMAPS] ? io_bitmaps_say(vmcs, access, memory)
                                                   : controls[Primary::UNCONDITIONAL_IO_EXITING];
  if (!exits) return std::nullopt;
  Reg<IoQualification> bits;
  bits.set(IoQualification::SIZE, access.size - 1);
  bits.set(IoQualification::IN, access.in);
  bits.set(IoQualification::STRING, access.string);
  bits.set(IoQualification::REP, access.rep);
  bits.set(IoQualification::IMMEDIATE, access.immediate);
  bits.set(IoQualification::PORT, access.port);
  return bits.value;
}

// SDM 3C "MSR-Bitmap Address": read low, read high, write low, write high.
bool msr_exits(const Vmcs& vmcs, u32 index, bool is_write, HostMemory& memory) {
  constexpr u32 kRange = 0x2000, kHighFirst = 0xC000'0000;
  constexpr u64 kHighMap = 1024, kWriteMaps = 2048;
  if (!vmcs.primary()[Primary::MSR_BITMAPS]) return true;
  const bool high = index >= kHighFirst && index < kHighFirst + kRange;
  if (!high && index >= kRange) return true;
  const u64 base = vmcs[VmcsField::MSR_BITMAP] + (high ? kHighMap : 0) + (is_write ? kWriteMaps : 0);
  return bitmap_bit(memory, base, index % kRange, RefKind::kMsrBitmap);
}

bool xss_exits(const Vmcs& vmcs, u64 components) {
  return (components & vmcs[VmcsField::XSS_EXITING_BITMAP]) != 0;
}

// SDM 3C "VMCS Shadowing": bits 14:0 of the encoding; others exit.
bool shadowed_access_exits(const Vmcs& vmcs, u64 encoding, bool is_write, HostMemory& memory) {
  constexpr Field kIndex{14, 0};
  if (!vmcs.secondary()[Secondary::VMCS_SHADOWING] || (encoding & ~kIndex.mask()) != 0) return true;
  const u64 base = vmcs[is_write ? VmcsField::VMWRITE_BITMAP : VmcsField::VMREAD_BITMAP];
  return bitmap_bit(memory, base, encoding, RefKind::kVmcs);
}

// ---- events

bool exception_exits(const Vmcs& vmcs, unsigned vector, u32 error_code) {
  constexpr unsigned kPageFault = 14;
  const bool set = bit(vmcs[VmcsField::EXCEPTION_BITMAP], vector);
  if (vector != kPageFault) return set;
  const bool matches = (error_code & vmcs[VmcsField::PAGE_FAULT_MASK]) ==
                       vmcs[VmcsField::PAGE_FAULT_MATCH];
  return matches == set;
}

}  // namespace vtsim::vmx
