#pragma once
// Repeating string instructions: registers, budget, and pieces of a page at a time.
// SDM 1 "String Operations", SDM 2 "REP/REPE/REPZ/REPNE/REPNZ".
//
// Each iteration costs one instruction of the core's budget; the first is the instruction itself.
// When the budget is used up the registers show what was done, and the instruction starts again.

#include "model/cpu/exec/segmentation.h"
#include "model/cpu/exec/memory.h"

namespace vtsim::cpu {

// rSI, rDI and rCX by the address size.
class StringRegisters {
 public:
  StringRegisters(const Core& core, const Op& op)
      : size_log2_(op.mem.address_size_log2()),
        source_(truncate(core.state.gpr[kRsi], size_log2_)),
        destination_(truncate(core.state.gpr[kRdi], size_log2_)),
        count_(truncate(core.state.gpr[kRcx], size_log2_)) {}

  u64 source() const { return source_; }
  u64 destination() const { return destination_; }
  u64 count() const { return count_; }

  void move_source(i64 bytes) { move(source_, bytes); }
  void move_destination(i64 bytes) { move(destination_, bytes); }
  void count_down(u64 iterations) { count_ -= iterations; }

  void write_source(Core& core) const { write(core, kRsi, source_); }
  void write_destination(Core& core) const { write(core, kRdi, destination_); }
  void write_count(Core& core) const { write(core, kRcx, count_); }

  // Elements of `size` bytes from `offset` on before the address wraps around (at least 1).
  u64 before_wrap(u64 offset, unsigned size, bool down) const {
    const u64 room = down ? offset : low_mask(8u << size_log2_) - offset;
    return room / size + (down ? 1 : 0);
  }

 private:
  void move(u64& reg, i64 bytes) const {
    reg = truncate(reg + static_cast<u64>(bytes), size_log2_);
  }
  void write(Core& core, GprName name, u64 value) const {
    switch (size_log2_) {
      case 1: set_gpr<u16>(core, gpr_offset(name), static_cast<u16>(value)); break;
      case 2: set_gpr<u32>(core, gpr_offset(name), static_cast<u32>(value)); break;
      default: set_gpr<u64>(core, gpr_offset(name), value); break;
    }
  }

  unsigned size_log2_;
  u64 source_;
  u64 destination_;
  u64 count_;
};

inline bool direction_down(const Core& core) {
  return Reg<Rflags>(core.state.rflags_other)[Rflags::DF];
}

template <class T>
inline i64 string_step(const Core& core) {
  return direction_down(core) ? -static_cast<i64>(sizeof(T)) : static_cast<i64>(sizeof(T));
}

// Elements of type T at `lin` (segment:offset) and beyond that lie on the same page and within the
// segment, so that what holds for the first one's translation and segment holds for all.
template <class T>
inline u64 elements_on_page(const Core& core, u8 segment, u64 offset, u64 lin, bool down) {
  const u64 in_page = lin & kPageOffsetMask;
  if (in_page + sizeof(T) > kPageSize) return 1;
  const u64 count = down ? in_page / sizeof(T) + 1 : (kPageSize - in_page) / sizeof(T);
  if (core.state.mode64()) return count;
  const u64 lowest = down ? offset - (count - 1) * sizeof(T) : offset;
  const bool inside = (!down || lowest <= offset) &&
                      within_limit(core.state.seg[segment], lowest,
                                   static_cast<unsigned>(count * sizeof(T)));
  return inside ? count : 1;
}

// Host pointer to readable bytes of one page if the arrays hold it; raises nothing.
inline const u8* present_read_pointer(const Core& core, u64 lin, u64 size) {
  const HostTlbEntry& entry = core.tlb->read[HostTlb::index(lin)];
  return entry.tag == ((lin + size - 1) & ~kPageOffsetMask)
             ? reinterpret_cast<const u8*>(lin + entry.addend)
             : nullptr;
}

// Runs `step(registers, limit, stop) -> iterations done` (0: raised; never more than `limit`) until
// the count is used up or `step` sets `stop`. `commit(registers)` writes pointer registers.
template <class Step, class Commit>
inline Outcome repeat(Core& core, const Op& op, Step step, Commit commit) {
  StringRegisters registers(core, op);
  const bool single_steps = Reg<Rflags>(core.state.rflags_other)[Rflags::TF];
  bool prepaid = true;  // the block paid for the first iteration
  bool stop = false;
  const auto leave = [&] {
    commit(registers);
    registers.write_count(core);
    // The engine gives back what the block paid for an instruction that did not finish.
    if (!prepaid) --core.budget;
  };
  while (registers.count() != 0 && !stop) {
    const u64 paid = prepaid ? 1 : 0;
    // SDM 3B "Data Memory and I/O Breakpoint Exception Conditions": traps come between iterations.
    const bool traps = single_steps || core.state.pending_debug != 0;
    const u64 budget = core.budget > 0 && !traps ? static_cast<u64>(core.budget) : 0;
    if (budget + paid == 0) {
      leave();
      return core.request_restart();
    }
    const u64 done = step(registers, std::min(registers.count(), budget + paid), stop);
    if (done == 0) {
      if (!prepaid) leave();  // a fault of the first iteration changes no register
      return Outcome::kFault;
    }
    registers.count_down(done);
    core.budget -= static_cast<i64>(done - paid);
    prepaid = false;
  }
  commit(registers);
  registers.write_count(core);
  return Outcome::kNext;
}

}  // namespace vtsim::cpu
