#pragma once
// What the cores of one machine share, and what one core is connected to. sim/machine builds it.

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "model/base/cpu_bus.h"
#include "model/base/events.h"
#include "model/base/event_queue.h"
#include "model/cpu/cpu_model.h"
#include "model/cpu/decode.h"
#include "model/cpu/engine/block_cache.h"
#include "model/cpu/state/core_state.h"
#include "model/vmx/capabilities.h"

namespace vtsim::cpu {

class Core;
class LocalApic;

// Events of interest to sim/observe. Called only where `careful` observation is on, or at rare
// places; the default does nothing.
class CoreObserver {
 public:
  virtual ~CoreObserver() = default;
  virtual void on_retire(const Core&, u64 /*rip*/, std::span<const u8> /*code*/) {}
  // Bytes that the running instruction, or the delivery of an event, has written.
  virtual void on_store(const Core&, u64 /*lin*/, std::span<const u8> /*bytes*/) {}
  // Before an event is delivered (always), and after it (like on_retire).
  virtual void on_event(const Core&, const Event&) {}
  virtual void on_delivered(const Core&, const Event&) {}
  virtual void on_marker(Core&, u32 /*code*/, u64 /*rax*/, u64 /*rdx*/) {}
  // Something that is not modelled, by name; said once by the receiver.
  virtual void on_unmodelled(const Core&, std::string_view /*what*/) {}
};

// One a machine.
struct SharedEnvironment {
  SharedEnvironment(const CpuModel& cpu_model, const CpuFeatures& offered_features)
      : model(cpu_model),
        offered(offered_features),
        vmx_capabilities(offered_vmx(cpu_model, offered_features)),
        decoder({.lzcnt = offered_features[Feature::kLzcnt],
                 .tzcnt = offered_features[Feature::kBmi1]}) {}

  const CpuModel& model;
  CpuFeatures offered;
  vmx::Capabilities vmx_capabilities;  // all clear without VMX
  Decoder decoder;
  BlockCache blocks;
  Probes probes;
  // Blocks get host code, where this build and this host can (engine/translator.h).
#if defined(VTSIM_LOOP_DISPATCH) || !defined(__x86_64__)
  bool host_code = false;
#else
  bool host_code = true;
#endif
  std::vector<Core*> cores;  // all of the machine, for MONITOR

  // Memory is about to be written by a core's slow path or a device: decoded code there goes, and
  // monitors that watch the line trigger.
  void before_write(u64 hpa, u64 size);
};

// One a core.
class CoreEnvironment {
 public:
  SharedEnvironment& shared;
  CpuBus& bus;
  EventQueue& events;
  LocalApic& apic;
  CoreObserver& observer;
  unsigned index = 0;
  CpuTopology topology;
  Frequency frequency;      // of the core's cycles
  Frequency tsc_frequency;
  u64 seed = 1;         // of RDRAND and RDSEED
  EventQueue::Id preemption_timer = 0;  // the VMX-preemption timer's deadline
  // The core has something to do although it sleeps.
  std::function<void(Ps now)> wake = {};
};

}  // namespace vtsim::cpu
