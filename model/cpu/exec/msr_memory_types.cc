// MTRRs and PAT. SDM 3A "Memory Type Range Registers (MTRRs)", "Page Attribute Table (PAT)".

#include "model/cpu/exec/msr_fields.h"

namespace vtsim::cpu {

namespace {

// IA32_MTRRCAP
constexpr Field kVariableCount{7, 0};
constexpr u32 kMtrrCap = 0xFE;
constexpr u64 kMtrrCapDefault = 0x508;  // eight variable ranges, fixed ranges, WC

// Encodings of memory types: 0 UC, 1 WC, 4 WT, 5 WP, 6 WB; PAT also 7 UC-.
constexpr bool is_memory_type(u64 type) { return type == 0 || type == 1 || (type >= 4 && type <= 6); }

bool bytes_are_types(u64 value, bool (*valid)(u64)) {
  for (unsigned n = 0; n < 8; ++n)
    if (!valid(bits(value, 8 * n + 7, 8 * n))) return false;
  return true;
}

bool read_mtrr_cap(const MsrAccess& access, u64& value) {
  value = preset_msr(access.core, kMtrrCap, kMtrrCapDefault);
  return true;
}

bool variable_range_exists(const Core& core, u32 offset) {
  const u64 count = kVariableCount.get(preset_msr(core, kMtrrCap, kMtrrCapDefault));
  return offset / 2 < count && offset / 2 < MsrState::kVariableRanges;
}

// Base (even): type in 7:0. Mask (odd): valid bit 11. Addresses end at MAXPHYADDR.
bool write_variable(const MsrAccess& access, u64 value) {
  const u64 address = low_mask(access.core.model().physical_address_bits) & ~kPageOffsetMask;
  const bool is_mask = access.offset() % 2 == 1;
  const u64 writable = address | (is_mask ? Flag{11}.mask() : Field{7, 0}.mask());
  if ((value & ~writable) != 0) return false;
  if (!is_mask && !is_memory_type(Field{7, 0}.get(value))) return false;
  access.core.msr.mtrr_variable[access.offset()] = value;
  return true;
}

bool write_fixed(const MsrAccess& access, unsigned n, u64 value) {
  if (!bytes_are_types(value, is_memory_type)) return false;
  access.core.msr.mtrr_fixed[n] = value;
  return true;
}

// Where a row's registers lie among the eleven fixed ones.
template <unsigned first>
bool read_fixed(const MsrAccess& access, u64& value) {
  value = access.core.msr.mtrr_fixed[first + access.offset()];
  return true;
}
template <unsigned first>
bool write_fixed_at(const MsrAccess& access, u64 value) {
  return write_fixed(access, first + access.offset(), value);
}

bool write_default_type(const MsrAccess& access, u64 value) {
  constexpr Field kType{7, 0};
  constexpr Flag kFixedEnable{10}, kEnable{11};
  if ((value & ~(kType.mask() | kFixedEnable.mask() | kEnable.mask())) != 0 ||
      !is_memory_type(kType.get(value)))
    return false;
  access.core.msr.mtrr_def_type = value;
  return true;
}

bool write_pat(const MsrAccess& access, u64 value) {
  if (!bytes_are_types(value, [](u64 type) { return is_memory_type(type) || type == 7; }))
    return false;
  access.core.state.pat = value;
  return true;
}

constexpr MsrRegisterRow kRows[] = {
    {0xFE, 0xFE, "IA32_MTRRCAP", read_mtrr_cap, nullptr, Feature::kMtrr},
    {0x200, 0x213, "IA32_MTRR_PHYSBASE0", read_element<&MsrState::mtrr_variable>, write_variable,
     Feature::kMtrr, variable_range_exists},
    {0x250, 0x250, "IA32_MTRR_FIX64K_00000", read_fixed<0>, write_fixed_at<0>, Feature::kMtrr},
    {0x258, 0x259, "IA32_MTRR_FIX16K_80000", read_fixed<1>, write_fixed_at<1>, Feature::kMtrr},
    {0x268, 0x26F, "IA32_MTRR_FIX4K_C0000", read_fixed<3>, write_fixed_at<3>, Feature::kMtrr},
    {0x277, 0x277, "IA32_PAT", read_state<&CoreState::pat>, write_pat, Feature::kPat},
    {0x2FF, 0x2FF, "IA32_MTRR_DEF_TYPE", read_register<&MsrState::mtrr_def_type>,
     write_default_type, Feature::kMtrr},
};

}  // namespace

std::span<const MsrRegisterRow> msr_memory_type_rows() { return kRows; }

}  // namespace vtsim::cpu
