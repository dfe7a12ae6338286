#pragma once
// The architectural translation store: what a translation *yields*. Of fixed, generous size, it
// keeps a translation until the manual requires it to go, so a forgotten invalidation shows; no
// timing parameter touches it. Evictions and their order depend on nothing but the calls.
//
// Mappings (SDM 3C "Information That May Be Cached"):
//   linear           VPID, PCID           no EPT in use (tag.eptrta == kNoEpt)
//   combined         VPID, PCID, EPTRTA
//   guest-physical   EPTRTA
// Paging-structure caches are not kept here: they can change no result that a correct program sees.
//
// With CR0.PG = 0 nothing linear is cached: use lookup_guest_physical() under EPT, nothing without.

#include <array>
#include <optional>

#include "model/base/types.h"
#include "model/mmu/page_array.h"
#include "model/mmu/space_table.h"
#include "model/mmu/translation.h"

namespace vtsim::mmu {

// What has been dropped, at least: a listener may drop more. Sent for every operation, whether the
// store held something or not, since a listener may keep what the store has evicted.
struct Invalidation {
  enum class Extent : u8 {
    kPage,   // the pages of all sizes that hold `linear`
    kSpace,  // every page
  };
  Extent extent = Extent::kSpace;
  Lin linear = {};                 // kPage
  std::optional<u16> vpid = {};    // nothing: any. VPID 0 is spared where `spares_vpid_0` is set.
  std::optional<u16> pcid = {};    // nothing: any. Global pages match whatever the PCID,
  bool spares_global = false;      //   unless this is set.
  std::optional<u64> eptrta = {};  // nothing: any, linear mappings included
  bool combined_only = false;      // only mappings that used EPT
  bool spares_vpid_0 = false;

  constexpr bool concerns(const Tag& tag) const {
    if (vpid ? *vpid != tag.vpid : (spares_vpid_0 && tag.vpid == 0)) return false;
    if (combined_only && tag.eptrta == kNoEpt) return false;
    if (eptrta && *eptrta != tag.eptrta) return false;
    return !pcid || *pcid == tag.pcid || !spares_global;
  }
};

// The core's host-pointer arrays stand in front of the store and listen here.
class InvalidationListener {
 public:
  virtual ~InvalidationListener() = default;
  virtual void on_invalidation(const Invalidation& what) = 0;
};

class TranslationStore {
 public:
  explicit TranslationStore(InvalidationListener* listener = nullptr);

  // The pointer holds until the next insertion or invalidation.
  const Translation* lookup(const Tag& tag, Lin linear);
  void insert(const Tag& tag, Lin linear, const Translation& translation);
  const Translation* lookup_guest_physical(u64 eptrta, Gpa address);
  void insert_guest_physical(u64 eptrta, Gpa address, const Translation& translation);

  // SDM 3A "Operations that Invalidate TLBs and Paging-Structure Caches". `current` is the tag in
  // use; all act on its VPID only, and on every EPTRTA.
  void invlpg(const Tag& current, Lin linear);
  void invpcid_address(const Tag& current, u16 pcid, Lin linear);  // type 0: spares global pages
  void invpcid_single(const Tag& current, u16 pcid);               // type 1: spares global pages
  void invpcid_all(const Tag& current);                            // type 2
  void invpcid_all_but_global(const Tag& current);                 // type 3
  // MOV to CR3 that does not set bit 63 (one that does drops nothing): the PCID being loaded.
  void mov_cr3(const Tag& current, u16 new_pcid);
  // MOV to CR4 that changes PAE or sets SMEP: everything of the current PCID, and global pages.
  void flush_current_pcid(const Tag& current);
  // MOV to CR0 that clears PG; MOV to CR4 that changes PGE or clears PCIDE.
  void flush_all_pcids(const Tag& current);
  // A page fault drops the page of the current PCID, global or not.
  void on_page_fault(const Tag& current, Lin linear);

  // SDM 3C "Operations that Invalidate Cached Mappings".
  void invvpid_address(u16 vpid, Lin linear);  // type 0
  void invvpid_single(u16 vpid);               // type 1
  void invvpid_all();                          // type 2: every VPID but 0
  void invvpid_single_but_global(u16 vpid);    // type 3
  void invept_single(u64 eptrta);              // type 1
  void invept_all();                           // type 2
  // VM entry or exit without "enable VPID": VPID 0.
  void on_vm_transition_without_vpid();
  // An EPT violation drops the guest-physical mapping, and the combined one if `linear` is given.
  void on_ept_violation(const Tag& current, Gpa address, std::optional<Lin> linear);

  void reset();  // everything

 private:
  // The spaces that a tag looks in: its own, and that of the global pages.
  struct Current {
    bool known = false;
    Tag tag = {};
    unsigned local = SpaceTable::kNowhere;
    unsigned global = SpaceTable::kNowhere;
  };

  void select(const Tag& tag);
  const Translation* find(unsigned space, u64 address) const;
  void put(unsigned space, u64 address, const Translation& translation);
  void drop_page(unsigned space, u64 address);
  void renew(unsigned space);
  void apply(const Invalidation& what);

  InvalidationListener* listener_;
  SpaceTable spaces_;
  Current current_;
  std::array<PageArray, SpaceTable::kArrays> arrays_;  // by page size, smallest first
};

}  // namespace vtsim::mmu
