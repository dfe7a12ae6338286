#include <array>
#include <compare>
#include <type_traits>

// Everything here must stay away from vector registers: vtsim_arithmetic_flags_keep() has no room to
// save them.
#pragma GCC target("general-regs-only")

#include "model/cpu/flags.h"

namespace vtsim::cpu {

u64 arithmetic_flags(const LazyFlags& lazy) {
  const auto kind = static_cast<FlagKind>(lazy.kind >> 2);
  switch (lazy.kind & 3) {
    case 0: return flags_of<u8>(kind, lazy.a, lazy.b);
    case 1: return flags_of<u16>(kind, lazy.a, lazy.b);
    case 2: return flags_of<u32>(kind, lazy.a, lazy.b);
    default: return flags_of<u64>(kind, lazy.a, lazy.b);
  }
}

}  // namespace vtsim::cpu

// Called by kept_arithmetic_flags(): saves what it uses, and uses no vector registers.
#if !defined(VTSIM_LOOP_DISPATCH)
extern "C" [[gnu::no_caller_saved_registers]] vtsim::u64 vtsim_arithmetic_flags_keep(const vtsim::cpu::LazyFlags* lazy) {
  using namespace vtsim::cpu;
  const auto kind = static_cast<FlagKind>(lazy->kind >> 2);
  switch (lazy->kind & 3) {
    case 0: return flags_of<vtsim::u8>(kind, lazy->a, lazy->b);
    case 1: return flags_of<vtsim::u16>(kind, lazy->a, lazy->b);
    case 2: return flags_of<vtsim::u32>(kind, lazy->a, lazy->b);
    default: return flags_of<vtsim::u64>(kind, lazy->a, lazy->b);
  }
}
#endif
