#include "model/chipset/debug_ports.h"

#include <string_view>

namespace vtsim::chipset {
namespace {

constexpr u8 kConsolePresent = 0xE9;
constexpr std::string_view kShutdown = "Shutdown";

}  // namespace

u64 DebugExit::read(u64, unsigned, Ps) { return 0; }

void DebugExit::write(u64, unsigned size, u64 value, Ps now) {
  sink_(static_cast<u32>(value & low_mask(8 * size)), now);
}

u8 DebugConsole::read_byte(u64, Ps) { return kConsolePresent; }

void DebugConsole::write_byte(u64, u8 value, Ps now) { sink_(value, now); }

u8 ShutdownPort::read_byte(u64, Ps) { return 0xFF; }

void ShutdownPort::write_byte(u64, u8 value, Ps now) {
  const auto matches = [&](u8 at) { return static_cast<u8>(kShutdown[at]) == value; };
  if (matches(state_.matched)) {
    ++state_.matched;
  } else {
    state_.matched = matches(0) ? 1 : 0;
  }
  if (state_.matched < kShutdown.size()) return;
  state_.matched = 0;
  sink_(now);
}

u8 PostCodePort::read_byte(u64, Ps) { return state_.code; }

void PostCodePort::write_byte(u64, u8 value, Ps) { state_.code = value; }

}  // namespace vtsim::chipset
