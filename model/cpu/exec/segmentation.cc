#include "model/cpu/exec/segmentation.h"

#include "model/cpu/environment.h"
#include "model/cpu/exec/memory.h"

namespace vtsim::cpu {

namespace {

bool is_protected(const Core& core) {
  return !core.state.real_mode() && !core.state.v8086_mode();
}

// SDM 3A "Type Checking": what an access needs of a usable code or data segment.
bool type_allows(const SegmentRegister& segment, Intent intent) {
  return intent == Intent::kWrite ? segment.is_writable() : segment.is_readable();
}

bool segment_fault(Core& core, u8 segment) {
  return fail(core, segment == kSs ? kSs_ : kGp, 0);
}

constexpr Reg<SegmentRights> present_data(unsigned dpl) {
  return Reg<SegmentRights>()
      .with(SegmentRights::ACCESSED, 1)
      .with(SegmentRights::WRITABLE, 1)
      .with(SegmentRights::S, 1)
      .with(SegmentRights::DPL, dpl)
      .with(SegmentRights::P, 1);
}

inline constexpr Flag kDescriptorAccessed{40};

// SDM 2 "MOV - Move", for SS.
bool load_stack_segment(Core& core, Selector selector) {
  const unsigned cpl = core.state.cpl;
  if (selector.is_null()) {
    if (!core.state.mode64() || cpl == 3 || selector.rpl() != cpl) return fail(core, kGp, 0);
    SegmentRegister null = null_segment(selector.value);
    null.rights.set(SegmentRights::DPL, cpl);
    core.state.seg[kSs] = null;
    return true;
  }
  LocatedDescriptor located;
  if (!check_stack_segment(core, selector, cpl, {kGp, 0}, located)) return false;
  if (!mark_accessed(core, located)) return false;
  core.state.seg[kSs] = segment_from(selector, located.descriptor);
  return true;
}

// SDM 2 "MOV - Move", for DS, ES, FS and GS.
bool load_data_segment(Core& core, SegmentName name, Selector selector) {
  if (selector.is_null()) {
    core.state.seg[name] = null_segment(selector.value);
    return true;
  }
  LocatedDescriptor located;
  if (!read_descriptor(core, selector, {kGp, 0}, located)) return false;
  const SegmentRegister segment = segment_from(selector, located.descriptor);
  if (!segment.rights[SegmentRights::S] || !segment.is_readable())
    return fail(core, kGp, selector.error());
  const bool conforming = segment.is_code() && located.descriptor.is_conforming();
  if (!conforming && (selector.rpl() > segment.dpl() || core.state.cpl > segment.dpl()))
    return fail(core, kGp, selector.error());
  if (!segment.rights[SegmentRights::P]) return fail(core, kNp, selector.error());
  if (!mark_accessed(core, located)) return false;
  core.state.seg[name] = segment_from(selector, located.descriptor);
  return true;
}

}  // namespace

bool is_canonical_anywhere(const Core& core, u64 lin) {
  return vtsim::is_canonical(lin, core.environment().shared.offered[Feature::kLa57] ? 57 : 48);
}

bool within_limit(const SegmentRegister& segment, u64 offset, unsigned size) {
  const u64 last = offset + size - 1;
  if (!segment.is_expand_down()) return last <= segment.limit;
  const u64 top = segment.rights[SegmentRights::DB] ? low_mask(32) : low_mask(16);
  return offset > segment.limit && last <= top;
}

bool segment_to_linear(Core& core, u8 segment, u64 offset, unsigned size, Intent intent, u64& lin) {
  const CoreState& state = core.state;
  if (state.mode64()) {
    lin = segment == kFs || segment == kGs ? state.seg[segment].base + offset : offset;
    if (is_canonical(core, lin) && is_canonical(core, lin + size - 1)) [[likely]]
      return true;
    return segment_fault(core, segment);
  }
  const SegmentRegister& seg = state.seg[segment];
  lin = (seg.base + offset) & low_mask(32);
  if (is_protected(core)) {
    if (!seg.usable() || !type_allows(seg, intent)) return segment_fault(core, segment);
    if (!within_limit(seg, offset, size)) [[unlikely]]
      return segment_fault(core, segment);
    return true;
  }
  // Real mode knows no types; limits larger than 64 KBytes stay from protected mode.
  if (offset + size - 1 > seg.limit) [[unlikely]]
    return segment_fault(core, segment);
  return true;
}

Lookup find_descriptor(Core& core, Selector selector, LocatedDescriptor& out) {
  const CoreState& state = core.state;
  u64 base = state.gdtr.base;
  u32 limit = state.gdtr.limit;
  if (selector.in_ldt()) {
    if (!state.seg[kLdtr].usable()) return Lookup::kOutside;
    base = state.seg[kLdtr].base;
    limit = state.seg[kLdtr].limit;
  }
  if (selector.offset() + u32{7} > limit) return Lookup::kOutside;
  out.lin = table_linear(core, base, selector.offset());
  return read_implicit(core, out.lin, out.descriptor.raw) ? Lookup::kFound : Lookup::kFault;
}

bool read_descriptor(Core& core, Selector selector, Blame blame, LocatedDescriptor& out) {
  switch (find_descriptor(core, selector, out)) {
    case Lookup::kFound: return true;
    case Lookup::kFault: return false;
    case Lookup::kOutside: break;
  }
  return fail(core, blame.vector, selector.error(blame.ext));
}

bool read_upper_half(Core& core, Selector selector, Blame blame, const LocatedDescriptor& low,
                     u64& out) {
  const SegmentRegister& ldtr = core.state.seg[kLdtr];
  const u32 limit = selector.in_ldt() ? ldtr.limit : core.state.gdtr.limit;
  if (selector.offset() + u32{15} > limit)
    return fail(core, blame.vector, selector.error(blame.ext));
  return read_implicit(core, low.lin + 8, out);
}

bool may_mark_accessed(Core& core, const LocatedDescriptor& located) {
  return Reg<Descriptor>(located.descriptor.raw)[kDescriptorAccessed] ||
         may_write_implicit(core, located.lin + 5, 1);
}

bool mark_accessed(Core& core, LocatedDescriptor& located) {
  Reg<Descriptor> raw(located.descriptor.raw);
  if (raw[kDescriptorAccessed]) return true;
  raw.set(kDescriptorAccessed, 1);
  const u8 access_byte = static_cast<u8>(bits(raw.value, 47, 40));
  if (!write_implicit(core, located.lin + 5, access_byte)) return false;
  located.descriptor.raw = raw.value;
  return true;
}

SegmentRegister segment_from(Selector selector, const Descriptor& descriptor) {
  return {.selector = selector.value,
          .rights = descriptor.rights(),
          .limit = descriptor.limit(),
          .base = descriptor.base()};
}

SegmentRegister null_segment(u16 selector) {
  return {.selector = selector,
          .rights = Reg<SegmentRights>(SegmentRights::UNUSABLE.mask()),
          .limit = 0,
          .base = 0};
}

SegmentRegister real_mode_segment(const SegmentRegister& old, u16 selector) {
  SegmentRegister segment = old;
  if (!old.usable()) {
    segment.rights = present_data(0);
    segment.limit = 0xFFFF;
  }
  segment.selector = selector;
  segment.base = u64{selector} * 16;
  return segment;
}

SegmentRegister v8086_segment(u16 selector) {
  return {.selector = selector, .rights = present_data(3), .limit = 0xFFFF,
          .base = u64{selector} * 16};
}

bool check_stack_segment(Core& core, Selector selector, unsigned cpl, Blame blame,
                         LocatedDescriptor& out) {
  if (!read_descriptor(core, selector, blame, out)) return false;
  const SegmentRegister segment = segment_from(selector, out.descriptor);
  if (selector.rpl() != cpl || !segment.rights[SegmentRights::S] || !segment.is_writable() ||
      segment.dpl() != cpl)
    return fail(core, blame.vector, selector.error(blame.ext));
  if (!segment.rights[SegmentRights::P]) return fail(core, kSs_, selector.error(blame.ext));
  return true;
}

bool load_segment(Core& core, SegmentName name, u16 value) {
  CoreState& state = core.state;
  if (state.real_mode()) {
    state.seg[name] = real_mode_segment(state.seg[name], value);
    return true;
  }
  if (state.v8086_mode()) {
    state.seg[name] = v8086_segment(value);
    return true;
  }
  return name == kSs ? load_stack_segment(core, {value}) : load_data_segment(core, name, {value});
}

void drop_privileged_segments(Core& core) {
  for (const SegmentName name : {kEs, kFs, kGs, kDs}) {
    SegmentRegister& segment = core.state.seg[name];
    const bool conforming = segment.is_code() && segment.rights[SegmentRights::CONFORMING];
    const bool stays = segment.usable() ? conforming || segment.dpl() >= core.state.cpl
                                        : !Selector{segment.selector}.is_null();
    if (stays) continue;
    // SDM-NOTE: the base stays, as 64-bit code has its thread's data behind FS and GS; selectors that
    // are null become 0.
    segment.selector = 0;
    segment.rights.set(SegmentRights::UNUSABLE, 1);
  }
}

}  // namespace vtsim::cpu
