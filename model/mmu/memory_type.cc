#include "model/mmu/memory_type.h"

#include "model/base/bits.h"
#include "model/mmu/translation.h"

namespace vtsim::mmu {
namespace {

struct MtrrDefType {
  static constexpr Field TYPE{7, 0};
  static constexpr Flag FE{10};
  static constexpr Flag E{11};
};
struct MtrrPhys {
  static constexpr Field TYPE{7, 0};       // of PHYSBASE
  static constexpr Field ADDRESS{51, 12};  // PhysBase, PhysMask
  static constexpr Flag V{11};             // of PHYSMASK
};

// SDM 3A Table "Address Mapping for Fixed-Range MTRRs": registers of eight equal ranges each.
struct FixedRange {
  u64 begin;
  u64 end;
  u64 bytes;  // of one range
  unsigned first_register;
};
constexpr u64 kKib = 1024;
constexpr std::array<FixedRange, 3> kFixedRanges{{
    {0x00000, 0x80000, 64 * kKib, 0},
    {0x80000, 0xc0000, 16 * kKib, 1},
    {0xc0000, 0x100000, 4 * kKib, 3},
}};

constexpr u64 byte_of(u64 value, unsigned index) { return bits(value, index * 8 + 7, index * 8); }

// What WRMSR does not let through is UC.
constexpr MemoryType decode(u64 type) {
  switch (type) {
    case 1:
      return MemoryType::kWc;
    case 4:
      return MemoryType::kWt;
    case 5:
      return MemoryType::kWp;
    case 6:
      return MemoryType::kWb;
    case 7:
      return MemoryType::kUcMinus;
    default:
      return MemoryType::kUc;
  }
}

constexpr bool is_encoding(u64 type) { return type <= 7 && type != 2 && type != 3; }

std::optional<MemoryType> fixed_type(const Mtrrs& mtrrs, u64 address) {
  for (const FixedRange& range : kFixedRanges) {
    if (address < range.begin || address >= range.end) continue;
    const u64 index = (address - range.begin) / range.bytes;
    return decode(
        byte_of(mtrrs.fixed[range.first_register + index / 8], static_cast<unsigned>(index % 8)));
  }
  return std::nullopt;
}

// SDM 3A "MTRR Precedences". Overlaps other than with UC, and of WT with WB, are undefined.
// SDM-NOTE: they give UC here; the test "MTRR: overlaps that the manual leaves undefined" pins it.
constexpr MemoryType overlap(MemoryType a, MemoryType b) {
  const auto is = [&](MemoryType x, MemoryType y) {
    return (a == x && b == y) || (a == y && b == x);
  };
  if (a == b) return a;
  return is(MemoryType::kWt, MemoryType::kWb) ? MemoryType::kWt : MemoryType::kUc;
}

std::optional<MemoryType> variable_type(const Mtrrs& mtrrs, u64 address) {
  std::optional<MemoryType> found;
  for (const VariableMtrr& range : mtrrs.variable) {
    const u64 mask = range.mask & MtrrPhys::ADDRESS.mask();
    if (!bit(range.mask, MtrrPhys::V.position)) continue;
    if ((address & mask) != (range.base & mask)) continue;
    const MemoryType type = decode(MtrrPhys::TYPE.get(range.base));
    found = found ? overlap(*found, type) : type;
  }
  return found;
}

// Rows of the table: one MTRR type, then the effective type for each PAT type.
struct EffectiveRow {
  MemoryType mtrr;
  MemoryType uc, uc_minus, wc, wt, wb, wp;
};
constexpr MemoryType UC = MemoryType::kUc, WC = MemoryType::kWc, WT = MemoryType::kWt,
                     WB = MemoryType::kWb, WP = MemoryType::kWp;
constexpr std::array<EffectiveRow, 5> kEffective{{
    // MTRR  UC  UC- WC  WT  WB  WP
    {UC, UC, UC, WC, UC, UC, UC},
    {WC, UC, WC, WC, UC, WC, UC},
    {WT, UC, UC, WC, WT, WT, WP},
    {WB, UC, UC, WC, WT, WB, WP},
    {WP, UC, WC, WC, WT, WP, WP},
}};

}  // namespace

std::optional<MemoryType> mtrr_encoding(u64 field) {
  if (!is_encoding(field) || field == static_cast<u64>(MemoryType::kUcMinus)) return std::nullopt;
  return decode(field);
}

bool is_valid_pat(u64 pat) {
  for (unsigned index = 0; index < 8; ++index) {
    if (!is_encoding(byte_of(pat, index))) return false;
  }
  return true;
}

MemoryType mtrr_type(const Mtrrs& mtrrs, Hpa address) {
  const Reg<MtrrDefType> def(mtrrs.def_type);
  if (!def[MtrrDefType::E]) return MemoryType::kUc;
  if (def[MtrrDefType::FE]) {
    if (const auto fixed = fixed_type(mtrrs, address.value)) return *fixed;
  }
  return variable_type(mtrrs, address.value).value_or(decode(def[MtrrDefType::TYPE]));
}

MemoryType pat_type(u64 pat, u8 pat_index) {
  return pat_index >= kNoPatIndex ? MemoryType::kWb : decode(byte_of(pat, pat_index));
}

MemoryType effective_type(MemoryType mtrr, MemoryType pat) {
  for (const EffectiveRow& row : kEffective) {
    if (row.mtrr != mtrr) continue;
    switch (pat) {
      case MemoryType::kUc:
        return row.uc;
      case MemoryType::kUcMinus:
        return row.uc_minus;
      case MemoryType::kWc:
        return row.wc;
      case MemoryType::kWt:
        return row.wt;
      case MemoryType::kWb:
        return row.wb;
      case MemoryType::kWp:
        return row.wp;
    }
  }
  return MemoryType::kUc;
}

// SDM 3C "Memory Type Used for Translated Guest-Physical Addresses": with the EPT type in place of
// the MTRRs'.
MemoryType effective_ept_type(EptMemoryType ept, MemoryType pat) {
  return ept.ignore_pat ? ept.type : effective_type(ept.type, pat);
}

}  // namespace vtsim::mmu
