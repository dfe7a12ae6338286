#pragma once
// One retired instruction, or one delivered event, and what it changed: what the commit log, its
// hash, and lockstep compare.

#include <array>
#include <bit>
#include <optional>
#include <string>
#include <vector>

#include "model/base/types.h"

namespace vtsim::observe {

// Registers of the log, in the order in which their changes are listed.
enum class LogRegister : u8 {
  kRax = 0,
  kRcx,
  kRdx,
  kRbx,
  kRsp,
  kRbp,
  kRsi,
  kRdi,
  kR8,
  kR9,
  kR10,
  kR11,
  kR12,
  kR13,
  kR14,
  kR15,
  kRflags,
  kEs,
  kCs,
  kSs,
  kDs,
  kFs,
  kGs,
  kLdtr,
  kTr,
  kFsBase,
  kGsBase,
  kKernelGsBase,
  kGdtrBase,
  kIdtrBase,
  kCr0,
  kCr2,
  kCr3,
  kCr4,
  kEfer,
  kXcr0,
  kPkru,
  kDr0,
  kDr1,
  kDr2,
  kDr3,
  kDr6,
  kDr7,
  kFcw,
  kFsw,
  kFtw,
  kMxcsr,
  kR0,
  kR1,
  kR2,
  kR3,
  kR4,
  kR5,
  kR6,
  kR7,  // x87, physical
  kYmm0,
  kYmm1,
  kYmm2,
  kYmm3,
  kYmm4,
  kYmm5,
  kYmm6,
  kYmm7,
  kYmm8,
  kYmm9,
  kYmm10,
  kYmm11,
  kYmm12,
  kYmm13,
  kYmm14,
  kYmm15,
  kCount,
};
std::string_view register_name(LogRegister reg);

struct RegisterChange {
  LogRegister reg = LogRegister::kRax;
  u8 words = 1;                // significant ones of `value`, least significant first
  std::array<u64, 4> value{};  // after the instruction
};

struct MemoryWrite {
  u64 linear = 0;
  u8 size = 0;  // 1 to 8; wider stores are several
  u64 value = 0;
};

// An exception or interrupt as it was delivered. A fault and INT n retire no instruction: this tells
// of them.
struct LogEvent {
  u8 vector = 0;
  bool has_error_code = false;
  u32 error_code = 0;
};

struct CommitRecord {
  static constexpr std::size_t kMaxCode = 15;

  u32 core = 0;
  u64 instruction = 0;  // of this core, from 1; of an event: retired before it
  u16 cs = 0;           // before the instruction, as is rip
  u64 rip = 0;
  std::optional<LogEvent> event;  // then there is no code
  u8 code_bits = 64;  // 16, 32 or 64
  u8 length = 0;
  std::array<u8, kMaxCode> code{};
  std::vector<RegisterChange> registers;
  std::vector<MemoryWrite> writes;
};

// 64 bits over all that was retired, in order: equal hashes, equal runs. Stable across hosts and
// versions of the log's text.
class CommitHash {
 public:
  void add(const CommitRecord& record);
  u64 value() const { return even_ ^ std::rotl(odd_, 32); }
  u64 records() const { return records_; }

 private:
  void mix(u64 even, u64 odd);

  // Two lanes, which a processor computes side by side.
  u64 even_ = 0x7674'7369'6d00'0001;
  u64 odd_ = 0x7674'7369'6d00'0002;
  u64 records_ = 0;
};

// Appends "0 17 0010:ffffffff81000000 48 89 c3 | rbx=1 | [ffff888000001000]8=2a"; of an event
// "0 17 0010:ffffffff81000000 event 0e error 2 | ...". No line end.
void append_text(const CommitRecord& record, std::string& text);
std::string to_text(const CommitRecord& record);

}  // namespace vtsim::observe
