#include "model/chipset/reset_control.h"

namespace vtsim::chipset {
namespace {

struct RstCnt {
  static constexpr Flag SYS_RST{1};
  static constexpr Flag RST_CPU{2};
  static constexpr Flag FULL_RST{3};
};

ResetKind kind_of(Reg<RstCnt> rst_cnt) {
  if (!rst_cnt[RstCnt::SYS_RST]) return ResetKind::kInit;
  return rst_cnt[RstCnt::FULL_RST] ? ResetKind::kPowerCycle : ResetKind::kHard;
}

}  // namespace

u8 ResetControl::read_byte(u64, Ps) { return state_.rst_cnt; }

void ResetControl::write_byte(u64, u8 value, Ps now) {
  constexpr u64 kKept = RstCnt::SYS_RST.mask() | RstCnt::FULL_RST.mask();
  state_.rst_cnt = static_cast<u8>(value & kKept);
  if (Reg<RstCnt>(value)[RstCnt::RST_CPU]) sink_(kind_of(Reg<RstCnt>(value)), now);
}

}  // namespace vtsim::chipset
