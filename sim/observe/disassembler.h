#pragma once
// Instructions as text for people, by Capstone: the second decoder, independent of the core's.

#include <memory>
#include <span>
#include <string>

#include "model/base/types.h"

namespace vtsim::observe {

class Disassembler {
 public:
  Disassembler();
  ~Disassembler();

  // "mov rbx, rax"; "(bad)" for what Capstone does not know. `bits`: 16, 32 or 64.
  std::string text(std::span<const u8> code, u64 rip, u8 bits);

 private:
  struct Handles;
  std::unique_ptr<Handles> handles_;
};

}  // namespace vtsim::observe
