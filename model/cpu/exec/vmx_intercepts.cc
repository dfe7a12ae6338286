// Instructions in VMX non-root operation. SDM 3C "VMX Non-Root Operation".

#include <utility>

#include "model/cpu/environment.h"
#include "model/cpu/exec/control_registers.h"
#include "model/cpu/exec/msr.h"
#include "model/cpu/exec/segmentation.h"
#include "model/cpu/exec/vmx.h"

namespace vtsim::cpu {

using vmx::ExitReason;
using vmx::ExitRecord;
using vmx::Primary;
using vmx::Secondary;

// ---- the information field

namespace {

// SDM 3C, tables "Format of the VM-Exit Instruction-Information Field as Used for ..."
struct Information {
  static constexpr Field SCALING{1, 0}, REG1{6, 3}, ADDRESS_SIZE{9, 7};
  static constexpr Flag IS_REGISTER{10}, OPERAND_32{11};
  static constexpr Field OPERAND_SIZE{12, 11}, SEGMENT{17, 15}, INDEX{21, 18};
  static constexpr Flag NO_INDEX{22};
  static constexpr Field BASE{26, 23};
  static constexpr Flag NO_BASE{27};
  static constexpr Field REG2{31, 28}, IDENTITY{29, 28};
};

constexpr u8 kNoRegister = gpr_offset(kZeroRegister);

u64 register_of(u8 offset) { return offset / 8u; }

u64 address_information(const Op& op) {
  u64 value = Information::SCALING.put(0, op.scale);
  value = Information::ADDRESS_SIZE.put(value, op.mem.address_size_log2() - 1);
  value = Information::SEGMENT.put(value, op.mem.segment());
  value = op.index == kNoRegister ? value | Information::NO_INDEX.mask()
                                  : Information::INDEX.put(value, register_of(op.index));
  return op.base == kNoRegister ? value | Information::NO_BASE.mask()
                                : Information::BASE.put(value, register_of(op.base));
}

// Either a register (bits 6:3) or memory.
u64 operand_information(const Op& op) {
  if (op.mem.present()) return address_information(op);
  return Information::REG1.put(Information::IS_REGISTER.mask(), register_of(op.dst));
}

}  // namespace

u32 instruction_information(const Op& op, vmx::Intercept id, u8 identity) {
  using vmx::Intercept;
  u64 value = 0;
  switch (id) {
    case Intercept::kInvpcid:
      value = Information::REG2.put(address_information(op), register_of(op.dst));
      break;
    case Intercept::kGdtrIdtr:
      value = Information::IDENTITY.put(address_information(op), identity) |
              Information::OPERAND_32.mask();
      break;
    case Intercept::kLdtrTr:
      value = Information::IDENTITY.put(operand_information(op), identity);
      break;
    case Intercept::kRdrand:
    case Intercept::kRdseed:
      value = Information::REG1.put(0, register_of(op.dst));
      value = Information::OPERAND_SIZE.put(value, identity);
      break;
    case Intercept::kXsaves:
    case Intercept::kXrstors:
      value = address_information(op);
      break;
    case Intercept::kStringIo:
      value = Information::ADDRESS_SIZE.put(0, op.mem.address_size_log2() - 1);
      value = Information::SEGMENT.put(value, op.mem.segment());
      break;
    default:
      break;
  }
  return static_cast<u32>(value);
}

u32 vmx_operand_information(const Op& op) { return static_cast<u32>(address_information(op)); }

u32 field_access_information(const Op& op, u8 operand, u8 encoding) {
  const u64 value = op.mem.present()
                        ? address_information(op)
                        : Information::REG1.put(Information::IS_REGISTER.mask(), register_of(operand));
  return static_cast<u32>(Information::REG2.put(value, register_of(encoding)));
}

// ---- exits

namespace {

ExitRecord exit_record(const Op& op, ExitReason reason, u64 qualification) {
  return {.reason = reason,
          .qualification = qualification,
          .instruction_length = op.length(),
          .rf = vmx::SavedRf::kZero};
}

// SDM 3C "PAUSE-Loop Exiting": at CPL 0, times between PAUSEs in TSC units.
bool pause_loop_exits(Core& core, const Op& op) {
  vmx::VmxState& vmx = core.vmx;
  const u64 now = core.tsc_at(op);
  const u64 gap = vmx.vmcs[vmx::VmcsField::PLE_GAP], window = vmx.vmcs[vmx::VmcsField::PLE_WINDOW];
  const u64 since_last = now - std::exchange(vmx.pause_last, now);
  if (vmx.pause_first == 0 || since_last > gap) {
    vmx.pause_first = now;
    return false;
  }
  return now - vmx.pause_first > window;
}

bool pause_exits(Core& core, const Op& op) {
  const vmx::Vmcs& vmcs = core.vmx.vmcs;
  if (vmcs.primary()[Primary::PAUSE_EXITING]) return true;
  return vmcs.secondary()[Secondary::PAUSE_LOOP_EXITING] && core.state.cpl == 0 &&
         pause_loop_exits(core, op);
}

// XSAVES and XRSTORS: the components that they would touch.
bool xss_components_exit(const Core& core) {
  const CoreState& state = core.state;
  const u64 mask = state.gpr[kRdx] << 32 | bits(state.gpr[kRax], 31, 0);
  return vmx::xss_exits(core.vmx.vmcs, mask & (state.xcr0 | state.xss));
}

// SDM 3C "Basic VM-Exit Information": what the instruction adds.
u64 qualification_of(const Core& core, const Op& op, vmx::Intercept id) {
  using vmx::Intercept;
  switch (id) {
    case Intercept::kInvlpg: return unchecked_linear(core, op);
    case Intercept::kInvpcid:
    case Intercept::kXsaves:
    case Intercept::kXrstors:
    case Intercept::kGdtrIdtr:
    case Intercept::kLdtrTr: return op.mem.present() ? static_cast<u64>(op.disp) : 0;
    // Bit 0: the monitored range is armed.
    case Intercept::kMwait: return core.state.monitor_address != ~u64{0};
    default: return 0;
  }
}

// Whether it exits, where more than one control decides.
std::optional<ExitReason> reason_of(Core& core, const Op& op, vmx::Intercept id) {
  using vmx::Intercept;
  const vmx::Vmcs& vmcs = core.vmx.vmcs;
  CoreMemory memory(core);
  const u32 msr = static_cast<u32>(core.state.gpr[kRcx]);
  const auto when = [](bool exits, ExitReason reason) {
    return exits ? std::optional(reason) : std::nullopt;
  };
  switch (id) {
    case Intercept::kRdmsr:
      return when(vmx::msr_exits(vmcs, msr, false, memory), ExitReason::kRdmsr);
    case Intercept::kWrmsr:
      return when(vmx::msr_exits(vmcs, msr, true, memory), ExitReason::kWrmsr);
    case Intercept::kXsaves: return when(xss_components_exit(core), ExitReason::kXsaves);
    case Intercept::kXrstors: return when(xss_components_exit(core), ExitReason::kXrstors);
    case Intercept::kPause: return when(pause_exits(core, op), ExitReason::kPause);
    default: return vmx::exits_by_controls(id, vmcs);
  }
}

}  // namespace

bool exit_by_instruction(Core& core, const Op& op, ExitReason reason, u64 qualification) {
  core.raise_exit(exit_record(op, reason, qualification));
  return true;
}

bool intercepted_in_non_root(Core& core, const Op& op, vmx::Intercept id,
                             const InterceptDetail& detail) {
  if (vmx::is_disabled(id, core.vmx.vmcs)) {
    core.raise(kUd);
    return true;
  }
  const std::optional<ExitReason> reason = reason_of(core, op, id);
  if (!reason) return false;
  ExitRecord record = exit_record(op, *reason, qualification_of(core, op, id));
  record.instruction_information = instruction_information(op, id, detail.identity);
  core.raise_exit(record);
  return true;
}

namespace {

constexpr Field kGateIntercept{7, 0}, kGateIdentity{15, 8};

}  // namespace

u64 intercept_gate_operand(vmx::Intercept id, u8 identity) {
  return kGateIdentity.put(static_cast<u64>(id), identity);
}

Next intercept_gate(Core* core, const Op* op) {
  const auto id = static_cast<vmx::Intercept>(kGateIntercept.get(op->imm));
  const u8 identity = static_cast<u8>(kGateIdentity.get(op->imm));
  if (intercepted_in_non_root(*core, op[1], id, {.identity = identity}))
    return leave_on_fault(core, op + 1);
  VTSIM_DISPATCH(core, op + 1);
}

// ---- memory

namespace {

// SDM 3C "Convertible EPT Violations", "Virtualization Exceptions".
bool becomes_virtualization_exception(Core& core, const mmu::WalkFault& fault) {
  constexpr Flag kSuppress{63};
  const vmx::Vmcs& vmcs = core.vmx.vmcs;
  if (!vmcs.secondary()[Secondary::EPT_VIOLATION_VE] || core.delivering) return false;
  if (fault.reason != mmu::FaultReason::kEptViolation || !core.state.cr0[Cr0::PE]) return false;
  if ((fault.entry & kSuppress.mask()) != 0) return false;
  constexpr unsigned kBusyOffset = 4;
  CoreMemory memory(core);
  const Hpa area(vmcs[vmx::VmcsField::VE_INFORMATION_ADDRESS]);
  return memory.load<u32>(area + kBusyOffset, RefKind::kVeInformation) == 0;
}

// SDM 3C "Format of the Virtualization-Exception Information Area"
void write_ve_information(Core& core, const ExitRecord& record) {
  struct {
    u32 reason, busy;
    u64 qualification, linear, physical;
    u16 eptp_index;
  } area{static_cast<u32>(record.reason), 0xFFFFFFFF, record.qualification, record.guest_linear,
         record.guest_physical,
         static_cast<u16>(core.vmx.vmcs[vmx::VmcsField::EPTP_INDEX])};
  constexpr unsigned kBytes = 34;
  core.write_physical(Hpa(core.vmx.vmcs[vmx::VmcsField::VE_INFORMATION_ADDRESS]), &area, kBytes,
                      RefKind::kVeInformation);
}

ExitReason stage2_reason(const mmu::WalkFault& fault) {
  switch (fault.reason) {
    case mmu::FaultReason::kEptMisconfiguration: return ExitReason::kEptMisconfiguration;
    case mmu::FaultReason::kPmlFull: return ExitReason::kPmlFull;
    default: return ExitReason::kEptViolation;
  }
}

}  // namespace

void raise_stage2_fault(Core& core, const Op* op, const mmu::WalkFault& fault) {
  const bool advanced = core.environment().shared.vmx_capabilities.ept_vpid()
      [vmx::EptVpidCapability::ADVANCED_INFORMATION];
  u64 qualification = mmu::ept_violation_qualification(fault);
  if (core.vmx.nmi_unblocked_by_iret) qualification |= vmx::InterruptionInfo::NMI_UNBLOCKING.mask();
  if (!advanced) qualification &= ~mmu::kEptAdvancedInformation;
  const bool full = fault.reason == mmu::FaultReason::kPmlFull;
  ExitRecord record{.reason = stage2_reason(fault),
                    .qualification = qualification,
                    .guest_linear = fault.linear.value,
                    .guest_physical = fault.gpa.value,
                    // SDM-NOTE: undefined by the manual; processors give the instruction's.
                    .instruction_length = op != nullptr ? op->length() : 0,
                    .rf = vmx::SavedRf::kOne,
                    .writes_linear = fault.linear_valid && !full,
                    .writes_physical = !full};
  if (becomes_virtualization_exception(core, fault)) {
    write_ve_information(core, record);
    core.raise(kVe);
    return;
  }
  core.raise_exit(record);
}

}  // namespace vtsim::cpu
