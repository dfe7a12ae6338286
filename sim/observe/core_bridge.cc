#include "sim/observe/core_bridge.h"

#include <algorithm>

#include "sim/observe/state_diff.h"

namespace vtsim::observe {
namespace {

Stamp stamp_of(const cpu::Core& core) {
  return {core.index(), core.time_of_cycle(core.cycle()), core.instructions()};
}

u8 code_bits(const cpu::CoreState& state) {
  if (state.mode64()) return 64;
  return state.seg[cpu::kCs].rights[cpu::SegmentRights::DB] ? 32 : 16;
}

}  // namespace

CoreBridge::CoreBridge(Probes& probes, CommitLog* log, Unmodelled unmodelled)
    : probes_(probes), log_(log), unmodelled_(std::move(unmodelled)) {}

cpu::CoreState& CoreBridge::last_state(const cpu::Core& core) {
  const std::size_t index = core.index();
  if (last_.size() <= index) last_.resize(index + 1);
  // The first record lists what differs from power-on.
  if (!last_[index]) last_[index] = std::make_unique<cpu::CoreState>();
  return *last_[index];
}

void CoreBridge::on_retire(const cpu::Core& core, u64 rip, std::span<const u8> code) {
  if (log_ == nullptr) return;
  cpu::CoreState& last = last_state(core);
  record_.core = core.index();
  record_.instruction = core.instructions();
  record_.cs = last.seg[cpu::kCs].selector;
  record_.rip = rip;
  record_.code_bits = code_bits(last);
  record_.length = static_cast<u8>(std::min(code.size(), CommitRecord::kMaxCode));
  record_.code.fill(0);
  std::copy_n(code.begin(), record_.length, record_.code.begin());
  record_.registers.clear();
  append_changes(last, core.state, record_.registers);
  log_->add(record_);
  copy_state(core.state, last);
}

void CoreBridge::on_event(const cpu::Core& core, const cpu::Event& event) {
  const bool is_exception = event.type == cpu::EventType::kHardwareException ||
                            event.type == cpu::EventType::kSoftwareException ||
                            event.type == cpu::EventType::kPrivilegedSoftwareException;
  if (is_exception && probes_.exception) {
    probes_.exception.emit({.stamp = stamp_of(core),
                            .vector = event.vector,
                            .has_error_code = event.has_error_code,
                            .error_code = event.error_code,
                            .cs = core.state.seg[cpu::kCs].selector,
                            .rip = core.state.rip,
                            .cr2 = event.vector == cpu::kPf ? event.cr2 : 0});
  }
  if (is_exception || !probes_.interrupt) return;
  const std::string_view source = event.type == cpu::EventType::kExternalInterrupt ? "external"
                                  : event.type == cpu::EventType::kNonMaskableInterrupt
                                      ? "nmi"
                                      : "software";
  probes_.interrupt.emit(
      {.stamp = stamp_of(core), .vector = event.vector, .source = source, .rip = core.state.rip});
}

void CoreBridge::on_marker(cpu::Core& core, u32 code, u64 rax, u64 rdx) {
  if (probes_.marker) {
    probes_.marker.emit({.stamp = stamp_of(core), .code = code, .rax = rax, .rdx = rdx});
  }
}

void CoreBridge::on_unmodelled(const cpu::Core& core, std::string_view what) {
  if (!told_.emplace(what).second || !unmodelled_) return;
  unmodelled_(what, core);
}

}  // namespace vtsim::observe
