#pragma once
// What a walk yields: a Translation, or the full record of why there is none.

#include <variant>

#include "model/base/types.h"
#include "model/mmu/access.h"

namespace vtsim::mmu {

// Stage-1 rights, combined over all levels (SDM 3A "Determination of Access Rights").
struct Rights {
  bool write : 1 = true;    // R/W = 1 in every entry
  bool user : 1 = true;     // U/S = 1 in every entry: a user-mode address
  bool execute : 1 = true;  // XD = 0 in every entry, or XD not in use

  constexpr bool operator==(const Rights&) const = default;
};

// Stage-2 rights, combined over all levels. Without mode-based execute control both execute rights
// are bit 2. Without a second stage all are set.
struct Stage2Rights {
  bool read : 1 = true;
  bool write : 1 = true;
  bool execute : 1 = true;       // from supervisor-mode linear addresses
  bool execute_user : 1 = true;  // from user-mode linear addresses

  constexpr bool operator==(const Stage2Rights&) const = default;
};

// `pat_index` of an access that no paging entry governs (CR0.PG = 0): its PAT type is WB.
inline constexpr u8 kNoPatIndex = 8;

struct Translation {
  Hpa frame = {};        // first byte of the page, aligned to page_shift
  Gpa guest_frame = {};  // the same before the second stage; equal to `frame` where there is none
  u8 page_shift = kPageShift;   // 12, 21, 22, 30; nested: the smaller of the two stages' pages
  u8 pat_index = kNoPatIndex;   // PAT, PCD, PWT of the leaf entry: which byte of IA32_PAT
  u8 pkey = 0;                  // 4- and 5-level paging only
  u8 ept_memory_type = 6;       // bits 5:3 of the EPT leaf; means something only under EPT
  bool ept_ignore_pat = false;  // bit 6 of the EPT leaf
  bool global = false;          // leaf G bit with CR4.PGE = 1
  bool dirty = false;  // the D flags of both stages are set: a write needs no further update
  Rights rights = {};
  Stage2Rights stage2 = {};

  constexpr u64 page_bytes() const { return u64{1} << page_shift; }
  constexpr Hpa at(Lin linear) const {
    return Hpa(frame.value | (linear.value & (page_bytes() - 1)));
  }
  constexpr bool operator==(const Translation&) const = default;
};

enum class Stage : u8 { kStage1, kStage2 };

enum class FaultReason : u8 {
  kNotPresent,           // stage 1
  kReservedBit,          // stage 1
  kProtection,           // stage 1: access rights (and perhaps the protection key: pkey_denied)
  kPkey,                 // stage 1: nothing but the protection key
  kEptViolation,         // stage 2: not present, or access rights
  kEptMisconfiguration,  // stage 2
  kPmlFull,  // stage 2: an A or D flag must be set and the page-modification log is full
  kBus,      // the entry could not be read (EntryPort returned nothing)
};

// What was asked of the second stage: bits 2:0 of the exit qualification.
struct Stage2Access {
  bool read : 1 = false;
  bool write : 1 = false;
  bool fetch : 1 = false;

  constexpr bool operator==(const Stage2Access&) const = default;
};

struct WalkFault {
  Stage stage = Stage::kStage1;
  FaultReason reason = FaultReason::kNotPresent;
  u8 level = 0;               // of the entry at which the walk ended: 5 (PML5E) .. 1 (PTE)
  bool is_table_ref = false;  // stage 2: the reference was to a stage-1 entry (read or A/D update)
  bool linear_valid = true;  // false: a guest-physical access without a linear address (PDPTE load)
  bool pkey_denied = false;  // stage 1, present: the protection key alone would deny the access
  bool reports_fetch = false;  // bit 4 of the error code is in use (CR4.SMEP, or PAE with NXE)
  Access access = {};          // what software asked for
  u64 entry = 0;               // the entry at which the walk ended
  Hpa entry_address = {};
  Lin linear = {};
  Gpa gpa = {};             // stage 2: the guest-physical address that was being translated
  Rights rights_seen = {};  // stage 1, as far as it was combined; complete for the final page
  Stage2Access stage2_access = {};
  bool mode_based_execute_control = false;  // the two execute rights below are apart
  Stage2Rights stage2_seen = {};            // all clear where an entry was not present
};

class WalkResult {
 public:
  constexpr WalkResult(const Translation& t) : value_(t) {}
  constexpr WalkResult(const WalkFault& f) : value_(f) {}

  constexpr explicit operator bool() const { return value_.index() == 0; }
  constexpr const Translation& translation() const { return *std::get_if<Translation>(&value_); }
  constexpr const WalkFault& fault() const { return *std::get_if<WalkFault>(&value_); }

 private:
  std::variant<Translation, WalkFault> value_;
};

// The error code that a #PF for this fault delivers. Total: a stage-2 fault, which delivers none,
// gives the bits that describe the access.
u32 pf_error_code(const WalkFault& fault);

// The exit qualification of an EPT violation, all but bit 12 (NMI unblocking, the caller's). Bits
// 11:9 are filled in where they mean anything; a processor without IA32_VMX_EPT_VPID_CAP bit 22
// clears them (kEptAdvancedInformation). Zero for faults that are no EPT violations.
u64 ept_violation_qualification(const WalkFault& fault);
inline constexpr u64 kEptAdvancedInformation = 0xe00;

}  // namespace vtsim::mmu
