#include "model/mmu/space_table.h"

#include "model/base/check.h"

namespace vtsim::mmu {

unsigned SpaceTable::hint_of(SpaceKind kind, const Tag& tag) const {
  const u64 mixed =
      tag.pcid + tag.vpid * 7u + tag.eptrta / kPageSize * 13 + static_cast<u64>(kind) * 29;
  return static_cast<unsigned>(mixed % hints_.size());
}

unsigned SpaceTable::find(SpaceKind kind, const Tag& tag) const {
  const unsigned hint = hints_[hint_of(kind, tag)];
  if (is(hint, kind, tag)) return hint;
  for (unsigned space = 1; space < end_; ++space) {
    if (is(space, kind, tag)) return space;
  }
  return kNowhere;
}

unsigned SpaceTable::obtain(SpaceKind kind, const Tag& tag) {
  unsigned space = find(kind, tag);
  if (space == kNowhere) {
    SIM_CHECK(has_id());
    if (end_ < kSpaces) {
      space = end_++;
    } else {
      space = oldest_;
      oldest_ = oldest_ + 1 < kSpaces ? oldest_ + 1 : 1;
    }
    spaces_[space] = {.kind = kind, .tag = tag, .id = next_id_++};
  }
  hints_[hint_of(kind, tag)] = static_cast<u8>(space);
  return space;
}

void SpaceTable::renew(unsigned space) {
  SIM_CHECK(has_id());
  spaces_[space].id = next_id_++;
  spaces_[space].sizes = 0;
}

void SpaceTable::restart() {
  next_id_ = 1;
  for (unsigned space = 1; space < end_; ++space) renew(space);
}

}  // namespace vtsim::mmu
