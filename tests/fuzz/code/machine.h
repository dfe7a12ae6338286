#pragma once
// One or two cores in a World, driven by cycles.

#include <memory>
#include <vector>

#include "model/cpu/logical_processor.h"
#include "tests/fuzz/code/world.h"

namespace vtsim::fuzz {

// How the same program is run. The results must not depend on it.
enum class Manner {
  kFree,      // blocks, as far as they go
  kSteps,     // a budget of one instruction at a time
  kRagged,    // budgets of changing size
  kObserved,  // every instruction alone, watched
};
inline constexpr Manner kManners[] = {Manner::kFree, Manner::kSteps, Manner::kRagged,
                                      Manner::kObserved};
const char* name_of(Manner manner);

class Machine {
 public:
  Machine(const cpu::CpuModel& model, unsigned cores);

  World& world() { return world_; }
  unsigned core_count() const { return static_cast<unsigned>(processors_.size()); }
  cpu::Core& core(unsigned n) { return processors_[n]->core(); }
  cpu::LogicalProcessor& processor(unsigned n) { return *processors_[n]; }
  cpu::SharedEnvironment& shared() { return shared_; }

  // Runs every core to `cycles`, in turns of `quantum`. Empty, or which promise was broken.
  std::string run(u64 cycles, u64 quantum, Manner manner);

 private:
  struct NoPic final : ExtIntSource {
    u8 interrupt_acknowledge(Ps) override { return 0x31; }
  };

  std::string advance(cpu::Core& core, u64 target, Manner manner);
  bool settle(cpu::Core& core, u64 before, u64 end);

  cpu::CpuModel model_;
  cpu::SharedEnvironment shared_;
  EventQueue events_;
  cpu::InterruptFabric fabric_;
  NoPic pic_;
  cpu::CoreObserver observer_;
  World world_;
  WorldBus bus_{world_};
  std::vector<std::unique_ptr<cpu::LogicalProcessor>> processors_;
  u64 portion_seed_ = 1;
};

}  // namespace vtsim::fuzz
