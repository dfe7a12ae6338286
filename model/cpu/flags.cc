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

bool condition_holds(Condition cc, const LazyFlags& lazy) {
  return condition_holds(cc, arithmetic_flags(lazy));
}

}  // namespace vtsim::cpu
