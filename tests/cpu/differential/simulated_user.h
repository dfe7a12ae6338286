#pragma once
// The model's side of a case: CPL 3 in IA-32e mode under a small kernel whose exception handlers
// halt, with the host kernel's GDT as far as user mode sees it, and the same LDT.

#include "tests/cpu/bare_machine.h"
#include "tests/cpu/differential/user_segments.h"

namespace vtsim::cpu::test {

class SimulatedUser : public BareMachine {
 public:
  SimulatedUser();

  // `image` is the memory before and after.
  UserResult run(const UserCase& c, ArenaImage& image);

  // A vector that no handler halted with: what run() did not finish.
  static constexpr unsigned kUnfinished = 999;

 private:
  void map_pages();
  void write_tables();
  void load(const UserCase& c);
  void load_segment(SegmentName name, u16 selector);
  UserResult result();
  u64 physical(u64 arena_address) const;

  template <class T>
  void write(u64 address, T value) {
    put(address, &value, sizeof value);
  }
};

}  // namespace vtsim::cpu::test
