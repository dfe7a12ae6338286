#include "model/cpu/exec/far_transfer.h"
#include "model/base/check.h"
#include "model/cpu/exec/memory.h"

namespace vtsim::cpu {

FarStack FarStack::current(Core& core, u32 error) {
  const CoreState& state = core.state;
  const StackWidth width = state.mode64() ? StackWidth::k64 : stack_width(state.seg[kSs]);
  return {core, state.seg[kSs], state.gpr[kRsp], width, state.cpl, error};
}

bool FarStack::linear(u64 offset, unsigned size, u64& lin) {
  if (width_ == StackWidth::k64) {
    lin = offset;
    if (is_canonical(core_, lin) && is_canonical(core_, lin + size - 1)) return true;
  } else {
    lin = (ss_.base + offset) & low_mask(32);
    if (within_limit(ss_, offset, size)) return true;
  }
  return fail(core_, kSs_, error_);
}

bool FarStack::push(u64 value, unsigned size) {
  const u64 top = truncated(pointer_ - size);
  u64 lin;
  if (!linear(top, size, lin)) return false;
  push_[pushes_++] = {lin, value, size};
  pointer_ = top;
  return true;
}

bool FarStack::check_pushes() {
  for (unsigned n = 0; n < pushes_; ++n) {
    const Push& one = push_[n];
    const bool known =
        cpl_ == core_.state.cpl && write_pointer(core_, one.lin, one.size) != nullptr;
    if (!known && !core_.write_as(cpl_, one.lin, nullptr, one.size)) return false;
  }
  return true;
}

bool FarStack::peek(u64 above_top, u64& value, unsigned size) {
  u64 lin;
  if (!linear(truncated(pointer_ + above_top), size, lin)) return false;
  value = 0;
  return core_.read_as(cpl_, lin, &value, size);
}

void FarStack::commit() {
  for (unsigned n = 0; n < pushes_; ++n) {
    const bool written = core_.write_as(cpl_, push_[n].lin, &push_[n].value, push_[n].size);
    SIM_CHECK(written, "a push that was checked fails");
  }
  pushes_ = 0;
  u64& rsp = core_.state.gpr[kRsp];
  rsp = Field{(8u << static_cast<u8>(width_)) - 1, 0}.put(rsp, pointer_);
}

bool check_writes(Core& core, FarStack& stack,
                  std::initializer_list<const LocatedDescriptor*> segments) {
  if (!stack.check_pushes()) return false;
  for (const LocatedDescriptor* segment : segments)
    if (!may_mark_accessed(core, *segment)) return false;
  return true;
}

bool check_target_rip(Core& core, const SegmentRegister& cs, u64 rip, u32 ext) {
  const bool code64 = core.state.long_mode() && cs.rights[SegmentRights::L];
  if (code64 ? is_canonical(core, rip) : rip <= cs.limit) return true;
  return fail(core, kGp, ext);
}

u64 code_rip(const Core& core, const SegmentRegister& cs, u64 rip) {
  return core.state.long_mode() && cs.rights[SegmentRights::L] ? rip : rip & low_mask(32);
}

bool commit_code(Core& core, CodeTarget& target, u64 rip) {
  if (!mark_accessed(core, target.located)) return false;
  target.cs.rights.set(SegmentRights::TYPE,
                       target.cs.rights[SegmentRights::TYPE] | SegmentRights::ACCESSED.mask());
  core.state.seg[kCs] = target.cs;
  core.state.cpl = static_cast<u8>(target.cs.rpl());
  core.state.rip = code_rip(core, target.cs, rip);
  return true;
}

bool read_inner_stack(Core& core, unsigned dpl, u32 ext, InnerStack& out) {
  const SegmentRegister& tr = core.state.seg[kTr];
  const bool wide = tss_is_32bit(tr);
  const unsigned offset = wide ? dpl * 8 + 4 : dpl * 4 + 2;
  const unsigned last = offset + (wide ? 5 : 3);
  if (!tr.usable() || last > tr.limit) return fail(core, kTs, Selector{tr.selector}.error(ext));
  u32 esp = 0;
  u16 sp = 0, ss = 0;
  if (wide ? !read_tss(core, offset, esp) : !read_tss(core, offset, sp)) return false;
  if (!read_tss(core, offset + (wide ? 4 : 2), ss)) return false;
  const Selector selector{ss};
  if (selector.is_null()) return fail(core, kTs, ext);
  if (!check_stack_segment(core, selector, dpl, {kTs, ext}, out.located)) return false;
  out.ss = segment_from(selector, out.located.descriptor);
  out.pointer = wide ? esp : sp;
  return true;
}

bool read_stack_pointer_64(Core& core, unsigned offset, u32 ext, u64& rsp) {
  const SegmentRegister& tr = core.state.seg[kTr];
  if (!tr.usable() || offset + 7 > tr.limit)
    return fail(core, kTs, Selector{tr.selector}.error(ext));
  if (!read_tss(core, offset, rsp)) return false;
  return is_canonical(core, rsp) || fail(core, kSs_, ext);
}

bool read_return_segment(Core& core, Selector selector, CodeTarget& target) {
  if (selector.is_null()) return fail(core, kGp, 0);
  if (!read_descriptor(core, selector, {}, target.located)) return false;
  const Descriptor& code = target.located.descriptor;
  const unsigned rpl = selector.rpl();
  const bool wrong_level = code.is_conforming() ? code.dpl() > rpl : code.dpl() != rpl;
  if (!code.is_code() || has_reserved_size(core, code) || rpl < core.state.cpl || wrong_level)
    return fail(core, kGp, selector.error());
  if (!code.present()) return fail(core, kNp, selector.error());
  target.cs = segment_from(selector, code);
  return true;
}

bool read_return_stack(Core& core, const CodeTarget& target, Selector selector,
                       ReturnStack& stack) {
  const unsigned cpl = target.cs.rpl();
  if (selector.is_null()) {
    const bool code64 = core.state.long_mode() && target.cs.rights[SegmentRights::L];
    if (!code64 || cpl == 3 || selector.rpl() != cpl) return fail(core, kGp, 0);
    stack.ss = null_segment(selector.value);
    stack.ss.rights.set(SegmentRights::DPL, cpl);
    return true;
  }
  if (!check_stack_segment(core, selector, cpl, {kGp, 0}, stack.located)) return false;
  stack.ss = segment_from(selector, stack.located.descriptor);
  return true;
}

bool commit_return(Core& core, CodeTarget& target, ReturnStack& stack, u64 rip) {
  const bool has_descriptor = stack.ss.usable();
  if (has_descriptor && (!may_mark_accessed(core, stack.located) ||
                         !may_mark_accessed(core, target.located) ||
                         !mark_accessed(core, stack.located)))
    return false;
  if (!commit_code(core, target, rip)) return false;
  if (has_descriptor)
    stack.ss = segment_from({stack.ss.selector}, stack.located.descriptor);
  core.state.seg[kSs] = stack.ss;
  return true;
}

}  // namespace vtsim::cpu
