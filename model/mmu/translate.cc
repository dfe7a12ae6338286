#include "model/mmu/translate.h"

#include "model/mmu/nested.h"

namespace vtsim::mmu {
namespace {

// EPT with guest-physical mappings in front of it.
struct StoredEpt {
  TranslationStore& store;
  const EptContext& context;
  u64 eptrta;
  EntryPort& port;

  std::optional<WalkFault> operator()(const Stage2Request& request, Stage2Mapping& mapping) {
    if (const Translation* stored = store.lookup_guest_physical(eptrta, request.gpa)) {
      mapping = stage2_mapping(*stored);
      const bool clean_write = request.access.write && !mapping.dirty;
      if (!clean_write && stage2_permits(mapping.rights, request.access, request.user_address)) {
        return std::nullopt;
      }
    }
    std::optional<WalkFault> fault = walk_stage2(context, request, port, mapping);
    if (!fault) {
      store.insert_guest_physical(eptrta, request.gpa,
                                  guest_physical_translation(request.gpa, mapping));
    }
    return fault;
  }
};

WalkResult walk_with_store(TranslationStore& store, EntryPort& port, const AddressSpace& space,
                           Lin linear, Access access) {
  const PagingContext& context = space.context;
  if (!context.ept.enabled) return walk(context, linear, access, port);
  StoredEpt stored{store, context.ept, space.tag.eptrta, port};
  NestedResolver<StoredEpt> resolver(context.ept, stored, linear, access);
  return walk_linear(context, linear, access, resolver, port);
}

void drop_after(TranslationStore& store, const Tag& tag, const WalkFault& fault) {
  if (fault.stage == Stage::kStage1) {
    store.on_page_fault(tag, fault.linear);
  } else if (fault.reason == FaultReason::kEptViolation) {
    const std::optional<Lin> linear =
        fault.is_table_ref ? std::nullopt : std::optional<Lin>(fault.linear);
    store.on_ept_violation(tag, fault.gpa, linear);
  }
}

}  // namespace

WalkResult translate(TranslationStore& store, EntryPort& port, const AddressSpace& space,
                     Lin linear, Access access) {
  const bool paged = space.context.mode != PagingMode::kNone;
  if (paged) {
    const Translation* stored = store.lookup(space.tag, linear);
    if (stored && usable(space.context, *stored, access)) return *stored;
  }
  const WalkResult result = walk_with_store(store, port, space, linear, access);
  if (!result) {
    drop_after(store, space.tag, result.fault());
  } else if (paged) {
    store.insert(space.tag, linear, result.translation());
  }
  return result;
}

}  // namespace vtsim::mmu
