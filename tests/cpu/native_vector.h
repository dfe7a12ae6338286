#pragma once
// Runs one instruction on the host processor with given vector, x87 and general registers.

#include <sys/mman.h>
#include <ucontext.h>

#include <array>
#include <csignal>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "model/base/types.h"

namespace vtsim::cpu::test {

// What an instruction may read and write, and how it ended. Lives in both worlds.
struct VectorMachineState {
  std::array<std::array<u8, 32>, 16> vector{};
  u32 mxcsr = 0x1F80;
  std::array<u64, 16> gpr{};                // RSP (4), RBP (5) and R12..R15 are the harness's own
  u64 flags = 0x2;                          // the six arithmetic flags, and bit 1
  std::array<std::array<u8, 10>, 8> x87{};  // physical registers
  u16 x87_status = 0;
  u8 x87_valid = 0;        // bit n: Rn is not empty
  int vector_raised = -1;  // exception, or -1
};

inline constexpr unsigned kComparedGprs[] = {0, 1, 2, 3, 6, 7, 8, 9, 10, 11};

class NativeVector {
 public:
  static constexpr u64 kData = 0x0060'0000;  // the same linear address in the simulated machine
  static constexpr u64 kDataBytes = 4096;

  NativeVector() {
    code_ = static_cast<u8*>(map(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC));
    area_ = static_cast<Area*>(map(nullptr, 4 * 4096, PROT_READ | PROT_WRITE));
    // One page of data between two that fault.
    data_ =
        static_cast<u8*>(map(reinterpret_cast<void*>(kData), kDataBytes, PROT_READ | PROT_WRITE));
    for (int signal : {SIGILL, SIGFPE, SIGSEGV, SIGBUS}) {
      struct sigaction action {};
      action.sa_sigaction = &on_signal;
      action.sa_flags = SA_SIGINFO | SA_NODEFER;
      sigaction(signal, &action, &previous_[static_cast<unsigned>(signal)]);
    }
    current() = this;
  }
  ~NativeVector() {
    for (int signal : {SIGILL, SIGFPE, SIGSEGV, SIGBUS})
      sigaction(signal, &previous_[static_cast<unsigned>(signal)], nullptr);
    current() = nullptr;
    munmap(code_, 4096);
    munmap(area_, 4 * 4096);
    munmap(data_, kDataBytes);
  }
  NativeVector(const NativeVector&) = delete;
  NativeVector& operator=(const NativeVector&) = delete;

  u8* data() { return data_; }

  // The instruction that run() executes from now on.
  void load(std::span<const u8> instruction) {
    at_ = code_;
    // push rbx, rbp, r12..r15; mov r15, rdi
    emit({0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57, 0x49, 0x89, 0xFF});
    emit({0xB8, 7, 0, 0, 0, 0x31, 0xD2});         // mov eax, 7; xor edx, edx
    emit({0x49, 0x0F, 0xAE, 0xAF}), emit32(kIn);  // xrstor64 [r15 + kIn]
    emit({0x41, 0xFF, 0xB7}), emit32(kFlags);     // push qword [r15 + kFlags]
    emit({0x9D});                                 // popfq
    for (unsigned n : kComparedGprs) move_gpr(0x8B, n);
    start_ = at_;
    for (u8 byte : instruction) *at_++ = byte;
    resume_ = at_;
    for (unsigned n : kComparedGprs) move_gpr(0x89, n);
    emit({0x9C, 0x41, 0x8F, 0x87}), emit32(kFlags);  // pushfq; pop qword [r15 + kFlags]
    emit({0xFC});                                    // cld
    emit({0xB8, 7, 0, 0, 0, 0x31, 0xD2});
    emit({0x49, 0x0F, 0xAE, 0xA7}), emit32(kOut);           // xsave64 [r15 + kOut]
    emit({0x0F, 0x77, 0xC5, 0xF8, 0x77});                   // emms; vzeroupper
    emit({0x41, 0x0F, 0xAE, 0x97}), emit32(kDefaultMxcsr);  // ldmxcsr [r15 + kDefaultMxcsr]
    emit({0x41, 0x5F, 0x41, 0x5E, 0x41, 0x5D, 0x41, 0x5C, 0x5D, 0x5B, 0xC3});
  }

  VectorMachineState run(const VectorMachineState& before) {
    put(before);
    raised_ = -1;
    reinterpret_cast<void (*)(Area*)>(code_)(area_);
    VectorMachineState after = take();
    after.vector_raised = raised_;
    return after;
  }

 private:
  // SDM 1 "XSAVE Area"; the AVX component stands at 576 in the standard format.
  struct Area {
    alignas(64) u8 in[832];
    alignas(64) u8 out[832];
    u64 gpr[16];
    u64 flags;
    u32 default_mxcsr;
  };
  static constexpr u32 kIn = 0, kOut = 832, kGpr = 1664, kFlags = kGpr + 128,
                       kDefaultMxcsr = kFlags + 8;
  static_assert(offsetof(Area, out) == kOut && offsetof(Area, gpr) == kGpr &&
                offsetof(Area, default_mxcsr) == kDefaultMxcsr);

  static void* map(void* where, std::size_t size, int protection) {
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | (where != nullptr ? MAP_FIXED_NOREPLACE : 0);
    void* const got = mmap(where, size, protection, flags, -1, 0);
    if (got == MAP_FAILED || (where != nullptr && got != where))
      throw std::runtime_error("no memory for the native harness");
    return got;
  }
  static NativeVector*& current() {
    static NativeVector* instance = nullptr;
    return instance;
  }
  // Goes on behind the instruction; the kernel restores all registers as the fault found them.
  static void on_signal(int signal, siginfo_t* info, void* context) {
    NativeVector* const self = current();
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    const u8* const rip = reinterpret_cast<const u8*>(registers[REG_RIP]);
    if (self == nullptr || rip != self->start_) {
      std::signal(signal, SIG_DFL);
      return;
    }
    const bool page_fault = signal == SIGSEGV && info->si_code != SI_KERNEL;
    self->raised_ = signal == SIGILL ? 6 : signal == SIGFPE ? 19 : page_fault ? 14 : 13;
    registers[REG_RIP] = reinterpret_cast<greg_t>(self->resume_);
  }

  void emit(std::initializer_list<int> bytes) {
    for (int byte : bytes) *at_++ = static_cast<u8>(byte);
  }
  void emit32(u32 value) {
    std::memcpy(at_, &value, 4);
    at_ += 4;
  }
  // mov between register n and [r15 + kGpr + 8 * n]
  void move_gpr(u8 opcode, unsigned n) {
    emit({0x49 | (n >= 8 ? 4 : 0), opcode, static_cast<int>(0x87 | (n & 7) << 3)});
    emit32(kGpr + 8 * n);
  }

  void put(const VectorMachineState& s) {
    std::memset(area_, 0, sizeof *area_);
    const u16 control = 0x37F;
    std::memcpy(area_->in, &control, 2);
    std::memcpy(area_->in + 2, &s.x87_status, 2);
    area_->in[4] = s.x87_valid;
    std::memcpy(area_->in + 24, &s.mxcsr, 4);
    const unsigned top = s.x87_status >> 11 & 7;
    for (unsigned n = 0; n < 8; ++n)
      std::memcpy(area_->in + 32 + 16 * n, s.x87[(top + n) & 7].data(), 10);
    for (unsigned n = 0; n < 16; ++n) {
      std::memcpy(area_->in + 160 + 16 * n, s.vector[n].data(), 16);
      std::memcpy(area_->in + 576 + 16 * n, s.vector[n].data() + 16, 16);
    }
    area_->in[512] = 7;
    std::memcpy(area_->gpr, s.gpr.data(), sizeof area_->gpr);
    area_->flags = s.flags;
    area_->default_mxcsr = 0x1F80;
  }
  VectorMachineState take() const {
    VectorMachineState s;
    // Components in their initial state are not written but told by XSTATE_BV.
    const u8 present = area_->out[512];
    std::memcpy(&s.x87_status, area_->out + 2, 2);
    s.x87_valid = area_->out[4];
    std::memcpy(&s.mxcsr, area_->out + 24, 4);
    const unsigned top = s.x87_status >> 11 & 7;
    for (unsigned n = 0; n < 8; ++n)
      std::memcpy(s.x87[(top + n) & 7].data(), area_->out + 32 + 16 * n, 10);
    for (unsigned n = 0; n < 16; ++n) {
      if (present & 2) std::memcpy(s.vector[n].data(), area_->out + 160 + 16 * n, 16);
      if (present & 4) std::memcpy(s.vector[n].data() + 16, area_->out + 576 + 16 * n, 16);
    }
    std::memcpy(s.gpr.data(), area_->gpr, sizeof area_->gpr);
    s.flags = (area_->flags & 0x8D5) | 2;
    return s;
  }

  u8* code_;
  Area* area_;
  u8* data_;
  u8* at_ = nullptr;
  const u8* start_ = nullptr;
  const u8* resume_ = nullptr;
  volatile int raised_ = -1;
  struct sigaction previous_[65]{};
};

}  // namespace vtsim::cpu::test
