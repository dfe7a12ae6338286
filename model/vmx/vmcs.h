#pragma once
// The current VMCS of a logical processor: the values of all fields, and how they lie in the VMCS
// region. SDM 3C "Virtual Machine Control Structures > Format of the VMCS Region": the layout of the
// data is the implementation's own; ours, in bytes from the region's start:
//
//   0  revision identifier, bit 31: shadow-VMCS indicator
//   4  VMX-abort indicator
//   8  launch state: kLaunched, anything else is clear
//   16 the fields, those of eight bytes first, then those of four, then those of two, each in the
//      order of the table: all fits into the 1024 bytes that IA32_VMX_BASIC reports
//
// The processor keeps the current VMCS's values on chip, as the manual allows, and writes them to the
// region with VMCLEAR, and when another VMCS becomes current.

#include <array>
#include <optional>
#include <span>

#include "model/vmx/controls.h"
#include "model/vmx/vmcs_fields.h"

namespace vtsim::vmx {

struct VmcsRegion {
  static constexpr u32 kAbortOffset = 4;
  static constexpr u32 kLaunchOffset = 8;
  static constexpr u32 kFieldsOffset = 16;
  static constexpr u32 kLaunched = 0x4C41'554E;  // anything that is rarely there by chance
  static constexpr Flag SHADOW{31};              // of the revision identifier
  static constexpr u32 kBytes = 1024;

  static u32 offset_of(VmcsField field);
};

class Vmcs {
 public:
  u64 operator[](VmcsField field) const { return values_[static_cast<unsigned>(field)]; }
  // Keeps the bits that the field's width has.
  void set(VmcsField field, u64 value) {
    values_[static_cast<unsigned>(field)] = value & row_of(field).mask();
  }

  template <class Layout>
  Reg<Layout> reg(VmcsField field) const {
    return Reg<Layout>((*this)[field]);
  }
  Reg<PinBased> pin() const { return reg<PinBased>(VmcsField::PIN_BASED_CONTROLS); }
  Reg<Primary> primary() const { return reg<Primary>(VmcsField::PRIMARY_CONTROLS); }
  Reg<Secondary> secondary() const {
    if (!primary()[Primary::SECONDARY_CONTROLS]) return {};
    return reg<Secondary>(VmcsField::SECONDARY_CONTROLS);
  }
  Reg<ExitControls> exit_controls() const { return reg<ExitControls>(VmcsField::EXIT_CONTROLS); }
  Reg<EntryControls> entry_controls() const {
    return reg<EntryControls>(VmcsField::ENTRY_CONTROLS);
  }

  // The fields as they lie in the region from kFieldsOffset on.
  using Image = std::array<u8, VmcsRegion::kBytes - VmcsRegion::kFieldsOffset>;
  Image image() const;
  void load(const Image& image);

 private:
  std::array<u64, kVmcsFieldCount> values_{};
};

// The field that an encoding names and whether it is the upper half of a 64-bit field; nothing where
// the encoding names none.
struct FieldReference {
  VmcsField field;
  bool high = false;
};
std::optional<FieldReference> find_field(u64 encoding);

}  // namespace vtsim::vmx
