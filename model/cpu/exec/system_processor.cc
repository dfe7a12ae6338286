// HLT, MONITOR, MWAIT, CPUID, cache control, fences, prefetches, RSM, GETSEC.
// SDM 2A "CPUID", "HLT", "INVD", "MONITOR", "MWAIT"; memory is always ordered here, so that fences have
// nothing to do.

#include "model/cpu/cpuid.h"
#include "model/cpu/apic/local_apic.h"
#include "model/cpu/environment.h"
#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/msr.h"
#include "model/cpu/exec/segmentation.h"
#include "model/cpu/exec/smm.h"
#include "model/cpu/exec/vmx.h"

namespace vtsim::cpu {

namespace {

Outcome nothing(Core&, const Op&) { return Outcome::kNext; }

Outcome undefined(Core& core, const Op&) { return core.raise(kUd); }

Outcome hlt(Core& core, const Op&) {
  core.fall_asleep(Activity::kHalted);
  return Outcome::kNext;
}

// ---- CPUID

Outcome cpuid(Core& core, const Op&) {
  CoreState& state = core.state;
  if (cpuid_faults(core)) return core.raise(kGp, 0);
  const CoreEnvironment& environment = core.environment();
  const Cpuid leaves(core.model(), environment.shared.offered, environment.topology,
                     environment.index);
  const CpuidContext context{.xcr0 = state.xcr0,
                             .xss = state.xss,
                             .misc_enable = core.msr.misc_enable,
                             .apic_enabled = core.apic().hardware_enabled(),
                             .osxsave = state.cr4[Cr4::OSXSAVE],
                             .pke = state.cr4[Cr4::PKE],
                             .mode64 = state.mode64()};
  const CpuidResult result = leaves.query(static_cast<u32>(state.gpr[kRax]),
                                          static_cast<u32>(state.gpr[kRcx]), context);
  const Probe<CpuidEvent>& probe = environment.shared.probes.cpuid;
  if (probe)
    probe.emit({.stamp = core.stamp(), .leaf = static_cast<u32>(state.gpr[kRax]),
                .subleaf = static_cast<u32>(state.gpr[kRcx]), .eax = result.eax,
                .ebx = result.ebx, .ecx = result.ecx, .edx = result.edx});
  state.gpr[kRax] = result.eax;
  state.gpr[kRbx] = result.ebx;
  state.gpr[kRcx] = result.ecx;
  state.gpr[kRdx] = result.edx;
  return Outcome::kNext;
}

// ---- MONITOR, MWAIT

bool monitor_is_offered(const Core& core) {
  return core.state.cpl == 0 &&
         Reg<MiscEnable>(core.msr.misc_enable)[MiscEnable::Monitor];
}

Outcome monitor(Core& core, const Op& op) {
  CoreState& state = core.state;
  if (!monitor_is_offered(core)) return core.raise(kUd);
  if (intercepted(core, op, Intercept::kMonitor)) return Outcome::kFault;
  if (bits(state.gpr[kRcx], 31, 0) != 0) return core.raise(kGp, 0);
  u64 lin;
  u8 byte;
  Hpa address;
  if (!operand_linear(core, op, 1, Intent::kRead, lin) || !load_linear(core, op, lin, byte) ||
      !core.translate(lin, address))
    return Outcome::kFault;
  core.arm_monitor(address.value);
  return Outcome::kNext;
}

Outcome mwait(Core& core, const Op& op) {
  CoreState& state = core.state;
  constexpr Flag kBreakOnMasked{0};
  if (!monitor_is_offered(core)) return core.raise(kUd);
  if (intercepted(core, op, Intercept::kMwait)) return Outcome::kFault;
  const u64 extensions = bits(state.gpr[kRcx], 31, 0);
  if ((extensions & ~kBreakOnMasked.mask()) != 0) return core.raise(kGp, 0);
  if (state.monitor_address == ~u64{0}) return Outcome::kNext;
  state.mwait_breaks_on_masked = extensions != 0;
  core.fall_asleep(Activity::kMwait);
  return Outcome::kNext;
}

u8 overriding_segment(const Decoded& in) {
  if (in.has(ZYDIS_ATTRIB_HAS_SEGMENT_CS)) return kCs;
  if (in.has(ZYDIS_ATTRIB_HAS_SEGMENT_SS)) return kSs;
  if (in.has(ZYDIS_ATTRIB_HAS_SEGMENT_ES)) return kEs;
  if (in.has(ZYDIS_ATTRIB_HAS_SEGMENT_FS)) return kFs;
  if (in.has(ZYDIS_ATTRIB_HAS_SEGMENT_GS)) return kGs;
  return kDs;
}

// The address is DS:RAX (or the overriding segment), by address size.
Handler bind_monitor(const Binding& binding, Op& op) {
  const unsigned width = binding.in.ins.address_width;
  const unsigned size = width == 16 ? 1 : width == 32 ? 2 : 3;
  op.base = gpr_offset(kRax);
  op.index = gpr_offset(kZeroRegister);
  op.mem.bits = static_cast<u8>(0xC0 | size << 4 | overriding_segment(binding.in));
  return &run_and_synchronize<monitor>;
}

// ---- caches

// Faults like a load of one byte. SDM 2A "CLFLUSH".
Outcome flush_line(Core& core, const Op& op) {
  u8 byte;
  return load_operand(core, op, byte) ? Outcome::kNext : Outcome::kFault;
}

Handler bind_nothing(const Binding&, Op&) { return &run<nothing>; }
Handler bind_undefined(const Binding&, Op&) { return &run<undefined>; }

// ---- rows

constexpr InstructionRow hint_row(Mnemonic mnemonic) {
  return {.mnemonic = mnemonic, .bind = bind_nothing, .timing = Timing::kSimple};
}
constexpr InstructionRow cache_row(Mnemonic mnemonic, Intercept intercept) {
  return {.mnemonic = mnemonic, .bind = bind_nothing, .privilege = Privilege::kCpl0,
          .intercept = intercept, .when = When::kAfterPrivilege,
          .timing = Timing::kSerializing};
}
constexpr InstructionRow line_row(Mnemonic mnemonic) {
  return {.mnemonic = mnemonic, .bind = plain<flush_line>, .timing = Timing::kLoadStore};
}

constexpr InstructionRow kRows[] = {
    {.mnemonic = ZYDIS_MNEMONIC_HLT, .bind = synchronizing<hlt>, .privilege = Privilege::kCpl0,
     .intercept = Intercept::kHlt, .when = When::kAfterPrivilege,
     .timing = Timing::kSerializing, .flow = Flow::kSynchronize},
    {.mnemonic = ZYDIS_MNEMONIC_CPUID, .bind = synchronizing<cpuid>,
     .privilege = Privilege::kInHandler, .intercept = Intercept::kCpuid,
     .when = When::kBeforePrivilege, .timing = Timing::kSerializing, .flow = Flow::kSynchronize},
    {.mnemonic = ZYDIS_MNEMONIC_MONITOR, .bind = bind_monitor, .privilege = Privilege::kInHandler,
     .intercept = Intercept::kMonitor, .when = When::kInHandler,
     .timing = Timing::kSystem, .flow = Flow::kSynchronize},
    {.mnemonic = ZYDIS_MNEMONIC_MWAIT, .bind = synchronizing<mwait>,
     .privilege = Privilege::kInHandler, .intercept = Intercept::kMwait,
     .when = When::kInHandler, .timing = Timing::kSystem, .flow = Flow::kSynchronize},
    {.mnemonic = ZYDIS_MNEMONIC_RSM, .bind = synchronizing<rsm>, .privilege = Privilege::kInHandler,
     .timing = Timing::kSerializing, .flow = Flow::kSynchronize},
    // CR4.SMXE cannot be set: #UD. SDM 2D "GETSEC".
    {.mnemonic = ZYDIS_MNEMONIC_GETSEC, .bind = bind_undefined},
    cache_row(ZYDIS_MNEMONIC_INVD, Intercept::kInvd),
    cache_row(ZYDIS_MNEMONIC_WBINVD, Intercept::kWbinvd),
    line_row(ZYDIS_MNEMONIC_CLFLUSH),
    line_row(ZYDIS_MNEMONIC_CLFLUSHOPT),
    line_row(ZYDIS_MNEMONIC_CLWB),
    {.mnemonic = ZYDIS_MNEMONIC_PAUSE, .bind = bind_nothing, .intercept = Intercept::kPause,
     .when = When::kAfterPrivilege, .timing = Timing::kSystem},
    hint_row(ZYDIS_MNEMONIC_PREFETCH),
    hint_row(ZYDIS_MNEMONIC_PREFETCHW),
    hint_row(ZYDIS_MNEMONIC_PREFETCHWT1),
    hint_row(ZYDIS_MNEMONIC_PREFETCHNTA),
    hint_row(ZYDIS_MNEMONIC_PREFETCHT0),
    hint_row(ZYDIS_MNEMONIC_PREFETCHT1),
    hint_row(ZYDIS_MNEMONIC_PREFETCHT2),
    hint_row(ZYDIS_MNEMONIC_LFENCE),
    hint_row(ZYDIS_MNEMONIC_MFENCE),
    hint_row(ZYDIS_MNEMONIC_SFENCE),
};

}  // namespace

Rows processor_rows() { return kRows; }

}  // namespace vtsim::cpu
