#pragma once
// A virtual processor of the host's /dev/kvm with flat memory, set up from and read back into the same
// plain state that our core has: an outside oracle for system-mode code.
//
// The host decides what it can run: a KVM that has no virtualization hardware below it emulates, and
// says of many instructions that it cannot (Exit::kNotEmulated).

#include <memory>
#include <string>

#include "model/cpu/state/core_state.h"

struct kvm_run;
struct kvm_segment;

namespace vtsim::cpu::test {

class KvmVcpu {
 public:
  enum class Exit { kHalted, kShutdown, kNotEmulated, kOther };

  // Nothing: no usable /dev/kvm; `why_not` says so.
  static std::unique_ptr<KvmVcpu> open(u64 ram_bytes, std::string& why_not);
  ~KvmVcpu();
  KvmVcpu(const KvmVcpu&) = delete;
  KvmVcpu& operator=(const KvmVcpu&) = delete;

  u8* ram() { return ram_; }
  // General, segment, control and debug registers. False: KVM refuses the state.
  bool set(const CoreState& state);
  void get(CoreState& state);
  // To HLT or shutdown. `seconds`: kOther when it takes longer.
  Exit run();

 private:
  KvmVcpu() = default;
  bool create(u64 ram_bytes, std::string& why_not);
  bool offer_all_features();

  int kvm_ = -1, vm_ = -1, vcpu_ = -1;
  kvm_run* run_ = nullptr;
  std::size_t run_bytes_ = 0;
  u8* ram_ = nullptr;
  u64 ram_bytes_ = 0;
};

}  // namespace vtsim::cpu::test
