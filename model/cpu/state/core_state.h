#pragma once
// Everything that a core remembers between two instructions: data only, no pointers, so that it can
// be saved, compared and handed to vmx. Handlers address `gpr` by byte offset from the start.

#include <array>

#include "model/cpu/state/event.h"
#include "model/cpu/state/registers.h"
#include "model/cpu/state/segment.h"

namespace vtsim::cpu {

enum GprName : u8 {
  kRax, kRcx, kRdx, kRbx, kRsp, kRbp, kRsi, kRdi,
  kR8, kR9, kR10, kR11, kR12, kR13, kR14, kR15,
  kZeroRegister,  // reads as 0: stands for "no base" and "no index"
};

// The six arithmetic flags are kept as the operation that set them. See cpu/flags.h.
struct LazyFlags {
  u64 a = 0;
  u64 b = 0;
  u32 kind = 0;  // FlagKind << 2 | log2(operand bytes)
};

// kOff: the platform has taken the power (ACPI S3); only its reset starts the processor again.
enum class Activity : u8 { kActive, kHalted, kShutdown, kWaitForSipi, kMwait, kOff };

// What blocks events for one instruction. SDM 3C "Guest Non-Register State > interruptibility".
enum InterruptShadow : u8 { kNoShadow = 0, kShadowSti = 1, kShadowMovSs = 2 };

// Signals that have arrived and wait for an instruction boundary.
struct PendingSignals {
  bool nmi = false;
  bool smi = false;
  bool init = false;
  bool startup = false;
  u8 startup_vector = 0;
  bool any() const { return nmi || smi || init || startup; }
};

struct X87State {
  alignas(16) u8 reg[8][16] = {};  // physical registers R0..R7: 80-bit extended, 6 bytes unused;
                                   // MMn is the low 64 bits of Rn
  u16 control = 0x037F;
  u16 status = 0;      // TOP in bits 13:11
  u8 empty = 0xFF;     // bit n: Rn is empty (the full tag word is derived)
  u16 opcode = 0;
  u64 ip = 0;
  u64 dp = 0;
  u16 cs = 0;
  u16 ds = 0;
};

struct VectorState {
  alignas(32) u8 reg[16][32] = {};  // YMM0..15; XMMn is the low half
  u32 mxcsr = 0x1F80;
};

// How MSRs, time and control registers appear to the running software. Neutral in VMX root operation;
// filled at VM entry so that no instruction handler asks where it is.
struct ControlView {
  u64 tsc_offset = 0;
  u64 tsc_multiplier = u64{1} << 48;  // 16.48 fixed point
  u64 cr0_mask = 0, cr0_shadow = 0;   // guest/host masks and read shadows
  u64 cr4_mask = 0, cr4_shadow = 0;
  bool non_root = false;
  bool unrestricted_guest = false;     // CR0.PE and CR0.PG are free
  bool iret_unblocks_nmi = true;       // not with "NMI exiting" and without "virtual NMIs"
  // The second stage of paging. `eptp` as in the VMCS; 0: no EPT.
  u64 eptp = 0;
  u16 vpid = 0;
  bool mode_based_execute = false;
  bool page_modification_log = false;
};

struct CoreState {
  std::array<u64, 17> gpr{};  // indexed by GprName; must come first
  LazyFlags lazy;
  u64 rip = 0;                // valid between blocks; within one it follows from the op
  u64 rflags_other = Rflags::kFixedOne;  // RFLAGS without the six arithmetic flags

  std::array<SegmentRegister, kSegmentCount> seg{};
  DescriptorTable gdtr, idtr;
  Reg<Cr0> cr0{0x60000010};
  u64 cr2 = 0;
  u64 cr3 = 0;
  Reg<Cr4> cr4;
  Reg<Efer> efer;
  u64 xcr0 = 1;
  std::array<u64, 4> pdpte{};  // PAE paging
  std::array<u64, 4> dr{};
  u64 dr6 = Dr6::kReset;
  u64 dr7 = Dr7::kReset;
  u32 pkru = 0;
  u64 random_draws = 0;  // numbers that RDRAND and RDSEED have given

  u8 cpl = 0;
  Activity activity = Activity::kActive;
  u8 shadow = kNoShadow;
  u64 shadow_cycle = 0;  // kShadowSti holds only while the core's cycle counter shows this
  bool nmi_blocked = false;
  bool nmi_blocked_before_smm = false;  // what RSM restores
  PendingSignals signals;
  bool mwait_breaks_on_masked = false;  // MWAIT's ECX bit 0
  u64 pending_debug = 0;  // DR6 bits of traps to be delivered after the current instruction
  bool in_smm = false;
  u32 smbase = 0x30000;

  // MSRs that instructions use; the rest is in MsrState
  u64 star = 0, lstar = 0, cstar = 0, fmask = 0, kernel_gs_base = 0;
  u64 sysenter_cs = 0, sysenter_esp = 0, sysenter_eip = 0;
  u64 tsc_aux = 0, debugctl = 0, xss = 0, pat = 0x0007040600070406;
  u64 tsc_offset = 0;  // what IA32_TIME_STAMP_COUNTER and IA32_TSC_ADJUST added to the clock
  u64 tsc_adjust = 0;
  u64 monitor_address = ~u64{0};  // host-physical line armed by MONITOR, ~0: not armed

  X87State x87;
  VectorState vector;
  ControlView view;

  bool real_mode() const { return !cr0[Cr0::PE]; }
  bool v8086_mode() const { return (rflags_other & Rflags::VM.mask()) != 0; }
  bool long_mode() const { return efer[Efer::LMA]; }
  bool mode64() const { return long_mode() && seg[kCs].rights[SegmentRights::L]; }
};

static_assert(offsetof(CoreState, gpr) == 0);

}  // namespace vtsim::cpu
