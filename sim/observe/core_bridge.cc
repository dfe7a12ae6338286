#include "sim/observe/core_bridge.h"

#include <algorithm>
#include <cstring>

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

StateTracker& CoreBridge::tracker(const cpu::Core& core) {
  const std::size_t index = core.index();
  if (trackers_.size() <= index) trackers_.resize(index + 1);
  // The first record lists what differs from power-on.
  if (!trackers_[index]) trackers_[index] = std::make_unique<StateTracker>();
  return *trackers_[index];
}

void CoreBridge::finish_record(const cpu::Core& core, StateTracker& state) {
  record_.core = core.index();
  record_.instruction = core.instructions();
  record_.registers.clear();
  // What happens between instructions (VM exits, INIT, SMI) changes the mode.
  const bool integers_only = !record_.event && core.block != nullptr && core.block->integers_only &&
                             state.mode_changes == core.mode_changes();
  if (integers_only) {
    state.advance_integers(core.state, record_.registers);
  } else {
    state.advance(core.state, record_.registers);
  }
  state.mode_changes = core.mode_changes();
  log_->add(record_);
  record_.writes.clear();
}

void CoreBridge::on_retire(const cpu::Core& core, u64 rip, std::span<const u8> code) {
  if (log_ == nullptr) return;
  StateTracker& state = tracker(core);
  record_.event.reset();
  record_.cs = state.last().seg[cpu::kCs].selector;
  record_.rip = rip;
  record_.code_bits = code_bits(state.last());
  record_.length = static_cast<u8>(std::min(code.size(), CommitRecord::kMaxCode));
  std::copy_n(code.begin(), record_.length, record_.code.begin());
  finish_record(core, state);
}

void CoreBridge::on_store(const cpu::Core&, u64 lin, std::span<const u8> bytes) {
  if (log_ == nullptr) return;
  for (std::size_t done = 0; done < bytes.size();) {
    MemoryWrite write{.linear = lin + done, .value = 0};
    write.size = static_cast<u8>(std::min(bytes.size() - done, sizeof write.value));
    std::memcpy(&write.value, bytes.data() + done, write.size);
    record_.writes.push_back(write);
    done += write.size;
  }
}

void CoreBridge::on_delivered(const cpu::Core& core, const cpu::Event& event) {
  if (log_ == nullptr) return;
  record_.event = LogEvent{event.vector, event.has_error_code, event.error_code};
  record_.cs = event_cs_;
  record_.rip = event_rip_;
  record_.length = 0;
  finish_record(core, tracker(core));
}

void CoreBridge::on_event(const cpu::Core& core, const cpu::Event& event) {
  event_cs_ = core.state.seg[cpu::kCs].selector;
  event_rip_ = core.state.rip;
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
