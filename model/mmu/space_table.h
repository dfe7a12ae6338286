#pragma once
// Numbers for address spaces, so that a stored mapping carries one small number for its whole tag,
// and a space is emptied by giving it a new one.

#include <array>

#include "model/base/types.h"
#include "model/mmu/tag.h"

namespace vtsim::mmu {

enum class SpaceKind : u8 {
  kLocal,          // one VPID, PCID, EPTRTA
  kGlobal,         // the global pages of one VPID, EPTRTA: of every PCID
  kGuestPhysical,  // one EPTRTA
};

struct Space {
  SpaceKind kind = SpaceKind::kLocal;
  Tag tag = {};  // what the kind does not need is 0
  u32 id = 0;    // 0: no space
  u8 sizes = 0;  // bit n: array n may hold pages of it
};

constexpr Tag global_tag(const Tag& tag) { return {.vpid = tag.vpid, .eptrta = tag.eptrta}; }
constexpr Tag guest_physical_tag(u64 eptrta) { return {.eptrta = eptrta}; }

class SpaceTable {
 public:
  static constexpr unsigned kSpaces = 256;
  static constexpr unsigned kNowhere = 0;  // the space that holds nothing: id 0
  static constexpr u32 kMaxId = (1u << 19) - 1;
  static constexpr unsigned kArrays = 4;

  // The space of a tag, or kNowhere.
  unsigned find(SpaceKind kind, const Tag& tag) const;
  // The same, made if need be; when the table is full the oldest space is forgotten with all that
  // it held. Needs has_id().
  unsigned obtain(SpaceKind kind, const Tag& tag);

  const Space& operator[](unsigned space) const { return spaces_[space]; }
  void mark(unsigned space, unsigned array) { spaces_[space].sizes |= kSizeBits[array]; }
  bool may_hold(unsigned space, unsigned array) const {
    return spaces_[space].sizes & kSizeBits[array];
  }
  unsigned end() const { return end_; }  // spaces are 1 .. end() - 1

  // Ids run out after half a million. Then the caller empties its arrays and calls restart().
  bool has_id() const { return next_id_ <= kMaxId; }
  void renew(unsigned space);  // needs has_id()
  void restart();

 private:
  static constexpr std::array<u8, kArrays> kSizeBits{1, 2, 4, 8};

  unsigned hint_of(SpaceKind kind, const Tag& tag) const;
  bool is(unsigned space, SpaceKind kind, const Tag& tag) const {
    return spaces_[space].kind == kind && spaces_[space].tag == tag && space != kNowhere;
  }

  std::array<Space, kSpaces> spaces_ = {};
  std::array<u8, 64> hints_ = {};  // where a tag was found last: speed only
  unsigned end_ = 1;
  unsigned oldest_ = 1;
  u32 next_id_ = 1;
};

}  // namespace vtsim::mmu
