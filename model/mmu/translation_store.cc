#include "model/mmu/translation_store.h"

#include "model/base/check.h"

namespace vtsim::mmu {
namespace {

using Extent = Invalidation::Extent;

constexpr unsigned kSetBits4K = 11;  // 16,384 pages
constexpr unsigned kSetBits2M = 8;   // 2,048
constexpr unsigned kSetBits4M = 6;   // 512
constexpr unsigned kSetBits1G = 4;   // 128

// Does `what` take all that `space` holds (or the page in question of it)?
bool covers(const Invalidation& what, const Space& space) {
  switch (space.kind) {
    case SpaceKind::kGuestPhysical:
      return false;  // see invept and on_ept_violation
    case SpaceKind::kGlobal:
      return !what.spares_global && what.concerns(space.tag);
    case SpaceKind::kLocal:
      return what.concerns(space.tag) && (!what.pcid || *what.pcid == space.tag.pcid);
  }
  return false;
}

}  // namespace

TranslationStore::TranslationStore(InvalidationListener* listener)
    : listener_(listener),
      arrays_{PageArray(12, kSetBits4K), PageArray(21, kSetBits2M), PageArray(22, kSetBits4M),
              PageArray(30, kSetBits1G)} {}

const Translation* TranslationStore::lookup(const Tag& tag, Lin linear) {
  select(tag);
  if (const Translation* found = find(current_.local, linear.value)) return found;
  return find(current_.global, linear.value);
}

void TranslationStore::insert(const Tag& tag, Lin linear, const Translation& translation) {
  const SpaceKind kind = translation.global ? SpaceKind::kGlobal : SpaceKind::kLocal;
  if (!spaces_.has_id()) reset();
  const unsigned space = spaces_.obtain(kind, translation.global ? global_tag(tag) : tag);
  current_ = {};
  select(tag);
  drop_page(current_.local, linear.value);
  drop_page(current_.global, linear.value);
  put(space, linear.value, translation);
}

const Translation* TranslationStore::lookup_guest_physical(u64 eptrta, Gpa address) {
  return find(spaces_.find(SpaceKind::kGuestPhysical, guest_physical_tag(eptrta)), address.value);
}

void TranslationStore::insert_guest_physical(u64 eptrta, Gpa address,
                                             const Translation& translation) {
  if (!spaces_.has_id()) reset();
  const unsigned space = spaces_.obtain(SpaceKind::kGuestPhysical, guest_physical_tag(eptrta));
  current_ = {};
  drop_page(space, address.value);
  put(space, address.value, translation);
}

void TranslationStore::select(const Tag& tag) {
  if (current_.known && current_.tag == tag) return;
  current_ = {.known = true,
              .tag = tag,
              .local = spaces_.find(SpaceKind::kLocal, tag),
              .global = spaces_.find(SpaceKind::kGlobal, global_tag(tag))};
}

const Translation* TranslationStore::find(unsigned space, u64 address) const {
  for (unsigned n = 0; n < arrays_.size(); ++n) {
    if (!spaces_.may_hold(space, n)) continue;
    if (const Translation* found = arrays_[n].find(spaces_[space].id, address)) return found;
  }
  return nullptr;
}

void TranslationStore::put(unsigned space, u64 address, const Translation& translation) {
  for (unsigned n = 0; n < arrays_.size(); ++n) {
    if (arrays_[n].page_shift() != translation.page_shift) continue;
    arrays_[n].insert(spaces_[space].id, address, translation);
    spaces_.mark(space, n);
    return;
  }
  SIM_CHECK(false, "a page size that no paging mode has");
}

void TranslationStore::drop_page(unsigned space, u64 address) {
  for (unsigned n = 0; n < arrays_.size(); ++n) {
    if (spaces_.may_hold(space, n)) arrays_[n].erase(spaces_[space].id, address);
  }
}

void TranslationStore::renew(unsigned space) {
  if (spaces_[space].sizes == 0) return;  // nothing to drop: keep the id
  if (spaces_.has_id()) {
    spaces_.renew(space);
  } else {
    reset();
  }
}

void TranslationStore::apply(const Invalidation& what) {
  for (unsigned space = 1; space < spaces_.end(); ++space) {
    if (spaces_[space].sizes == 0 || !covers(what, spaces_[space])) continue;
    if (what.extent == Extent::kPage) {
      drop_page(space, what.linear.value);
    } else {
      renew(space);
    }
  }
  if (listener_) listener_->on_invalidation(what);
}

void TranslationStore::invlpg(const Tag& current, Lin linear) {
  apply({.extent = Extent::kPage, .linear = linear, .vpid = current.vpid, .pcid = current.pcid});
}

void TranslationStore::invpcid_address(const Tag& current, u16 pcid, Lin linear) {
  apply({.extent = Extent::kPage,
         .linear = linear,
         .vpid = current.vpid,
         .pcid = pcid,
         .spares_global = true});
}

void TranslationStore::invpcid_single(const Tag& current, u16 pcid) {
  apply({.vpid = current.vpid, .pcid = pcid, .spares_global = true});
}

void TranslationStore::invpcid_all(const Tag& current) { apply({.vpid = current.vpid}); }

void TranslationStore::invpcid_all_but_global(const Tag& current) {
  apply({.vpid = current.vpid, .spares_global = true});
}

void TranslationStore::mov_cr3(const Tag& current, u16 new_pcid) {
  invpcid_single(current, new_pcid);
}

void TranslationStore::flush_current_pcid(const Tag& current) {
  apply({.vpid = current.vpid, .pcid = current.pcid});
}

void TranslationStore::flush_all_pcids(const Tag& current) { apply({.vpid = current.vpid}); }

void TranslationStore::on_page_fault(const Tag& current, Lin linear) { invlpg(current, linear); }

void TranslationStore::invvpid_address(u16 vpid, Lin linear) {
  apply({.extent = Extent::kPage, .linear = linear, .vpid = vpid});
}

void TranslationStore::invvpid_single(u16 vpid) { apply({.vpid = vpid}); }

void TranslationStore::invvpid_all() { apply({.spares_vpid_0 = true}); }

void TranslationStore::invvpid_single_but_global(u16 vpid) {
  apply({.vpid = vpid, .spares_global = true});
}

void TranslationStore::invept_single(u64 eptrta) {
  renew(spaces_.find(SpaceKind::kGuestPhysical, guest_physical_tag(eptrta)));
  apply({.eptrta = eptrta});
}

void TranslationStore::invept_all() {
  for (unsigned space = 1; space < spaces_.end(); ++space) {
    if (spaces_[space].kind == SpaceKind::kGuestPhysical) renew(space);
  }
  apply({.combined_only = true});
}

void TranslationStore::on_vm_transition_without_vpid() { apply({.vpid = u16{0}}); }

void TranslationStore::on_ept_violation(const Tag& current, Gpa address,
                                        std::optional<Lin> linear) {
  const unsigned space =
      spaces_.find(SpaceKind::kGuestPhysical, guest_physical_tag(current.eptrta));
  drop_page(space, address.value);
  if (!linear) return;
  apply({.extent = Extent::kPage,
         .linear = *linear,
         .vpid = current.vpid,
         .pcid = current.pcid,
         .eptrta = current.eptrta});
}

void TranslationStore::reset() {
  for (PageArray& array : arrays_) array.clear();
  spaces_.restart();
  if (listener_) listener_->on_invalidation({});
}

}  // namespace vtsim::mmu
