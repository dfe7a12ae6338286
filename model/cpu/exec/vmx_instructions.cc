// The VMX instructions. SDM 3D "VMX Instruction Reference"; VM-instruction errors by the numbers of its
// table "VM-Instruction Error Numbers".

#include "model/cpu/engine/paging.h"
#include "model/cpu/environment.h"
#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/segmentation.h"
#include "model/cpu/exec/vmx.h"
#include "model/cpu/flags.h"

namespace vtsim::cpu {

using vmx::ExitReason;
using vmx::kNoPointer;
using vmx::VmcsField;
using vmx::VmcsRegion;

enum VmError : u32 {
  kVmcallInRoot = 1,
  kVmclearInvalidAddress = 2,
  kVmclearVmxonPointer = 3,
  kVmlaunchNotClear = 4,
  kVmresumeNotLaunched = 5,
  kVmptrldInvalidAddress = 9,
  kVmptrldVmxonPointer = 10,
  kVmptrldWrongRevision = 11,
  kUnsupportedField = 12,
  kReadOnlyField = 13,
  kVmxonInRoot = 15,
  kEntryBlockedByMovSs = 26,
  kInvalidInveptInvvpidOperand = 28,
};

// ---- results

void vm_succeed(Core& core) { set_arithmetic_flags(core.state.lazy, 0); }

void vm_fail_invalid(Core& core) { set_arithmetic_flags(core.state.lazy, Rflags::CF.mask()); }

void vm_fail(Core& core, u32 error) {
  if (core.vmx.current == kNoPointer) return vm_fail_invalid(core);
  set_arithmetic_flags(core.state.lazy, Rflags::ZF.mask());
  core.vmx.vmcs.set(VmcsField::INSTRUCTION_ERROR, error);
}

// ---- regions

namespace {

void load_vmcs(Core& core, u64 pointer, u32 revision) {
  vmx::VmxState& vmx = core.vmx;
  u32 launch;
  core.read_physical(Hpa(pointer + VmcsRegion::kLaunchOffset), &launch, sizeof launch,
                     RefKind::kVmcs);
  vmx::Vmcs::Image image;
  core.read_physical(Hpa(pointer + VmcsRegion::kFieldsOffset), image.data(), image.size(),
                     RefKind::kVmcs);
  vmx.vmcs.load(image);
  vmx.current = pointer;
  vmx.launched = launch == VmcsRegion::kLaunched;
  vmx.is_shadow = (revision & VmcsRegion::SHADOW.mask()) != 0;
}

void write_launch_state(Core& core, u64 pointer, bool launched) {
  const u32 launch = launched ? VmcsRegion::kLaunched : 0;
  core.write_physical(Hpa(pointer + VmcsRegion::kLaunchOffset), &launch, sizeof launch,
                      RefKind::kVmcs);
}

u32 revision_at(Core& core, u64 pointer) {
  u32 revision;
  core.read_physical(Hpa(pointer), &revision, sizeof revision, RefKind::kVmcs);
  return revision;
}

}  // namespace

void save_vmcs(Core& core) {
  vmx::VmxState& vmx = core.vmx;
  if (vmx.current == kNoPointer) return;
  write_launch_state(core, vmx.current, vmx.launched);
  const vmx::Vmcs::Image image = vmx.vmcs.image();
  core.write_physical(Hpa(vmx.current + VmcsRegion::kFieldsOffset), image.data(), image.size(),
                      RefKind::kVmcs);
}

namespace {

const vmx::Capabilities& capabilities(const Core& core) {
  return core.environment().shared.vmx_capabilities;
}

// ---- checks that most instructions begin with

bool mode_allows(const CoreState& state) {
  return !state.real_mode() && !state.v8086_mode() && (!state.long_mode() || state.mode64());
}

// #UD, then the VM exit, then #GP: nothing if the instruction may go on.
std::optional<Outcome> blocked(Core& core, const Op& op, ExitReason reason, u32 information) {
  if (!core.vmx.in_operation || !mode_allows(core.state)) return core.raise(kUd);
  if (core.state.view.non_root) {
    exit_by_instruction(core, op, reason, op.mem.present() ? static_cast<u64>(op.disp) : 0);
    core.exit.instruction_information = information;
    return Outcome::kFault;
  }
  if (core.state.cpl != 0) return core.raise(kGp, 0);
  return std::nullopt;
}

bool is_valid_pointer(const Core& core, u64 pointer) {
  const unsigned width =
      capabilities(core).basic()[vmx::BasicInformation::ADDRESSES_32_BITS]
          ? 32
          : core.model().physical_address_bits;
  return pointer % kPageSize == 0 && (pointer & ~low_mask(width)) == 0;
}

// ---- VMXON, VMXOFF

constexpr Flag kFeatureControlLock{0}, kFeatureControlVmx{2};

bool may_enter_vmx_operation(const Core& core) {
  const u64 wanted = kFeatureControlLock.mask() | kFeatureControlVmx.mask();
  const CoreState& state = core.state;
  return state.cpl == 0 && (core.msr.feature_control & wanted) == wanted &&
         capabilities(core).cr0_violations(state.cr0.value) == 0 &&
         capabilities(core).cr4_violations(state.cr4.value) == 0;
}

Outcome vmxon(Core& core, const Op& op) {
  CoreState& state = core.state;
  if (!state.cr4[Cr4::VMXE] || !mode_allows(state)) return core.raise(kUd);
  if (core.vmx.in_operation) {
    const u32 information = vmx_operand_information(op);
    if (const auto outcome = blocked(core, op, ExitReason::kVmxon, information)) return *outcome;
    vm_fail(core, kVmxonInRoot);
    return Outcome::kNext;
  }
  if (!may_enter_vmx_operation(core)) return core.raise(kGp, 0);
  u64 pointer;
  if (!load_operand(core, op, pointer)) return Outcome::kFault;
  if (!is_valid_pointer(core, pointer) ||
      revision_at(core, pointer) != capabilities(core).revision()) {
    vm_fail_invalid(core);
    return Outcome::kNext;
  }
  core.vmx = vmx::VmxState{};
  core.vmx.in_operation = true;
  core.vmx.vmxon_pointer = pointer;
  core.disarm_monitor();
  vm_succeed(core);
  return Outcome::kNext;
}

Outcome vmxoff(Core& core, const Op& op) {
  if (const auto outcome = blocked(core, op, ExitReason::kVmxoff, 0)) return *outcome;
  save_vmcs(core);
  core.vmx = vmx::VmxState{};
  core.disarm_monitor();
  core.set_attention();  // INITs that were held back
  vm_succeed(core);
  return Outcome::kNext;
}

// ---- VMCLEAR, VMPTRLD, VMPTRST

Outcome vmclear(Core& core, const Op& op) {
  if (const auto outcome =
          blocked(core, op, ExitReason::kVmclear, vmx_operand_information(op)))
    return *outcome;
  u64 pointer;
  if (!load_operand(core, op, pointer)) return Outcome::kFault;
  if (!is_valid_pointer(core, pointer)) {
    vm_fail(core, kVmclearInvalidAddress);
  } else if (pointer == core.vmx.vmxon_pointer) {
    vm_fail(core, kVmclearVmxonPointer);
  } else {
    if (pointer == core.vmx.current) {
      core.vmx.launched = false;
      save_vmcs(core);
      core.vmx.current = kNoPointer;
    } else {
      write_launch_state(core, pointer, false);
    }
    vm_succeed(core);
  }
  return Outcome::kNext;
}

// The revision identifier must be the processor's; a shadow VMCS needs VMCS shadowing.
bool is_right_revision(const Core& core, u32 revision) {
  const bool shadow = (revision & VmcsRegion::SHADOW.mask()) != 0;
  if ((revision & ~VmcsRegion::SHADOW.mask()) != capabilities(core).revision()) return false;
  return !shadow || capabilities(core).secondary().may(vmx::Secondary::VMCS_SHADOWING);
}

Outcome vmptrld(Core& core, const Op& op) {
  if (const auto outcome =
          blocked(core, op, ExitReason::kVmptrld, vmx_operand_information(op)))
    return *outcome;
  u64 pointer;
  if (!load_operand(core, op, pointer)) return Outcome::kFault;
  if (!is_valid_pointer(core, pointer)) {
    vm_fail(core, kVmptrldInvalidAddress);
    return Outcome::kNext;
  }
  if (pointer == core.vmx.vmxon_pointer) {
    vm_fail(core, kVmptrldVmxonPointer);
    return Outcome::kNext;
  }
  const u32 revision = revision_at(core, pointer);
  if (!is_right_revision(core, revision)) {
    vm_fail(core, kVmptrldWrongRevision);
    return Outcome::kNext;
  }
  if (pointer != core.vmx.current) {
    save_vmcs(core);
    load_vmcs(core, pointer, revision);
  }
  vm_succeed(core);
  return Outcome::kNext;
}

Outcome vmptrst(Core& core, const Op& op) {
  if (const auto outcome =
          blocked(core, op, ExitReason::kVmptrst, vmx_operand_information(op)))
    return *outcome;
  if (!store_operand(core, op, core.vmx.current)) return Outcome::kFault;
  vm_succeed(core);
  return Outcome::kNext;
}

// ---- VMREAD, VMWRITE. The field's encoding is in a register, the other operand in a register or
// memory. In non-root operation with VMCS shadowing they reach the VMCS of the link pointer.

// Where the running software's VMREADs and VMWRITEs go.
class FieldAccess {
 public:
  explicit FieldAccess(Core& core) : core_(core), shadowed_(core.state.view.non_root) {}

  bool has_vmcs() const {
    return (shadowed_ ? core_.vmx.vmcs[VmcsField::VMCS_LINK_POINTER] : core_.vmx.current) !=
           kNoPointer;
  }
  u64 read(VmcsField field) const {
    if (!shadowed_) return core_.vmx.vmcs[field];
    u64 value = 0;
    core_.read_physical(address(field), &value, bytes(field), RefKind::kVmcs);
    return value;
  }
  void write(VmcsField field, u64 value) {
    if (!shadowed_) return core_.vmx.vmcs.set(field, value);
    core_.write_physical(address(field), &value, bytes(field), RefKind::kVmcs);
  }

 private:
  static unsigned bytes(VmcsField field) { return vmx::row_of(field).bytes(); }
  Hpa address(VmcsField field) const {
    return Hpa(core_.vmx.vmcs[VmcsField::VMCS_LINK_POINTER] + VmcsRegion::offset_of(field));
  }

  Core& core_;
  bool shadowed_;
};

// #UD; the VM exit, unless shadowing makes it unnecessary; #GP.
std::optional<Outcome> field_access_blocked(Core& core, const Op& op, u64 encoding, bool is_write,
                                            u32 information) {
  if (core.state.view.non_root && mode_allows(core.state)) {
    CoreMemory memory(core);
    if (!vmx::shadowed_access_exits(core.vmx.vmcs, encoding, is_write, memory)) {
      if (core.state.cpl != 0) return core.raise(kGp, 0);
      return std::nullopt;
    }
  }
  return blocked(core, op, is_write ? ExitReason::kVmwrite : ExitReason::kVmread, information);
}

std::optional<vmx::FieldReference> existing_field(const Core& core, u64 encoding) {
  const auto field = vmx::find_field(encoding);
  if (!field || !capabilities(core).has_field(vmx::row_of(field->field))) return std::nullopt;
  return field;
}

constexpr Field kHighHalf{63, 32}, kLowHalf{31, 0};

// A 64-bit field outside 64-bit mode is seen by halves.
u64 value_seen(const vmx::FieldReference& field, u64 value) {
  return field.high ? kHighHalf.get(value) : value;
}

template <class T>
Outcome vmread(Core& core, const Op& op) {
  const u64 encoding = get_gpr<T>(core, op.src);
  if (const auto outcome =
          field_access_blocked(core, op, encoding, false, field_access_information(op, op.dst, op.src)))
    return *outcome;
  FieldAccess access(core);
  if (!access.has_vmcs()) {
    vm_fail_invalid(core);
    return Outcome::kNext;
  }
  const auto field = existing_field(core, encoding);
  if (!field) {
    vm_fail(core, kUnsupportedField);
    return Outcome::kNext;
  }
  const T value = static_cast<T>(value_seen(*field, access.read(field->field)));
  if (op.mem.present()) {
    if (!store_operand(core, op, value)) return Outcome::kFault;
  } else {
    set_gpr<T>(core, op.dst, value);
  }
  vm_succeed(core);
  return Outcome::kNext;
}

bool may_be_written(const Core& core, const vmx::FieldReference& field) {
  return vmx::row_of(field.field).type() != vmx::FieldClass::kReadOnly ||
         capabilities(core).misc()[vmx::MiscData::VMWRITE_ANY];
}

// What the field holds after `value` was written to it or to its upper half.
template <class T>
u64 merged(const vmx::FieldReference& field, u64 old, T value) {
  if (field.high) return kHighHalf.put(old, value);
  const bool half = sizeof(T) == 4 && vmx::row_of(field.field).width() == vmx::FieldWidth::k64;
  return half ? kLowHalf.put(old, value) : value;
}

template <class T>
Outcome vmwrite(Core& core, const Op& op) {
  const u64 encoding = get_gpr<T>(core, op.dst);
  if (const auto outcome =
          field_access_blocked(core, op, encoding, true, field_access_information(op, op.src, op.dst)))
    return *outcome;
  FieldAccess access(core);
  if (!access.has_vmcs()) {
    vm_fail_invalid(core);
    return Outcome::kNext;
  }
  T value;
  if (op.mem.present()) {
    if (!load_operand(core, op, value)) return Outcome::kFault;
  } else {
    value = get_gpr<T>(core, op.src);
  }
  const auto field = existing_field(core, encoding);
  if (!field) {
    vm_fail(core, kUnsupportedField);
  } else if (!may_be_written(core, *field)) {
    vm_fail(core, kReadOnlyField);
  } else {
    access.write(field->field, merged(*field, access.read(field->field), value));
    vm_succeed(core);
  }
  return Outcome::kNext;
}

// ---- VMLAUNCH, VMRESUME, VMCALL, VMFUNC

template <bool launch>
Outcome enter(Core& core, const Op& op) {
  const ExitReason reason = launch ? ExitReason::kVmlaunch : ExitReason::kVmresume;
  if (const auto outcome = blocked(core, op, reason, 0)) return *outcome;
  const vmx::VmxState& vmx = core.vmx;
  if (vmx.current == kNoPointer || vmx.is_shadow) {
    vm_fail_invalid(core);
    return Outcome::kNext;
  }
  if (core.state.shadow == kShadowMovSs) {
    vm_fail(core, kEntryBlockedByMovSs);
    return Outcome::kNext;
  }
  if (vmx.launched == launch) {
    vm_fail(core, launch ? kVmlaunchNotClear : kVmresumeNotLaunched);
    return Outcome::kNext;
  }
  return enter_guest(core, op, launch);
}

Outcome vmcall(Core& core, const Op& op) {
  if (!core.vmx.in_operation) return core.raise(kUd);
  if (core.state.view.non_root) {
    exit_by_instruction(core, op, ExitReason::kVmcall, 0);
    return Outcome::kFault;
  }
  if (const auto outcome = blocked(core, op, ExitReason::kVmcall, 0)) return *outcome;
  vm_fail(core, kVmcallInRoot);
  return Outcome::kNext;
}

// SDM 3C "EPTP Switching"
bool switch_eptp(Core& core, u64 index) {
  constexpr u64 kEntries = 512;
  vmx::Vmcs& vmcs = core.vmx.vmcs;
  if (index >= kEntries) return false;
  u64 eptp;
  core.read_physical(Hpa(vmcs[VmcsField::EPTP_LIST_ADDRESS] + 8 * index), &eptp, sizeof eptp,
                     RefKind::kVmcs);
  if (!capabilities(core).is_valid_eptp(eptp, core.model().physical_address_bits))
    return false;
  vmcs.set(VmcsField::EPT_POINTER, eptp);
  if (capabilities(core).has_field(vmx::row_of(VmcsField::EPTP_INDEX)))
    vmcs.set(VmcsField::EPTP_INDEX, index);
  core.state.view.eptp = eptp;
  core.mode_changed();
  return true;
}

Outcome vmfunc(Core& core, const Op& op) {
  const vmx::Vmcs& vmcs = core.vmx.vmcs;
  if (!core.state.view.non_root || !vmcs.secondary()[vmx::Secondary::VM_FUNCTIONS])
    return core.raise(kUd);
  const u64 function = bits(core.state.gpr[kRax], 31, 0);
  constexpr u64 kFunctions = 64, kEptpSwitching = 0;
  const u64 enabled = vmcs[VmcsField::VM_FUNCTION_CONTROLS];
  const bool done = function < kFunctions && bit(enabled, static_cast<unsigned>(function)) &&
                    function == kEptpSwitching &&
                    switch_eptp(core, bits(core.state.gpr[kRcx], 31, 0));
  if (done) return Outcome::kNext;
  exit_by_instruction(core, op, ExitReason::kVmfunc, 0);
  return Outcome::kFault;
}

// ---- INVEPT, INVVPID

struct InvalidationDescriptor {
  u64 first;   // EPTP; VPID in bits 15:0
  u64 second;  // reserved; linear address
};

template <class T>
Outcome invept(Core& core, const Op& op) {
  using Capability = vmx::EptVpidCapability;
  const Reg<Capability> can = capabilities(core).ept_vpid();
  if (!can[Capability::INVEPT]) return core.raise(kUd);
  if (const auto outcome = blocked(core, op, ExitReason::kInvept,
                                   instruction_information(op, vmx::Intercept::kInvpcid, 0)))
    return *outcome;
  enum : u64 { kSingle = 1, kAll = 2 };
  const u64 type = get_gpr<T>(core, op.dst);
  const bool supported = (type == kSingle && can[Capability::INVEPT_SINGLE]) ||
                         (type == kAll && can[Capability::INVEPT_ALL]);
  if (!supported) {
    vm_fail(core, kInvalidInveptInvvpidOperand);
    return Outcome::kNext;
  }
  InvalidationDescriptor descriptor;
  if (!load_operand(core, op, descriptor)) return Outcome::kFault;
  const bool valid_eptp =
      capabilities(core).is_valid_eptp(descriptor.first, core.model().physical_address_bits);
  if (descriptor.second != 0 || (type == kSingle && !valid_eptp)) {
    vm_fail(core, kInvalidInveptInvvpidOperand);
    return Outcome::kNext;
  }
  core.invalidate_ept(type == kSingle, descriptor.first);
  vm_succeed(core);
  return Outcome::kNext;
}

template <class T>
Outcome invvpid(Core& core, const Op& op) {
  using Capability = vmx::EptVpidCapability;
  const Reg<Capability> can = capabilities(core).ept_vpid();
  if (!can[Capability::INVVPID]) return core.raise(kUd);
  if (const auto outcome = blocked(core, op, ExitReason::kInvvpid,
                                   instruction_information(op, vmx::Intercept::kInvpcid, 0)))
    return *outcome;
  constexpr Flag kTypes[] = {Capability::INVVPID_ADDRESS, Capability::INVVPID_SINGLE,
                             Capability::INVVPID_ALL, Capability::INVVPID_SINGLE_BUT_GLOBAL};
  enum : u64 { kAddress = 0, kAll = 2 };
  constexpr Field kVpid{15, 0}, kReserved{63, 16};
  const u64 type = get_gpr<T>(core, op.dst);
  InvalidationDescriptor descriptor;
  if (type >= std::size(kTypes) || !can[kTypes[type]]) {
    vm_fail(core, kInvalidInveptInvvpidOperand);
    return Outcome::kNext;
  }
  if (!load_operand(core, op, descriptor)) return Outcome::kFault;
  const u16 vpid = static_cast<u16>(kVpid.get(descriptor.first));
  const bool bad = kReserved.get(descriptor.first) != 0 || (type != kAll && vpid == 0) ||
                   (type == kAddress && !is_canonical_anywhere(core, descriptor.second));
  if (bad) {
    vm_fail(core, kInvalidInveptInvvpidOperand);
    return Outcome::kNext;
  }
  core.invalidate_vpid(static_cast<unsigned>(type), vpid, descriptor.second);
  vm_succeed(core);
  return Outcome::kNext;
}

// ---- rows

template <Outcome (*wide)(Core&, const Op&), Outcome (*narrow)(Core&, const Op&)>
Handler by_mode(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return binding.code_size == CodeSize::k64 ? &run_and_synchronize<wide>
                                            : &run_and_synchronize<narrow>;
}
// VMREAD and VMWRITE are frequent and change nothing that the run loop looks at.
template <Outcome (*wide)(Core&, const Op&), Outcome (*narrow)(Core&, const Op&)>
Handler within_block(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return binding.code_size == CodeSize::k64 ? &run<wide> : &run<narrow>;
}

constexpr InstructionRow vmx_row(Mnemonic mnemonic, Binder bind, Flow flow = Flow::kSynchronize) {
  return {.mnemonic = mnemonic, .bind = bind, .privilege = Privilege::kInHandler,
          .intercept = Intercept::kVmx, .when = When::kInHandler, .timing = Timing::kSystem,
          .flow = flow, .flags = FlagUse::kReadsAndWrites};
}

constexpr InstructionRow kRows[] = {
    vmx_row(ZYDIS_MNEMONIC_VMXON, synchronizing<vmxon>),
    vmx_row(ZYDIS_MNEMONIC_VMXOFF, synchronizing<vmxoff>),
    vmx_row(ZYDIS_MNEMONIC_VMCLEAR, synchronizing<vmclear>),
    vmx_row(ZYDIS_MNEMONIC_VMPTRLD, synchronizing<vmptrld>),
    vmx_row(ZYDIS_MNEMONIC_VMPTRST, synchronizing<vmptrst>),
    vmx_row(ZYDIS_MNEMONIC_VMREAD, within_block<vmread<u64>, vmread<u32>>, Flow::kSequential),
    vmx_row(ZYDIS_MNEMONIC_VMWRITE, within_block<vmwrite<u64>, vmwrite<u32>>, Flow::kSequential),
    vmx_row(ZYDIS_MNEMONIC_VMLAUNCH, synchronizing<enter<true>>),
    vmx_row(ZYDIS_MNEMONIC_VMRESUME, synchronizing<enter<false>>),
    vmx_row(ZYDIS_MNEMONIC_VMCALL, synchronizing<vmcall>),
    vmx_row(ZYDIS_MNEMONIC_VMFUNC, synchronizing<vmfunc>),
    vmx_row(ZYDIS_MNEMONIC_INVEPT, by_mode<invept<u64>, invept<u32>>),
    vmx_row(ZYDIS_MNEMONIC_INVVPID, by_mode<invvpid<u64>, invvpid<u32>>),
};

}  // namespace

Rows vmx_rows() { return kRows; }

}  // namespace vtsim::cpu
