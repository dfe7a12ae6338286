// Interrupts through tables of far pointers: real mode, and INT n of virtual-8086 tasks that handle
// it themselves. SDM 3B "8086 Emulation > Interrupt and Exception Handling", "Class 3 - Software
// Interrupt Handling in Virtual-8086 Mode".

#include "model/cpu/exec/far_transfer.h"
#include "model/cpu/flags.h"
#include "model/cpu/interrupts.h"

namespace vtsim::cpu {

namespace {

constexpr Field kPointerOffset{15, 0}, kPointerSegment{31, 16};

bool push_real_frame(Core& core, FarStack& stack, u64 flags, const Event& event) {
  return stack.push(flags, 2) && stack.push(core.state.seg[kCs].selector, 2) &&
         stack.push(saved_rip(core, event), 2) && stack.check_pushes();
}

}  // namespace

bool deliver_in_real_mode(Core& core, const Event& event) {
  CoreState& state = core.state;
  const u64 offset = u64{event.vector} * 4;
  if (offset + 3 > state.idtr.limit)
    return fail(core, kGp, u32{event.vector} * 8 + 2 + ext_bit(event));
  u32 pointer = 0;
  if (!core.read_system(nullptr, table_linear(core, state.idtr.base, offset), &pointer, 4))
    return false;
  FarStack stack = FarStack::current(core);
  if (!push_real_frame(core, stack, saved_rflags(core, event), event)) return false;
  stack.commit();
  const u16 selector = static_cast<u16>(kPointerSegment.get(pointer));
  state.seg[kCs] = real_mode_segment(state.seg[kCs], selector);
  state.rip = kPointerOffset.get(pointer);
  state.rflags_other &=
      ~(Rflags::IF.mask() | Rflags::TF.mask() | Rflags::AC.mask() | Rflags::RF.mask());
  return true;
}

bool read_redirection(Core& core, u8 vector, bool& redirected) {
  constexpr unsigned kIoMapBaseOffset = 102, kBitmapBytes = 32;
  const SegmentRegister& tr = core.state.seg[kTr];
  u16 io_map = 0;
  if (!tr.usable() || !tss_is_32bit(tr) || kIoMapBaseOffset + 1 > tr.limit)
    return fail(core, kGp, 0);
  if (!read_tss(core, kIoMapBaseOffset, io_map)) return false;
  const unsigned at = io_map - kBitmapBytes + vector / 8u;
  u8 map = 0;
  if (io_map < kBitmapBytes || at > tr.limit) return fail(core, kGp, 0);
  if (!read_tss(core, at, map)) return false;
  redirected = !bit(map, vector % 8);
  return true;
}

// SDM 3B "Method 5/6: Software Interrupt Handling": the 8086 program's own handler, at CPL 3.
bool deliver_redirected(Core& core, const Event& event) {
  CoreState& state = core.state;
  u32 pointer = 0;
  if (!core.read_as(3, u64{event.vector} * 4, &pointer, 4)) return false;
  Reg<Rflags> flags(state.rflags_other);
  Reg<Rflags> image(saved_rflags(core, event));
  const bool has_iopl = flags[Rflags::IOPL] == 3;
  if (!has_iopl) {
    image.set(Rflags::IOPL, 3);
    image.set(Rflags::IF, image[Rflags::VIF]);
  }
  FarStack stack = FarStack::current(core);
  if (!push_real_frame(core, stack, image.value, event)) return false;
  stack.commit();
  state.seg[kCs] = v8086_segment(static_cast<u16>(kPointerSegment.get(pointer)));
  state.rip = kPointerOffset.get(pointer);
  flags.set(has_iopl ? Rflags::IF : Rflags::VIF, 0);
  flags.set(Rflags::TF, 0);
  state.rflags_other = flags.with(Rflags::RF, 0).value;
  return true;
}

}  // namespace vtsim::cpu
