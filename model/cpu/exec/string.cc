// MOVS, STOS, LODS, SCAS, CMPS. SDM 1 "String Instructions".
//
// Op: mem.segment() is the source's segment, mem.address_size_log2() the size of rSI, rDI and rCX.

#include <algorithm>

#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/string_run.h"
#include "model/cpu/exec/two_operand.h"

namespace vtsim::cpu {

namespace {

enum class Repeat : u8 { kNo, kWhileCount, kWhileEqual, kWhileNotEqual };

// ---- copying and filling of host memory exactly as element after element would

template <class T>
void copy_elements(u8* to, const u8* from, u64 count, bool down) {
  const u64 bytes = count * sizeof(T);
  const bool feeds_itself = down ? to < from && from < to + bytes : from < to && to < from + bytes;
  if (!feeds_itself) {
    std::memmove(to, from, bytes);
    return;
  }
  for (u64 n = 0; n < count; ++n) {
    const u64 at = (down ? count - 1 - n : n) * sizeof(T);
    T value;
    std::memcpy(&value, from + at, sizeof(T));
    std::memcpy(to + at, &value, sizeof(T));
  }
}

template <class T>
void fill_elements(u8* to, T value, u64 count) {
  if constexpr (sizeof(T) == 1) {
    std::memset(to, value, count);
  } else {
    for (u64 n = 0; n < count; ++n) std::memcpy(to + n * sizeof(T), &value, sizeof(T));
  }
}

template <class T>
T element_at(const u8* low, u64 n, u64 count, bool down) {
  T value;
  std::memcpy(&value, low + (down ? count - 1 - n : n) * sizeof(T), sizeof(T));
  return value;
}

// Lowest linear address of `count` elements that begin at `lin`.
template <class T>
u64 lowest(u64 lin, u64 count, bool down) {
  return down ? lin - (count - 1) * sizeof(T) : lin;
}

// ---- one step of each instruction: up to `limit` iterations, at most the rest of a page

template <class T>
u64 move_some(Core& core, const Op& op, StringRegisters& regs, u64 limit) {
  const bool down = direction_down(core);
  const u8 segment = op.mem.segment();
  u64 from, to;
  if (!segment_to_linear(core, segment, regs.source(), sizeof(T), Intent::kRead, from)) return 0;
  if (!segment_to_linear(core, kEs, regs.destination(), sizeof(T), Intent::kWrite, to)) {
    const Event raised = core.raised;  // the source is read first
    T value;
    if (load_linear(core, op, from, value)) core.raise(raised);
    return 0;
  }
  u64 count = 1;
  if (limit > 1) {
    count = std::min({limit, elements_on_page<T>(core, segment, regs.source(), from, down),
                      elements_on_page<T>(core, kEs, regs.destination(), to, down),
                      regs.before_wrap(regs.source(), sizeof(T), down),
                      regs.before_wrap(regs.destination(), sizeof(T), down)});
  }
  const u8* source = nullptr;
  u8* destination = nullptr;
  if (count > 1) {
    source = present_read_pointer(core, lowest<T>(from, count, down), count * sizeof(T));
    destination = write_pointer(core, lowest<T>(to, count, down),
                                static_cast<unsigned>(count * sizeof(T)));
  }
  if (source != nullptr && destination != nullptr) {
    copy_elements<T>(destination, source, count, down);
  } else {
    count = 1;
    T value;
    if (!load_linear(core, op, from, value) || !store_linear(core, op, to, value)) return 0;
  }
  regs.move_source(static_cast<i64>(count) * string_step<T>(core));
  regs.move_destination(static_cast<i64>(count) * string_step<T>(core));
  return count;
}

template <class T>
u64 store_some(Core& core, const Op& op, StringRegisters& regs, u64 limit) {
  const bool down = direction_down(core);
  const T value = get_gpr<T>(core, gpr_offset(kRax));
  u64 to;
  if (!segment_to_linear(core, kEs, regs.destination(), sizeof(T), Intent::kWrite, to)) return 0;
  u64 count = 1;
  u8* destination = nullptr;
  if (limit > 1) {
    count = std::min({limit, elements_on_page<T>(core, kEs, regs.destination(), to, down),
                      regs.before_wrap(regs.destination(), sizeof(T), down)});
  }
  if (count > 1) {
    destination = write_pointer(core, lowest<T>(to, count, down),
                                static_cast<unsigned>(count * sizeof(T)));
  }
  if (destination != nullptr) {
    fill_elements(destination, value, count);
  } else {
    count = 1;
    if (!store_linear(core, op, to, value)) return 0;
  }
  regs.move_destination(static_cast<i64>(count) * string_step<T>(core));
  return count;
}

// rAX has loaded the last element only: earlier ones are overwritten.
template <class T>
u64 load_some(Core& core, const Op& op, StringRegisters& regs, T& value) {
  if (!load_at(core, op, op.mem.segment(), regs.source(), value)) return 0;
  regs.move_source(string_step<T>(core));
  return 1;
}

// What SCAS and CMPS compared last.
template <class T>
struct Compared {
  T a{};
  T b{};
  bool stops(Repeat repeat) const {
    return repeat == Repeat::kWhileEqual ? a != b : repeat == Repeat::kWhileNotEqual && a == b;
  }
};

template <class T, Repeat repeat>
u64 scan_some(Core& core, const Op& op, StringRegisters& regs, u64 limit, Compared<T>& last) {
  const bool down = direction_down(core);
  const T wanted = get_gpr<T>(core, gpr_offset(kRax));
  u64 at;
  if (!segment_to_linear(core, kEs, regs.destination(), sizeof(T), Intent::kRead, at)) return 0;
  u64 count = 1;
  const u8* host = nullptr;
  if (limit > 1) {
    count = std::min({limit, elements_on_page<T>(core, kEs, regs.destination(), at, down),
                      regs.before_wrap(regs.destination(), sizeof(T), down)});
    host = present_read_pointer(core, lowest<T>(at, count, down), count * sizeof(T));
  }
  u64 done = 1;
  if (host != nullptr) {
    last = {wanted, element_at<T>(host, 0, count, down)};
    for (; done < count && !last.stops(repeat); ++done)
      last.b = element_at<T>(host, done, count, down);
  } else {
    T value;
    if (!load_linear(core, op, at, value)) return 0;
    last = {wanted, value};
  }
  regs.move_destination(static_cast<i64>(done) * string_step<T>(core));
  return done;
}

template <class T, Repeat repeat>
u64 compare_some(Core& core, const Op& op, StringRegisters& regs, u64 limit, Compared<T>& last) {
  const bool down = direction_down(core);
  const u8 segment = op.mem.segment();
  u64 first, second;
  if (!segment_to_linear(core, segment, regs.source(), sizeof(T), Intent::kRead, first) ||
      !segment_to_linear(core, kEs, regs.destination(), sizeof(T), Intent::kRead, second))
    return 0;
  u64 count = 1;
  const u8 *a = nullptr, *b = nullptr;
  if (limit > 1) {
    count = std::min({limit, elements_on_page<T>(core, segment, regs.source(), first, down),
                      elements_on_page<T>(core, kEs, regs.destination(), second, down),
                      regs.before_wrap(regs.source(), sizeof(T), down),
                      regs.before_wrap(regs.destination(), sizeof(T), down)});
    a = present_read_pointer(core, lowest<T>(first, count, down), count * sizeof(T));
    b = present_read_pointer(core, lowest<T>(second, count, down), count * sizeof(T));
  }
  u64 done = 1;
  if (a != nullptr && b != nullptr) {
    last = {element_at<T>(a, 0, count, down), element_at<T>(b, 0, count, down)};
    for (; done < count && !last.stops(repeat); ++done)
      last = {element_at<T>(a, done, count, down), element_at<T>(b, done, count, down)};
  } else {
    Compared<T> read;
    if (!load_linear(core, op, first, read.a) || !load_linear(core, op, second, read.b)) return 0;
    last = read;
  }
  regs.move_source(static_cast<i64>(done) * string_step<T>(core));
  regs.move_destination(static_cast<i64>(done) * string_step<T>(core));
  return done;
}

// ---- the instructions

// SDM-NOTE: with 32-bit addresses in 64-bit mode and ECX = 0, Intel's processors still clear the
// upper halves of the registers that they would have written.
template <class Commit>
bool nothing_to_do(Core& core, const Op& op, Commit commit) {
  const StringRegisters regs(core, op);
  if (regs.count() != 0) return false;
  if (op.mem.address_size_log2() == 2 && core.state.mode64()) {
    commit(regs);
    regs.write_count(core);
  }
  return true;
}

template <class T, Repeat kind>
Outcome movs(Core& core, const Op& op) {
  const auto commit = [&](const StringRegisters& regs) {
    regs.write_source(core);
    regs.write_destination(core);
  };
  if constexpr (kind == Repeat::kNo) {
    StringRegisters regs(core, op);
    if (move_some<T>(core, op, regs, 1) == 0) return Outcome::kFault;
    commit(regs);
    return Outcome::kNext;
  } else {
    if (nothing_to_do(core, op, commit)) return Outcome::kNext;
    const auto step = [&](StringRegisters& regs, u64 limit, bool&) {
      return move_some<T>(core, op, regs, limit);
    };
    return repeat(core, op, step, commit);
  }
}

template <class T, Repeat kind>
Outcome stos(Core& core, const Op& op) {
  const auto commit = [&](const StringRegisters& regs) { regs.write_destination(core); };
  if constexpr (kind == Repeat::kNo) {
    StringRegisters regs(core, op);
    if (store_some<T>(core, op, regs, 1) == 0) return Outcome::kFault;
    commit(regs);
    return Outcome::kNext;
  } else {
    if (nothing_to_do(core, op, commit)) return Outcome::kNext;
    const auto step = [&](StringRegisters& regs, u64 limit, bool&) {
      return store_some<T>(core, op, regs, limit);
    };
    return repeat(core, op, step, commit);
  }
}

template <class T, Repeat kind>
Outcome lods(Core& core, const Op& op) {
  T value{};
  bool loaded = false;
  const auto commit = [&](const StringRegisters& regs) {
    regs.write_source(core);
    if (loaded) set_gpr<T>(core, gpr_offset(kRax), value);
  };
  const auto step = [&](StringRegisters& regs, u64, bool&) {
    const u64 done = load_some<T>(core, op, regs, value);
    loaded |= done != 0;
    return done;
  };
  if constexpr (kind == Repeat::kNo) {
    StringRegisters regs(core, op);
    bool stop = false;
    if (step(regs, 1, stop) == 0) return Outcome::kFault;
    commit(regs);
    return Outcome::kNext;
  } else {
    if (nothing_to_do(core, op, commit)) return Outcome::kNext;
    return repeat(core, op, step, commit);
  }
}

// SDM 2 "REP": after a fault RFLAGS is as it was before the instruction. A single-step trap between
// two iterations sees what the last one has set.
template <class T, Repeat kind, class Some, class Commit>
Outcome compare_strings(Core& core, const Op& op, Some some, Commit commit) {
  Compared<T> last;
  if constexpr (kind == Repeat::kNo) {
    StringRegisters regs(core, op);
    if (some(regs, 1, last) == 0) return Outcome::kFault;
    commit(regs);
  } else {
    if (nothing_to_do(core, op, commit)) return Outcome::kNext;
    const auto step = [&](StringRegisters& regs, u64 limit, bool& stop) {
      const u64 done = some(regs, limit, last);
      stop = done != 0 && last.stops(kind);
      return done;
    };
    const bool single_steps = Reg<Rflags>(core.state.rflags_other)[Rflags::TF];
    const Outcome outcome = repeat(core, op, step, commit);
    if (outcome == Outcome::kFault && single_steps && core.chain_end == ChainEnd::kSynchronize)
      record_flags(core.state.lazy, FlagKind::kSub, last.a, last.b);
    if (outcome != Outcome::kNext) return outcome;
  }
  record_flags(core.state.lazy, FlagKind::kSub, last.a, last.b);
  return Outcome::kNext;
}

template <class T, Repeat kind>
Outcome scas(Core& core, const Op& op) {
  return compare_strings<T, kind>(
      core, op,
      [&](StringRegisters& regs, u64 limit, Compared<T>& last) {
        return scan_some<T, kind>(core, op, regs, limit, last);
      },
      [&](const StringRegisters& regs) { regs.write_destination(core); });
}

template <class T, Repeat kind>
Outcome cmps(Core& core, const Op& op) {
  return compare_strings<T, kind>(
      core, op,
      [&](StringRegisters& regs, u64 limit, Compared<T>& last) {
        return compare_some<T, kind>(core, op, regs, limit, last);
      },
      [&](const StringRegisters& regs) {
        regs.write_source(core);
        regs.write_destination(core);
      });
}

// ---- binding

// Address size, and the segment of the operand that rSI addresses (DS or an override).
void bind_string(const Binding& binding, Op& op) {
  const Decoded& in = binding.in;
  const unsigned size = in.ins.address_width == 16 ? 1 : in.ins.address_width == 32 ? 2 : 3;
  u8 segment = kDs;
  for (unsigned n = 0; n < in.ins.operand_count; ++n) {
    if (!in.is_memory(n)) continue;
    const ZydisRegister base = in.operand[n].mem.base;
    const bool is_source = base == ZYDIS_REGISTER_SI || base == ZYDIS_REGISTER_ESI ||
                           base == ZYDIS_REGISTER_RSI;
    if (!is_source) continue;
    bind_memory(binding, n, op);
    segment = op.mem.segment();
  }
  op.mem.bits = static_cast<u8>(0x40 | size << 4 | segment);
}

// MOVS, STOS and LODS repeat with either prefix.
#define VTSIM_COUNTED(name)                                                            \
  template <class T>                                                                   \
  Handler bind_##name(const Binding& binding, Op& op) {                                \
    bind_string(binding, op);                                                          \
    return binding.in.rep() || binding.in.repne() ? &run<name<T, Repeat::kWhileCount>> \
                                                  : &run<name<T, Repeat::kNo>>;        \
  }
#define VTSIM_COMPARING(name)                                                     \
  template <class T>                                                              \
  Handler bind_##name(const Binding& binding, Op& op) {                           \
    bind_string(binding, op);                                                     \
    if (binding.in.repne()) return &run<name<T, Repeat::kWhileNotEqual>>;         \
    return binding.in.rep() ? &run<name<T, Repeat::kWhileEqual>>                  \
                            : &run<name<T, Repeat::kNo>>;                         \
  }

VTSIM_COUNTED(movs)
VTSIM_COUNTED(stos)
VTSIM_COUNTED(lods)
VTSIM_COMPARING(scas)
VTSIM_COMPARING(cmps)

#undef VTSIM_COUNTED
#undef VTSIM_COMPARING

constexpr InstructionRow counted(Mnemonic mnemonic, Binder bind) {
  return row(mnemonic, bind, FlagUse::kNone, Timing::kString);
}
// A count of zero keeps the flags.
constexpr InstructionRow comparing(Mnemonic mnemonic, Binder bind) {
  return row(mnemonic, bind, FlagUse::kReadsAndWrites, Timing::kString);
}

constexpr InstructionRow kRows[] = {
    counted(ZYDIS_MNEMONIC_MOVSB, bind_movs<u8>),
    counted(ZYDIS_MNEMONIC_MOVSW, bind_movs<u16>),
    counted(kStringMovsd, bind_movs<u32>),
    counted(ZYDIS_MNEMONIC_MOVSQ, bind_movs<u64>),
    counted(ZYDIS_MNEMONIC_STOSB, bind_stos<u8>),
    counted(ZYDIS_MNEMONIC_STOSW, bind_stos<u16>),
    counted(ZYDIS_MNEMONIC_STOSD, bind_stos<u32>),
    counted(ZYDIS_MNEMONIC_STOSQ, bind_stos<u64>),
    counted(ZYDIS_MNEMONIC_LODSB, bind_lods<u8>),
    counted(ZYDIS_MNEMONIC_LODSW, bind_lods<u16>),
    counted(ZYDIS_MNEMONIC_LODSD, bind_lods<u32>),
    counted(ZYDIS_MNEMONIC_LODSQ, bind_lods<u64>),
    comparing(ZYDIS_MNEMONIC_SCASB, bind_scas<u8>),
    comparing(ZYDIS_MNEMONIC_SCASW, bind_scas<u16>),
    comparing(ZYDIS_MNEMONIC_SCASD, bind_scas<u32>),
    comparing(ZYDIS_MNEMONIC_SCASQ, bind_scas<u64>),
    comparing(ZYDIS_MNEMONIC_CMPSB, bind_cmps<u8>),
    comparing(ZYDIS_MNEMONIC_CMPSW, bind_cmps<u16>),
    comparing(kStringCmpsd, bind_cmps<u32>),
    comparing(ZYDIS_MNEMONIC_CMPSQ, bind_cmps<u64>),
};

}  // namespace

Rows string_rows() { return kRows; }

}  // namespace vtsim::cpu
