#pragma once
// Nesting by composition: the resolver that sends every guest-physical address of a stage-1 walk
// through a second stage, and the walk of linear addresses over any resolver.
//
// A `Stage2` is what turns a Stage2Request into a Stage2Mapping: the EPT walk itself (EptWalker),
// or one that asks the translation store first (translate.cc).
//   std::optional<WalkFault> operator()(const Stage2Request&, Stage2Mapping&)

#include <algorithm>
#include <optional>

#include "model/base/check.h"
#include "model/mmu/ept_policy.h"
#include "model/mmu/ia32_policy.h"
#include "model/mmu/walker.h"

namespace vtsim::mmu {

std::optional<WalkFault> walk_stage2(const EptContext& context, const Stage2Request& request,
                                     EntryPort& port, Stage2Mapping& mapping);

struct EptWalker {
  const EptContext& context;
  EntryPort& port;

  std::optional<WalkFault> operator()(const Stage2Request& request, Stage2Mapping& mapping) {
    return walk_stage2(context, request, port, mapping);
  }
};

constexpr Stage2Access stage2_access(AccessKind kind) {
  return {.read = kind == AccessKind::kRead,
          .write = kind == AccessKind::kWrite,
          .fetch = kind == AccessKind::kFetch};
}

// A guest-physical mapping in the form that the store keeps, and back.
constexpr Translation guest_physical_translation(Gpa gpa, const Stage2Mapping& mapping) {
  Translation translation;
  translation.frame = mapping.frame;
  translation.guest_frame = Gpa(align_down(gpa.value, u64{1} << mapping.page_shift));
  translation.page_shift = mapping.page_shift;
  translation.ept_memory_type = mapping.memory_type;
  translation.ept_ignore_pat = mapping.ignore_pat;
  translation.dirty = mapping.dirty;
  translation.stage2 = mapping.rights;
  return translation;
}
constexpr Stage2Mapping stage2_mapping(const Translation& translation) {
  return {.frame = translation.frame,
          .page_shift = translation.page_shift,
          .memory_type = translation.ept_memory_type,
          .ignore_pat = translation.ept_ignore_pat,
          .dirty = translation.dirty,
          .rights = translation.stage2};
}

template <class Stage2>
class NestedResolver {
 public:
  NestedResolver(const EptContext& context, Stage2& stage2, Lin linear, Access access)
      : context_(context), stage2_(stage2), linear_(linear), access_(access) {}

  // SDM 3C "Accessed and Dirty Flags for EPT": when they are enabled, accesses to guest
  // paging-structure entries are writes.
  bool entry(Gpa gpa, unsigned, Hpa& hpa) {
    request_ = {.gpa = gpa, .access = {.read = true, .write = context_.accessed_dirty}};
    fault_ = stage2_(request_, mapping_);
    if (fault_) return note_table_fault();
    hpa = mapping_.at(gpa);
    return true;
  }

  // Setting an A or D flag in the entry resolved last is a read and a write of its page.
  bool entry_update() {
    if (mapping_.rights.write) return true;
    request_.access.write = true;
    fault_ = stage2_(request_, mapping_);
    return fault_ ? note_table_fault() : true;
  }

  WalkFault fault() const { return *fault_; }

  // Sends the final page of stage 1 through stage 2 and joins the two in `translation`.
  std::optional<WalkFault> finish(Translation& translation) {
    const u64 offset = linear_.value & (translation.page_bytes() - 1);
    request_ = {.gpa = translation.guest_frame + offset,
                .access = stage2_access(access_.kind),
                .user_address = translation.rights.user};
    if (std::optional<WalkFault> fault = stage2_(request_, mapping_)) {
      note(*fault);
      fault->rights_seen = translation.rights;
      return fault;
    }
    join(translation, request_.gpa);
    return std::nullopt;
  }

 private:
  void join(Translation& translation, Gpa gpa) const {
    translation.page_shift = std::min(translation.page_shift, mapping_.page_shift);
    const u64 bytes = translation.page_bytes();
    translation.guest_frame = Gpa(align_down(gpa.value, bytes));
    translation.frame = Hpa(align_down(mapping_.at(gpa).value, bytes));
    translation.stage2 = mapping_.rights;
    translation.ept_memory_type = mapping_.memory_type;
    translation.ept_ignore_pat = mapping_.ignore_pat;
    translation.dirty = translation.dirty && mapping_.dirty;
  }

  void note(WalkFault& fault) const {
    fault.linear = linear_;
    fault.access = access_;
    fault.linear_valid = true;
  }
  bool note_table_fault() {
    note(*fault_);
    fault_->is_table_ref = true;
    return false;
  }

  const EptContext& context_;
  Stage2& stage2_;
  Lin linear_;
  Access access_;
  Stage2Request request_;
  Stage2Mapping mapping_;
  std::optional<WalkFault> fault_;
};

// Stage 1 in one shape, then the final page.
template <const Shape& shape, class Resolver>
WalkResult walk_shape(const Ia32Policy<shape>& policy, const WalkStart& start, Resolver& resolver,
                      EntryPort& port) {
  WalkEnd end;
  WalkLoop<Ia32Policy<shape>, Resolver> loop(policy, resolver, port);
  if (const std::optional<WalkFault> fault = loop.run(start, end)) return *fault;
  Translation translation = policy.translation(end);
  if (const std::optional<WalkFault> fault = resolver.finish(translation)) return *fault;
  return translation;
}

// CR0.PG = 0: the linear address is the (guest-)physical one; there is nothing to set dirty.
template <class Resolver>
WalkResult walk_unpaged(Lin linear, Resolver& resolver) {
  Translation translation;
  translation.guest_frame = Gpa(linear.page().value);
  translation.frame = Hpa(linear.page().value);
  translation.dirty = true;
  if (const std::optional<WalkFault> fault = resolver.finish(translation)) return *fault;
  return translation;
}

// SDM 3A "PAE Paging": the PDPTE registers were checked when they were loaded; one that is not
// present ends the walk before any reference to memory.
template <class Resolver>
WalkResult walk_pae(const PagingContext& context, Lin linear, Access access, Resolver& resolver,
                    EntryPort& port) {
  const Ia32Policy<kShapePae> policy(context, linear, access);
  const u64 pdpte = context.pdptes[kPaePdpteIndex.get(linear.value)];
  if (!bit(pdpte, Ia32Entry::P.position)) {
    WalkFault fault = policy.fault(FaultReason::kNotPresent, pdpte, Combined{});
    fault.level = kPaePdpteLevel;
    fault.entry = pdpte;
    return fault;
  }
  const WalkStart start{.table = pdpte & kShapePae.table_field().mask(), .input = linear.value};
  return walk_shape<kShapePae>(policy, start, resolver, port);
}

template <class Resolver>
WalkResult walk_linear(const PagingContext& context, Lin linear, Access access, Resolver& resolver,
                       EntryPort& port) {
  const auto from_cr3 = [&]<const Shape & shape>(const Ia32Policy<shape>& policy) {
    const WalkStart start{.table = context.cr3 & shape.table_field().mask(), .input = linear.value};
    return walk_shape<shape>(policy, start, resolver, port);
  };
  switch (context.mode) {
    case PagingMode::kNone:
      return walk_unpaged(linear, resolver);
    case PagingMode::k32Bit:
      return from_cr3(Ia32Policy<kShape32Bit>(context, linear, access));
    case PagingMode::kPae:
      return walk_pae(context, linear, access, resolver, port);
    case PagingMode::k4Level:
      return from_cr3(Ia32Policy<kShape4Level>(context, linear, access));
    case PagingMode::k5Level:
      return from_cr3(Ia32Policy<kShape5Level>(context, linear, access));
  }
  SIM_CHECK(false, "paging mode");
  return WalkFault{};
}

}  // namespace vtsim::mmu
