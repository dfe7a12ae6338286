#pragma once
// Fails each memory reference of an instruction in turn, and checks what the manual promises:
// SDM 3A "Interrupt and Exception Handling > Program or Task Restart": a fault leaves the state as it
// was before the instruction (repeated string instructions: before the iteration), so that it can be
// restarted, and the restarted instruction does what one that met no fault does.

#include <functional>
#include <string>

#include "tests/system/paged_bench.h"

namespace vtsim::cpu::test {

struct FaultCase {
  std::string name;
  CoreState state;          // RIP at the instruction, or at code that leads to it (kInBlock)
  std::vector<u8> ram;
  RunKind run = RunKind::kStepped;
  u64 rip = 0;              // of the instruction
  u64 length = 0;           // its bytes: fetches from elsewhere are another instruction's
  // A page that is looked at after the instruction's point of no return, where this RIP is loaded
  // already: a fault there is the new task's, and nobody restarts.
  u64 later_page = ~u64{0};
  u64 later_rip = 0;
  bool makes_progress = false;  // repeats: iterations that are done stay done
  // What is known of one operand, independently of the core: 0 bytes: nothing.
  u64 operand_lin = 0;
  unsigned operand_bytes = 0;
  bool operand_is_written = false;
  bool operand_is_one_access = false;
};

struct FaultReport {
  bool succeeded = false;  // the instruction itself, with nothing missing
  unsigned faults = 0;     // references that were failed
  std::string error;    // empty: all is well
};

class FaultChecker {
 public:
  explicit FaultChecker(PagedBench& bench) : bench_(bench) {}
  FaultReport check(const FaultCase& one);

 private:
  void fail(const Reference& reference, Missing what);
  void check_event(const Reference& reference, Missing what);
  void check_operand(const Reference& reference, Missing what);
  void check_unchanged(const Reference& reference, Missing what);
  void complain(const Reference& reference, Missing what, const std::string& text);

  PagedBench& bench_;
  const FaultCase* one_ = nullptr;
  FaultReport report_;
  // Large, so kept from one case to the next.
  RunEnd unfaulted_, faulted_, restarted_;
  std::vector<u8> before_;
};

}  // namespace vtsim::cpu::test
