#include "model/chipset/port92.h"

namespace vtsim::chipset {
namespace {

struct Bits {
  static constexpr Flag INIT_NOW{0};
  static constexpr Flag ALT_A20_GATE{1};
};

}  // namespace

u8 Port92::read_byte(u64, Ps) { return state_.value; }

void Port92::write_byte(u64, u8 value, Ps now) {
  const bool was_set = Reg<Bits>(state_.value)[Bits::INIT_NOW];
  const Reg<Bits> written(value & (Bits::INIT_NOW.mask() | Bits::ALT_A20_GATE.mask()));
  state_.value = static_cast<u8>(written.value);
  a20_.set(written[Bits::ALT_A20_GATE], now);
  if (written[Bits::INIT_NOW] && !was_set) sink_(ResetKind::kInit, now);
}

void Port92::reset(Ps now) {
  state_ = {};
  a20_.set(false, now);
}

}  // namespace vtsim::chipset
