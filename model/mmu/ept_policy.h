#pragma once
// What the entries of EPT mean. SDM 3C "The Extended Page Table Mechanism (EPT)".

#include "model/mmu/paging_context.h"
#include "model/mmu/walk_loop.h"

namespace vtsim::mmu {

// One guest-physical access.
struct Stage2Request {
  Gpa gpa = {};
  Stage2Access access = {};
  bool user_address = true;  // fetches: from a user-mode linear address (all are, with CR0.PG = 0)
};

// Where it leads.
struct Stage2Mapping {
  Hpa frame = {};
  u8 page_shift = kPageShift;
  u8 memory_type = 0;
  bool ignore_pat = false;
  bool dirty = false;  // a write needs no D flag: it is set, or EPT has none
  Stage2Rights rights = {};

  constexpr Hpa at(Gpa gpa) const {
    return Hpa(frame.value | (gpa.value & ((u64{1} << page_shift) - 1)));
  }
};

// SDM 3C "EPT Violations": does `rights` allow `access`?
constexpr bool stage2_permits(Stage2Rights rights, Stage2Access access, bool user_address) {
  const bool execute = user_address ? rights.execute_user : rights.execute;
  return (rights.read || !access.read) && (rights.write || !access.write) &&
         (execute || !access.fetch);
}

template <const Shape& shape>
class EptPolicy {
 public:
  static constexpr const Shape& kShape = shape;
  static constexpr RefKind kRefKind = RefKind::kStage2Entry;

  EptPolicy(const EptContext& context, const Stage2Request& request)
      : context_(context),
        request_(request),
        reserved_(shape.reserved | Field{51, context.physical_width}.mask()) {}

  EntryClass classify(unsigned level, u64 value) const {
    const Reg<EptEntry> entry(value);
    if (!is_present(entry)) return EntryClass::kNotPresent;
    const LevelFormat& format = shape.level[level];
    const bool leaf =
        format.leaf == Leaf::kAlways || (format.leaf == Leaf::kByPs && entry[EptEntry::PAGE]);
    if (grants_without_read(entry) || value & reserved_bits(format, leaf) ||
        (leaf && !is_memory_type(entry[EptEntry::MEMORY_TYPE]))) {
      return EntryClass::kMalformed;
    }
    return leaf ? EntryClass::kLeaf : EntryClass::kTable;
  }

  u64 table_flags() const { return context_.accessed_dirty ? EptEntry::A.mask() : 0; }
  u64 leaf_flags() const {
    return context_.accessed_dirty && request_.access.write
               ? EptEntry::A.mask() | EptEntry::D.mask()
               : table_flags();
  }

  std::optional<FaultReason> check(const Combined& combined) const {
    if (stage2_permits(rights(combined), request_.access, request_.user_address)) {
      return std::nullopt;
    }
    return FaultReason::kEptViolation;
  }

  FaultReason reason(EntryClass found) const {
    return found == EntryClass::kNotPresent ? FaultReason::kEptViolation
                                            : FaultReason::kEptMisconfiguration;
  }

  // SDM 3C "Exit Qualification for EPT Violations": where an entry is not present, no rights are
  // seen, whatever those above it grant.
  WalkFault fault(FaultReason reason, u64 entry, const Combined& combined) const {
    WalkFault record;
    record.stage = Stage::kStage2;
    record.gpa = request_.gpa;
    record.stage2_access = request_.access;
    record.mode_based_execute_control = context_.mode_based_execute_control;
    record.stage2_seen = Stage2Rights{false, false, false, false};
    if (reason == FaultReason::kEptViolation && is_present(Reg<EptEntry>(entry))) {
      record.stage2_seen = rights(combined);
    }
    return record;
  }

  // SDM 3C "Page-Modification Logging": a full log comes before any update of a flag.
  bool before_update(EntryPort& port) const {
    return !context_.page_modification_logging || port.pml_has_room();
  }
  void after_update(EntryPort& port, u64 flags) const {
    if (context_.page_modification_logging && flags & EptEntry::D.mask()) {
      port.pml_log(request_.gpa.page());
    }
  }

  Stage2Mapping mapping(const WalkEnd& end) const {
    const Reg<EptEntry> entry(end.entry);
    return {.frame = Hpa(end.entry & shape.frame_field(end.level).mask()),
            .page_shift = shape.level[end.level].page_shift,
            .memory_type = static_cast<u8>(entry[EptEntry::MEMORY_TYPE]),
            .ignore_pat = entry[EptEntry::IPAT],
            .dirty = !context_.accessed_dirty || entry[EptEntry::D],
            .rights = rights(end.combined)};
  }

 private:
  bool is_present(Reg<EptEntry> entry) const {
    return entry[EptEntry::R] || entry[EptEntry::W] || entry[EptEntry::X] || grants_user(entry);
  }
  bool grants_user(Reg<EptEntry> entry) const {
    return context_.mode_based_execute_control && entry[EptEntry::XU];
  }

  // SDM 3C "EPT Misconfigurations": bit 0 is clear and bit 1 is set, or execute-only translations
  // are not supported and an execute bit is set.
  bool grants_without_read(Reg<EptEntry> entry) const {
    if (entry[EptEntry::R]) return false;
    return entry[EptEntry::W] ||
           (!context_.execute_only_supported && (entry[EptEntry::X] || grants_user(entry)));
  }

  u64 reserved_bits(const LevelFormat& format, bool leaf) const {
    if (!leaf) return reserved_ | format.reserved_as_table;
    const bool offered = format.page_shift == 30   ? context_.pages_1g_supported
                         : format.page_shift == 21 ? context_.pages_2m_supported
                                                   : true;
    return reserved_ | format.reserved_as_leaf | (offered ? 0 : EptEntry::PAGE.mask());
  }

  static constexpr bool is_memory_type(u64 type) {
    return type == 0 || type == 1 || type == 4 || type == 5 || type == 6;
  }

  Stage2Rights rights(const Combined& combined) const {
    const Reg<EptEntry> all(combined.all);
    const Flag user = context_.mode_based_execute_control ? EptEntry::XU : EptEntry::X;
    return {.read = all[EptEntry::R],
            .write = all[EptEntry::W],
            .execute = all[EptEntry::X],
            .execute_user = all[user]};
  }

  const EptContext& context_;
  const Stage2Request& request_;
  u64 reserved_;
};

}  // namespace vtsim::mmu
