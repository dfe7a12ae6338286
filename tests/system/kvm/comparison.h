#pragma once
// The same code from the same state on the host's KVM and on our core, until both halt.

#include <string>

#include "tests/cpu/bare_machine.h"
#include "tests/system/kvm/vcpu.h"

namespace vtsim::cpu::test {

struct ComparisonCase {
  std::string name;
  CoreState state;
  const std::vector<u8>* ram = nullptr;  // from address 0
  u64 ud_handler = 0, db_handler = 0;    // linear addresses of the handlers' HLT
  u64 undefined_flags = 0;               // of RFLAGS, where the instruction completes
};

class Comparison {
 public:
  static constexpr u64 kRam = 0x120000;

  // Says why there is nothing to compare with, if so.
  Comparison() : machine_(kRam), vcpu_(KvmVcpu::open(kRam, why_not_)) {}
  bool available() const { return vcpu_ != nullptr; }
  const std::string& why_not() const { return why_not_; }

  BareMachine& machine() { return machine_; }
  // All memory, on both sides.
  void fill(u8 byte) {
    std::memset(machine_.ram(0), byte, kRam);
    std::memset(vcpu_->ram(), byte, kRam);
  }
  // Empty: the same, or the host could not run it (then it is counted). `ram` covers all that the
  // code can write.
  std::string differences(const ComparisonCase& one);

  unsigned compared() const { return compared_; }
  unsigned not_emulated() const { return not_emulated_; }

 private:
  void run_ours(const ComparisonCase& one);
  std::string compare(const ComparisonCase& one, KvmVcpu::Exit exit);

  std::string why_not_;
  BareMachine machine_;
  std::unique_ptr<KvmVcpu> vcpu_;
  CoreState theirs_;
  unsigned compared_ = 0, not_emulated_ = 0;
};

}  // namespace vtsim::cpu::test
