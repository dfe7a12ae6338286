#pragma once
// What a core tells its observer, as probe events and commit records.

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/events.h"
#include "model/cpu/core.h"
#include "model/cpu/environment.h"
#include "sim/observe/commit_log.h"
#include "sim/observe/state_diff.h"

namespace vtsim::observe {

class CoreBridge final : public cpu::CoreObserver {
 public:
  // Told once for each name.
  using Unmodelled = std::function<void(std::string_view what, const cpu::Core& core)>;

  // `log`: nullptr for none; it needs Core::observe_instructions on every core. Everything must
  // outlive the bridge.
  CoreBridge(Probes& probes, CommitLog* log, Unmodelled unmodelled);

  void on_retire(const cpu::Core& core, u64 rip, std::span<const u8> code) override;
  void on_store(const cpu::Core& core, u64 lin, std::span<const u8> bytes) override;
  void on_event(const cpu::Core& core, const cpu::Event& event) override;
  void on_delivered(const cpu::Core& core, const cpu::Event& event) override;
  void on_marker(cpu::Core& core, u32 code, u64 rax, u64 rdx) override;
  void on_unmodelled(const cpu::Core& core, std::string_view what) override;

 private:
  StateTracker& tracker(const cpu::Core& core);
  void finish_record(const cpu::Core& core, StateTracker& state);

  Probes& probes_;
  CommitLog* log_;
  Unmodelled unmodelled_;
  std::set<std::string, std::less<>> told_;
  std::vector<std::unique_ptr<StateTracker>> trackers_;  // by core
  CommitRecord record_;  // reused; its writes are those since the last one
  u16 event_cs_ = 0;     // where the event being delivered found the core
  u64 event_rip_ = 0;
};

}  // namespace vtsim::observe
