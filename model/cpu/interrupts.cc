#include "model/cpu/interrupts.h"

#include <utility>

#include "model/cpu/environment.h"
#include "model/cpu/exec/vmx.h"
#include "model/cpu/flags.h"

namespace vtsim::cpu {

namespace {

enum class DoubleFaultClass : u8 { kBenign, kContributory, kPageFault, kDoubleFault };

// SDM 3A "Interrupt 8 - Double Fault Exception", Table "Interrupt and Exception Classes".
DoubleFaultClass class_of(const Event& event) {
  if (event.type != EventType::kHardwareException) return DoubleFaultClass::kBenign;
  switch (event.vector) {
    case kDe: case kTs: case kNp: case kSs_: case kGp:
      return DoubleFaultClass::kContributory;
    case kPf: case kVe:
      return DoubleFaultClass::kPageFault;
    case kDf:
      return DoubleFaultClass::kDoubleFault;
    default:
      return DoubleFaultClass::kBenign;
  }
}

void block_nmis(Core& core) {
  const bool virtual_nmis =
      core.state.view.non_root && core.vmx.vmcs.pin()[vmx::PinBased::VIRTUAL_NMIS];
  (virtual_nmis ? core.vmx.virtual_nmi_blocked : core.state.nmi_blocked) = true;
}

// What an exception does to registers whether or not its handler can be entered.
void record_event(Core& core, const Event& event) {
  CoreState& state = core.state;
  if (event.type == EventType::kNonMaskableInterrupt) block_nmis(core);
  if (event.injected) return;  // SDM 3C "Event Injection": CR2 and DR6 stay
  const bool is_exception = event.type == EventType::kHardwareException;
  if (is_exception && event.vector == kPf) state.cr2 = event.cr2;
  const bool is_int1 = event.type == EventType::kPrivilegedSoftwareException;
  if (is_int1 || (is_exception && event.vector == kDb)) {
    // Traps that a MOV SS held back go with it. SDM-NOTE: B3:0 are those of this exception; BD, BS
    // and BT only accumulate; INT1 by itself leaves DR6 alone.
    const u64 hits = event.dr6_bits | std::exchange(state.pending_debug, 0);
    if (is_exception || hits != 0) state.dr6 = Dr6::B.put(state.dr6, 0) | hits;
    state.dr7 &= ~Dr7::GD.mask();
    // SDM 3B "IA32_DEBUGCTL MSR": the handler is neither recorded nor stepped by branches.
    state.debugctl &= ~(DebugCtl::LBR.mask() | DebugCtl::BTF.mask());
  }
}

bool deliver_once(Core& core, const Event& event) {
  if (core.state.real_mode()) return deliver_in_real_mode(core, event);
  if (core.state.long_mode()) return deliver_in_ia32e_mode(core, event);
  if (core.state.v8086_mode() && core.state.cr4[Cr4::VME] &&
      event.type == EventType::kSoftwareInterrupt) {
    bool redirected;
    if (!read_redirection(core, event.vector, redirected)) return false;
    if (redirected) return deliver_redirected(core, event);
  }
  return deliver_in_protected_mode(core, event);
}

}  // namespace

u32 ext_bit(const Event& event) {
  return event.type == EventType::kSoftwareInterrupt || event.type == EventType::kSoftwareException
             ? 0
             : 1;
}

bool is_fault_class(const Event& event) {
  if (event.type != EventType::kHardwareException) return false;
  switch (event.vector) {
    case kDb: return (event.dr6_bits & Dr6::BD.mask()) != 0;  // general detect
    case kDf: case kMc: return false;
    default: return true;
  }
}

u64 saved_rflags(const Core& core, const Event& event) {
  const u64 flags = read_rflags(core.state);
  if (is_fault_class(event)) return flags | Rflags::RF.mask();
  // Software events complete their instruction, which cleared RF.
  return event.length != 0 ? flags & ~Rflags::RF.mask() : flags;
}

u64 saved_rip(const Core& core, const Event& event) {
  const u64 rip = core.state.rip + event.length;
  if (core.state.mode64()) return rip;
  return rip & low_mask(core.state.seg[kCs].rights[SegmentRights::DB] ? 32 : 16);
}

std::optional<Event> combine_events(const Event& first, const Event& second) {
  const DoubleFaultClass a = class_of(first), b = class_of(second);
  if (b == DoubleFaultClass::kBenign || a == DoubleFaultClass::kBenign) return second;
  if (a == DoubleFaultClass::kDoubleFault) return std::nullopt;
  if (a == DoubleFaultClass::kContributory && b == DoubleFaultClass::kPageFault) return second;
  return Event{.vector = kDf, .has_error_code = true, .error_code = 0};
}

namespace {

// A VM exit that was met during the delivery of `event`.
void exit_during(Core& core, const Event& event) {
  note_vectoring(core.exit, event);
  exit_guest(core, core.exit);
}

void shut_down(Core& core) {
  if (core.state.view.non_root) return exit_guest(core, {.reason = vmx::ExitReason::kTripleFault});
  core.state.activity = Activity::kShutdown;
  core.mode_changed();
}

}  // namespace

void deliver_event(Core& core, const Event& event) {
  CoreObserver& observer = core.environment().observer;
  observer.on_event(core, event);
  const auto exits = [&core](const Event& what) {
    return core.state.view.non_root && event_exits(core, what);
  };
  if (exits(event)) return exit_guest(core, core.exit);
  core.state.activity = Activity::kActive;
  Event current = event;
  for (;;) {
    record_event(core, current);
    core.delivering = true;
    const bool delivered = deliver_once(core, current);
    core.delivering = false;
    if (delivered) {
      core.state.shadow = kNoShadow;
      core.mode_changed();
      return;
    }
    if (core.chain_end == ChainEnd::kExit || exits(core.raised)) return exit_during(core, current);
    const std::optional<Event> next = combine_events(current, core.raised);
    if (!next) return shut_down(core);
    // SDM 3C: a double fault that exits is no event during whose delivery something happened.
    if (next->vector == kDf && exits(*next)) return exit_guest(core, core.exit);
    observer.on_event(core, *next);
    // The first page fault's address stays in CR2 unless the second one replaces it.
    if (core.raised.vector == kPf) core.state.cr2 = core.raised.cr2;
    current = *next;
  }
}

// ---- debug registers

namespace {

enum BreakpointType : unsigned { kExecute = 0, kWrite = 1, kIo = 2, kReadOrWrite = 3 };

// DR6.B3:0 of the enabled breakpoints for which `matches(n)` holds.
template <class Matches>
u64 matching_breakpoints(u64 dr7, Matches matches) {
  u64 hits = 0;
  for (unsigned n = 0; n < 4; ++n)
    if (Dr7::enabled(dr7, n) && matches(n)) hits |= Flag{n}.mask();
  return hits;
}

// SDM 3B "Breakpoint Field Recognition": the low bits of the address are ignored by the length.
bool overlaps(u64 breakpoint, unsigned length, u64 address, unsigned size) {
  const u64 first = align_down(breakpoint, length);
  return address < first + length && first < address + size;
}

}  // namespace

bool has_instruction_breakpoints(const Core& core) {
  const u64 dr7 = core.state.dr7;
  return matching_breakpoints(dr7, [&](unsigned n) { return Dr7::type(dr7, n) == kExecute; }) != 0;
}

bool has_data_breakpoints(const Core& core) {
  const u64 dr7 = core.state.dr7;
  return matching_breakpoints(dr7, [&](unsigned n) {
           const unsigned type = Dr7::type(dr7, n);
           return type == kWrite || type == kReadOrWrite;
         }) != 0;
}

u64 instruction_breakpoints(const Core& core) {
  const CoreState& state = core.state;
  if (Reg<Rflags>(state.rflags_other)[Rflags::RF]) return 0;
  const u64 lin =
      state.mode64() ? state.rip : (state.rip + state.seg[kCs].base) & low_mask(32);
  return matching_breakpoints(state.dr7, [&](unsigned n) {
    return Dr7::type(state.dr7, n) == kExecute && state.dr[n] == lin;
  });
}

void note_data_breakpoint(Core& core, u64 lin, unsigned size, bool is_write) {
  CoreState& state = core.state;
  state.pending_debug |= matching_breakpoints(state.dr7, [&](unsigned n) {
    const unsigned type = Dr7::type(state.dr7, n);
    return (type == kReadOrWrite || (type == kWrite && is_write)) &&
           overlaps(state.dr[n], Dr7::length(state.dr7, n), lin, size);
  });
}

void note_io_breakpoint(Core& core, u16 port, unsigned size) {
  CoreState& state = core.state;
  if (!state.cr4[Cr4::DE] || Dr7::ENABLES.get(state.dr7) == 0) return;
  state.pending_debug |= matching_breakpoints(state.dr7, [&](unsigned n) {
    return Dr7::type(state.dr7, n) == kIo &&
           overlaps(state.dr[n], Dr7::length(state.dr7, n), port, size);
  });
}

}  // namespace vtsim::cpu
