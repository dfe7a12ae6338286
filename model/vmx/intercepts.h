#pragma once
// What exits: the only place that knows, for each instruction and event, the predicate over the
// controls, the exit reason and the qualification. SDM 3C "VMX Non-Root Operation > Instructions That
// Cause VM Exits", "Other Causes of VM Exits".

#include <optional>

#include "model/vmx/exit_record.h"
#include "model/vmx/host_memory.h"
#include "model/vmx/vmcs.h"

namespace vtsim::vmx {

// What the instruction table names in its column `intercept`.
enum class Intercept : u8 {
  kNone, kHlt, kCpuid, kRdtsc, kRdtscp, kRdpmc, kInvlpg, kInvpcid, kInvd, kWbinvd, kMwait, kMonitor,
  kPause, kRdmsr, kWrmsr, kCrAccess, kDrAccess, kIo, kStringIo, kXsetbv, kXsaves, kXrstors, kRdrand,
  kRdseed, kGdtrIdtr, kLdtrTr, kTaskSwitch, kVmx,
};

// When an instruction looks whether it exits. kInHandler: its handler asks, between checks of its own.
enum class When : u8 { kNever, kBeforePrivilege, kAfterPrivilege, kInHandler };

// Instructions whose controls alone decide, or that always exit. Nothing: the instruction asks by one
// of the functions below, or does not exit.
std::optional<ExitReason> exits_by_controls(Intercept id, const Vmcs& vmcs);

// SDM 3C "Changes to Instruction Behavior in VMX Non-Root Operation": instructions that are #UD unless
// a control enables them.
bool is_disabled(Intercept id, const Vmcs& vmcs);

// ---- control and debug registers: nothing, or the exit's qualification

// SDM 3C "Exit Qualification for Control-Register Accesses"
struct CrAccess {
  enum class Type : u8 { kMovTo, kMovFrom, kClts, kLmsw };
  Type type = Type::kMovTo;
  unsigned number = 0;    // of the control register
  unsigned gpr = 0;       // of the general register, MOV
  u64 value = 0;          // MOV to CR: the operand; LMSW: the source
  bool memory = false;    // LMSW
};
std::optional<u64> cr_access_exit(const Vmcs& vmcs, const CrAccess& access);

std::optional<u64> dr_access_exit(const Vmcs& vmcs, unsigned number, bool from, unsigned gpr);

// ---- bitmaps

// SDM 3C "Exit Qualification for I/O Instructions"
struct IoAccess {
  u16 port = 0;
  unsigned size = 1;
  bool in = false;
  bool string = false;
  bool rep = false;
  bool immediate = false;
};
std::optional<u64> io_exit(const Vmcs& vmcs, const IoAccess& access, HostMemory& memory);

bool msr_exits(const Vmcs& vmcs, u32 index, bool is_write, HostMemory& memory);

// XSAVES, XRSTORS: `components` is XCR0 | IA32_XSS, masked by EDX:EAX.
bool xss_exits(const Vmcs& vmcs, u64 components);

// VMREAD and VMWRITE in non-root operation with VMCS shadowing: whether they exit all the same.
bool shadowed_access_exits(const Vmcs& vmcs, u64 encoding, bool is_write, HostMemory& memory);

// ---- events

// SDM 3C "Exceptions": the bitmap, and the masks for page faults.
bool exception_exits(const Vmcs& vmcs, unsigned vector, u32 error_code);

}  // namespace vtsim::vmx
