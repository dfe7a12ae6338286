#pragma once
// x87 instructions as the host's processor executes them, from and to states in FNSAVE's layout.

#include <sys/mman.h>

#include <cstring>
#include <span>

#include "model/base/types.h"

namespace vtsim::cpu::test {

// 32-bit protected-mode layout, as 64-bit code stores it.
struct [[gnu::packed]] X87Image {
  u16 control = 0x037F, reserved0 = 0xFFFF;
  u16 status = 0, reserved1 = 0xFFFF;
  u16 tags = 0xFFFF, reserved2 = 0xFFFF;
  u32 ip = 0;
  u16 cs = 0, opcode = 0;
  u32 dp = 0;
  u16 ds = 0, reserved3 = 0xFFFF;
  u8 st[8][10] = {};
};
static_assert(sizeof(X87Image) == 108);

// Code in memory that is called with RDI: state to load, RSI: where to store it, RDX: the memory
// operand, RCX: RFLAGS, in and out.
class NativeX87 {
 public:
  NativeX87() {
    code_ = static_cast<u8*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  }
  ~NativeX87() { munmap(code_, 4096); }
  NativeX87(const NativeX87&) = delete;
  NativeX87& operator=(const NativeX87&) = delete;

  // `instruction` may address memory by RDX only.
  void assemble(std::span<const u8> instruction) {
    constexpr u8 kBefore[] = {0xFF, 0x31,   // push [rcx]
                              0x9D,         // popfq
                              0xDD, 0x27};  // frstor [rdi]
    constexpr u8 kAfter[] = {0x9C,          // pushfq
                             0x8F, 0x01,    // pop [rcx]
                             0xDD, 0x36,    // fnsave [rsi]
                             0xC3};
    u8* at = code_;
    const auto append = [&at](const auto& bytes) {
      std::memcpy(at, std::data(bytes), std::size(bytes));
      at += std::size(bytes);
    };
    append(kBefore);
    append(instruction);
    append(kAfter);
  }
  X87Image run(const X87Image& before, u8* operand, u64& rflags) const {
    X87Image after;
    reinterpret_cast<void (*)(const X87Image*, X87Image*, u8*, u64*)>(code_)(&before, &after,
                                                                             operand, &rflags);
    return after;
  }

 private:
  u8* code_;
};

}  // namespace vtsim::cpu::test
