#pragma once
// The way through the store and the walker, in the one order that is right: look up, check, walk
// where the stored translation does not serve, keep what the walk yields, drop what the manual says
// a fault drops. The core calls this behind its host-pointer arrays.

#include "model/mmu/translation_store.h"
#include "model/mmu/walker.h"

namespace vtsim::mmu {

struct AddressSpace {
  PagingContext context;
  Tag tag;  // of the store; eptrta is kNoEpt exactly where context.ept.enabled is false
};

WalkResult translate(TranslationStore& store, EntryPort& port, const AddressSpace& space,
                     Lin linear, Access access);

}  // namespace vtsim::mmu
