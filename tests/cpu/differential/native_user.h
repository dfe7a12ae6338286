#pragma once
// The host processor as the oracle: a case begins by a hand-made sigreturn, which can set every
// register, the code segment's kind and RFLAGS.TF, and ends with the signal of an exception, whose
// frame tells the vector, the error code and every register. x86-64 Linux.

#include <memory>

#include "tests/cpu/differential/user_segments.h"

namespace vtsim::cpu::test {

class NativeUser {
 public:
  // Maps the arena, catches signals. Throws std::runtime_error if the addresses are taken.
  NativeUser();
  ~NativeUser();
  NativeUser(const NativeUser&) = delete;
  NativeUser& operator=(const NativeUser&) = delete;

  // An empty string, or why cases of this code size cannot run here.
  const std::string& obstacle(CodeSize size) const {
    return size == CodeSize::k64 ? no_64_ : size == CodeSize::k32 ? no_32_ : no_16_;
  }

  bool has_ldt() const { return has_ldt_; }

  // `image` is the memory before and after. Cases should end: those that do not are given up after
  // some seconds, as kEndless.
  UserResult run(const UserCase& c, ArenaImage& image);

  static constexpr unsigned kEndless = 998;

 private:
  struct World;  // mappings, signal stack, actions to restore
  void load_ldt();
  void probe();

  std::unique_ptr<World> world_;
  bool has_ldt_ = false;
  u64 runs_ = 0;
  std::string no_64_, no_32_, no_16_;
};

}  // namespace vtsim::cpu::test
