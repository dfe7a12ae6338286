// Events in VMX non-root operation. SDM 3C "Other Causes of VM Exits", "VM Exits > Architectural State
// Before a VM Exit", "Information for VM Exits Due to Vectored Events", "... During Event Delivery".

#include <utility>

#include "model/cpu/apic/local_apic.h"
#include "model/cpu/environment.h"
#include "model/cpu/exec/vmx.h"
#include "model/cpu/interrupts.h"

namespace vtsim::cpu {

using vmx::ExitReason;
using vmx::ExitRecord;
using vmx::InterruptionInfo;
using vmx::PinBased;
using vmx::Primary;

// ---- information fields

u32 interruption_information(const Event& event) {
  Reg<InterruptionInfo> info;
  info.set(InterruptionInfo::VECTOR, event.vector);
  info.set(InterruptionInfo::TYPE, static_cast<u64>(event.type));
  info.set(InterruptionInfo::ERROR_CODE, event.has_error_code);
  info.set(InterruptionInfo::VALID, 1);
  return static_cast<u32>(info.value);
}

namespace {

bool is_software(EventType type) {
  return type == EventType::kSoftwareInterrupt || type == EventType::kSoftwareException ||
         type == EventType::kPrivilegedSoftwareException;
}

}  // namespace

void note_vectoring(ExitRecord& record, const Event& event) {
  record.vectoring_info = interruption_information(event);
  record.vectoring_error = event.error_code;
  if (is_software(event.type)) record.instruction_length = event.length;
}

// ---- exceptions and NMIs

namespace {

// SDM 3C "Basic VM-Exit Information": page faults give the address, debug exceptions what DR6 gets.
u64 exception_qualification(const Event& event) {
  if (event.type != EventType::kHardwareException) return 0;
  if (event.vector == kPf) return event.cr2;
  return event.vector == kDb ? event.dr6_bits : 0;
}

bool goes_by_bitmap(EventType type) {
  return type == EventType::kHardwareException || type == EventType::kSoftwareException ||
         type == EventType::kPrivilegedSoftwareException;
}

}  // namespace

bool event_exits(Core& core, const Event& event) {
  const vmx::Vmcs& vmcs = core.vmx.vmcs;
  if (event.injected) return false;
  const bool nmi = event.type == EventType::kNonMaskableInterrupt;
  const bool exits = nmi ? vmcs.pin()[PinBased::NMI_EXITING]
                         : goes_by_bitmap(event.type) &&
                               vmx::exception_exits(vmcs, event.vector, event.error_code);
  if (!exits) return false;
  u32 info = interruption_information(event);
  if (core.vmx.nmi_unblocked_by_iret && event.type == EventType::kHardwareException)
    info |= static_cast<u32>(InterruptionInfo::NMI_UNBLOCKING.mask());
  core.raise_exit({.reason = ExitReason::kExceptionOrNmi,
                   .qualification = exception_qualification(event),
                   .instruction_length = is_software(event.type) ? event.length : 0u,
                   .interruption_info = info,
                   .interruption_error = event.error_code,
                   .rf = is_fault_class(event) ? vmx::SavedRf::kOne : vmx::SavedRf::kAsIs});
  return true;
}

// ---- between instructions

namespace {

bool interrupts_enabled(const CoreState& state) {
  return (state.rflags_other & Rflags::IF.mask()) != 0;
}

bool nmi_window_is_open(const Core& core) {
  return core.vmx.vmcs.primary()[Primary::NMI_WINDOW_EXITING] && !core.vmx.virtual_nmi_blocked &&
         core.state.shadow == kNoShadow;
}

bool interrupt_window_is_open(const Core& core) {
  return core.vmx.vmcs.primary()[Primary::INTERRUPT_WINDOW_EXITING] &&
         interrupts_enabled(core.state) && core.state.shadow == kNoShadow;
}

bool exit_now(Core& core, const ExitRecord& record) {
  core.leave_guest(record);
  return true;
}

bool take_external_interrupt(Core& core, Ps now) {
  ExitRecord record{.reason = ExitReason::kExternalInterrupt};
  if (core.vmx.vmcs.exit_controls()[vmx::ExitControls::ACKNOWLEDGE_INTERRUPT]) {
    const u8 vector = core.apic().acknowledge(now);
    record.interruption_info =
        interruption_information({.vector = vector, .type = EventType::kExternalInterrupt});
  }
  return exit_now(core, record);
}

}  // namespace

bool take_virtualization_events(Core& core, Ps now) {
  vmx::VmxState& vmx = core.vmx;
  CoreState& state = core.state;
  if (vmx.injection) {
    const Event event = *std::exchange(vmx.injection, std::nullopt);
    core.deliver(event);
    return true;
  }
  if (state.signals.init)
    return state.signals.init = false, exit_now(core, {.reason = ExitReason::kInit});
  if (state.signals.startup && state.activity == Activity::kWaitForSipi) {
    state.signals.startup = false;
    return exit_now(core, {.reason = ExitReason::kSipi,
                           .qualification = state.signals.startup_vector});
  }
  if (vmx.trap_exit) return exit_now(core, *std::exchange(vmx.trap_exit, std::nullopt));
  if (vmx.timer_expired && state.activity != Activity::kWaitForSipi && state.pending_debug == 0)
    return exit_now(core, {.reason = ExitReason::kPreemptionTimer});
  if (state.activity == Activity::kWaitForSipi) return false;
  if (nmi_window_is_open(core)) return exit_now(core, {.reason = ExitReason::kNmiWindow});
  if (state.signals.nmi && vmx.vmcs.pin()[PinBased::NMI_EXITING] && state.shadow == kNoShadow) {
    state.signals.nmi = false;
    core.deliver({.vector = kNmi, .type = EventType::kNonMaskableInterrupt});
    return true;
  }
  if (state.activity == Activity::kShutdown) return false;
  if (interrupt_window_is_open(core))
    return exit_now(core, {.reason = ExitReason::kInterruptWindow});
  if (core.apic().interrupt_pending() && vmx.vmcs.pin()[PinBased::EXTERNAL_INTERRUPT_EXITING] &&
      state.shadow == kNoShadow)
    return take_external_interrupt(core, now);
  return false;
}

bool virtualization_event_is_due(const Core& core) {
  const vmx::VmxState& vmx = core.vmx;
  const CoreState& state = core.state;
  if (vmx.injection || vmx.trap_exit || vmx.timer_expired) return true;
  const Reg<Primary> primary = vmx.vmcs.primary();
  const bool windows =
      primary[Primary::NMI_WINDOW_EXITING] || primary[Primary::INTERRUPT_WINDOW_EXITING];
  if (state.activity == Activity::kActive) return windows;  // it may open one
  if (nmi_window_is_open(core) || interrupt_window_is_open(core)) return true;
  const Reg<PinBased> pin = vmx.vmcs.pin();
  return (state.signals.nmi && pin[PinBased::NMI_EXITING]) ||
         (core.environment().apic.interrupt_pending() && pin[PinBased::EXTERNAL_INTERRUPT_EXITING]);
}

bool can_leave_guest(const Core& core) {
  const vmx::VmxState& vmx = core.vmx;
  return vmx.timer_end != vmx::kNoPointer || virtualization_event_is_due(core) ||
         vmx.vmcs.pin()[PinBased::EXTERNAL_INTERRUPT_EXITING];
}

}  // namespace vtsim::cpu
