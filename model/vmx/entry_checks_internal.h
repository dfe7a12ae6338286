#pragma once
// What the files of VM-entry rules share: how a rule says that it failed, and the few conditions
// that many rules have in common.

#include <initializer_list>

#include "model/cpu/state/event.h"
#include "model/vmx/entry_checks.h"

namespace vtsim::vmx::checks {

using Context = const EntryContext&;
using Finding = std::optional<Violation>;  // nothing where the rule holds
using Check = Finding (*)(Context);

// ---- the rules, file by file, in the manual's order
std::span<const EntryRule> control_rules();         // entry_checks_controls.cc
std::span<const EntryRule> host_rules();            // entry_checks_host.cc
std::span<const EntryRule> guest_register_rules();  // entry_checks_guest.cc
std::span<const EntryRule> guest_segment_rules();   // entry_checks_segments.cc
std::span<const EntryRule> guest_other_rules();     // entry_checks_guest.cc

// ---- findings
inline Finding faulty(Context c, VmcsField field, u64 bits_at_fault) {
  if (bits_at_fault == 0) [[likely]]
    return std::nullopt;
  return Violation{field, c.vmcs[field], bits_at_fault};
}
inline Finding must_be_0(Context c, VmcsField field, u64 mask) {
  return faulty(c, field, c.vmcs[field] & mask);
}
inline Finding must_be_1(Context c, VmcsField field, u64 mask) {
  return faulty(c, field, ~c.vmcs[field] & mask);
}
// The value as a whole is wrong.
inline Finding wrong_if(Context c, VmcsField field, u64 condition) {
  return faulty(c, field, condition ? row_of(field).mask() : 0);
}
// The bits above the address's sign that differ from it.
inline Finding canonical(Context c, VmcsField field, unsigned width) {
  const u64 value = c.vmcs[field];
  return faulty(c, field, value ^ static_cast<u64>(sign_extend(value, width)));
}

// The finding of the first of the fields that has one.
template <class Test>
Finding first_of(std::span<const VmcsField> fields, Test test) {
  for (const VmcsField field : fields) {
    if (Finding finding = test(field)) return finding;
  }
  return std::nullopt;
}
template <class Test>
Finding first_of(std::initializer_list<VmcsField> fields, Test test) {
  return first_of(std::span(fields.begin(), fields.size()), test);
}

// ---- physical addresses
// Bits that addresses of VMX structures must not set. SDM 3D "Basic VMX Information": bit 48.
inline u64 beyond_width(Context c) {
  constexpr unsigned kWidth32 = 32;
  const bool narrow = c.capabilities.basic()[BasicInformation::ADDRESSES_32_BITS];
  return ~low_mask(narrow ? kWidth32 : c.physical_width);
}
// CR3: bits 63:52, and those below that MAXPHYADDR leaves out.
inline u64 beyond_cr3(Context c) { return ~low_mask(c.physical_width); }

// Rules on the address of a 4-KByte structure, where `kApplies`.
template <bool (*kApplies)(Context), VmcsField... kFields>
Finding page_aligned(Context c) {
  if (!kApplies(c)) return std::nullopt;
  return first_of({kFields...}, [&](VmcsField f) { return must_be_0(c, f, kPageOffsetMask); });
}
template <bool (*kApplies)(Context), VmcsField... kFields>
Finding within_width(Context c) {
  if (!kApplies(c)) return std::nullopt;
  return first_of({kFields...}, [&](VmcsField f) { return must_be_0(c, f, beyond_width(c)); });
}

// ---- conditions
template <Flag kFlag>
bool primary(Context c) {
  return c.vmcs.primary()[kFlag];
}
template <Flag kFlag>
bool secondary(Context c) {  // 0 while secondary controls are not activated
  return c.vmcs.secondary()[kFlag];
}
inline bool unrestricted(Context c) { return secondary<Secondary::UNRESTRICTED_GUEST>(c); }
inline bool ia32e_guest(Context c) {
  return c.vmcs.entry_controls()[EntryControls::IA32E_MODE_GUEST];
}
inline bool host_is_64_bit(Context c) {
  return c.vmcs.exit_controls()[ExitControls::HOST_ADDRESS_SPACE_SIZE];
}
inline Reg<InterruptionInfo> injection(Context c) {
  return c.vmcs.reg<InterruptionInfo>(VmcsField::ENTRY_INTERRUPTION_INFO);
}
inline bool injects(Context c) { return injection(c)[InterruptionInfo::VALID]; }
inline bool injects(Context c, cpu::EventType type) {
  return injects(c) && injection(c)[InterruptionInfo::TYPE] == static_cast<u64>(type);
}

inline constexpr u64 kUpperHalf = Field{63, 32}.mask();

struct Selector {
  static constexpr Field RPL{1, 0};
  static constexpr Flag TI{2};
};

}  // namespace vtsim::vmx::checks
