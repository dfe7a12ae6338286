#pragma once
// What the entries of 32-bit, PAE, 4-level and 5-level paging mean. SDM 3A "Paging".

#include <algorithm>

#include "model/mmu/rights.h"
#include "model/mmu/walk_loop.h"

namespace vtsim::mmu {

constexpr Rights ia32_rights(const Combined& combined) {
  const Reg<Ia32Entry> all(combined.all);
  return {.write = all[Ia32Entry::RW],
          .user = all[Ia32Entry::US],
          .execute = !Reg<Ia32Entry>(combined.any)[Ia32Entry::XD]};
}

template <const Shape& shape>
class Ia32Policy {
 public:
  static constexpr const Shape& kShape = shape;
  static constexpr RefKind kRefKind = RefKind::kStage1Entry;
  static constexpr bool kIs32Bit = shape.entry_bytes == 4;
  static constexpr bool kHasKeys = shape.levels >= 4;

  Ia32Policy(const PagingContext& context, Lin linear, Access access)
      : context_(context),
        linear_(linear),
        access_(access),
        reserved_(kIs32Bit ? 0
                           : shape.reserved | Field{51, context.physical_width}.mask() |
                                 (context.nxe ? 0 : Ia32Entry::XD.mask())) {}

  EntryClass classify(unsigned level, u64 entry) const {
    if (!bit(entry, Ia32Entry::P.position)) return EntryClass::kNotPresent;
    const LevelFormat& format = shape.level[level];
    if (!is_leaf(format, entry)) {
      return entry & (reserved_ | format.reserved_as_table) ? EntryClass::kMalformed
                                                            : EntryClass::kTable;
    }
    return entry & (reserved_ | format.reserved_as_leaf | reserved_as_page(format))
               ? EntryClass::kMalformed
               : EntryClass::kLeaf;
  }

  u64 table_flags() const { return Ia32Entry::A.mask(); }
  u64 leaf_flags() const {
    return Ia32Entry::A.mask() | (access_.is_write() ? Ia32Entry::D.mask() : 0);
  }

  std::optional<FaultReason> check(const Combined& combined) const {
    switch (check_stage1(context_, ia32_rights(combined), pkey(combined), access_)) {
      case Denial::kNone:
        return std::nullopt;
      case Denial::kPkey:
        return FaultReason::kPkey;
      default:
        return FaultReason::kProtection;
    }
  }

  FaultReason reason(EntryClass found) const {
    return found == EntryClass::kNotPresent ? FaultReason::kNotPresent : FaultReason::kReservedBit;
  }

  WalkFault fault(FaultReason reason, u64, const Combined& combined) const {
    const Rights rights = ia32_rights(combined);
    const bool translated = reason == FaultReason::kPkey || reason == FaultReason::kProtection;
    WalkFault record;
    record.stage = Stage::kStage1;
    record.access = access_;
    record.linear = linear_;
    record.rights_seen = rights;
    record.pkey_denied = translated && pkey_denies(context_, rights, pkey(combined), access_);
    record.reports_fetch = context_.smep || (!kIs32Bit && context_.nxe);
    return record;
  }

  static bool before_update(EntryPort&) { return true; }
  static void after_update(EntryPort&, u64) {}

  Translation translation(const WalkEnd& end) const {
    const Reg<Ia32Entry> entry(end.entry);
    const LevelFormat& format = shape.level[end.level];
    const Flag pat = end.level == 1 ? Ia32Entry::PAT_4K : Ia32Entry::PAT_LARGE;
    Translation result;
    result.guest_frame = Gpa(frame(end));
    result.frame = Hpa(result.guest_frame.value);
    result.page_shift = format.page_shift;
    result.pat_index =
        static_cast<u8>(entry[pat] * 4 + entry[Ia32Entry::PCD] * 2 + entry[Ia32Entry::PWT]);
    result.pkey = kHasKeys ? static_cast<u8>(entry[Ia32Entry::KEY]) : u8{0};
    result.global = entry[Ia32Entry::G] && context_.pge;
    result.dirty = entry[Ia32Entry::D];
    result.rights = ia32_rights(end.combined);
    return result;
  }

 private:
  bool is_leaf(const LevelFormat& format, u64 entry) const {
    if (format.leaf != Leaf::kByPs) return format.leaf == Leaf::kAlways;
    if (kIs32Bit && !context_.pse) return false;  // bit 7 is ignored
    return bit(entry, Ia32Entry::PS.position);
  }

  // Reserved bits of large pages that depend on what the processor has.
  u64 reserved_as_page(const LevelFormat& format) const {
    if (format.page_shift == 30 && !context_.pages_1g_supported) return Ia32Entry::PS.mask();
    if (format.page_shift != 22) return 0;
    // SDM 3A "32-Bit Paging": with M = min(40, MAXPHYADDR), bits 21:(M-19) are reserved; without
    // PSE-36, bits 21:13.
    const unsigned width = std::clamp<unsigned>(context_.physical_width, 32, 40);
    return Field{21, context_.pse36_supported ? width - 19 : 13}.mask();
  }

  static u64 frame(const WalkEnd& end) {
    const u64 low = end.entry & shape.frame_field(end.level).mask();
    if (kIs32Bit && end.level == 2) return low | Ia32Entry::PSE36.get(end.entry) << 32;
    return low;
  }

  u8 pkey(const Combined& combined) const {
    return kHasKeys ? static_cast<u8>(Ia32Entry::KEY.get(combined.last)) : u8{0};
  }

  const PagingContext& context_;
  Lin linear_;
  Access access_;
  u64 reserved_;
};

}  // namespace vtsim::mmu
