#pragma once
// One instruction at CPL 3 in IA-32e mode, with everything that it may read: what the differential
// tests run on the host processor and in the model, and print, keep and read again as one line.

#include <array>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "model/cpu/decode.h"
#include "model/cpu/state/segment.h"

namespace vtsim::cpu::test {

// Linear addresses, the same in both worlds. Everything else below 4 GiB is not present.
struct Arena {
  static constexpr u64 kBase = 0x2000'0000;
  static constexpr u64 kCode = kBase + 0x1000, kCodeBytes = 0x2000;  // breakpoints but for the case
  static constexpr u64 kData = kBase + 0x5000, kDataBytes = 0x3000;  // the last page is read-only
  static constexpr u64 kWritableBytes = 0x2000;
  static constexpr u64 kStack = kBase + 0xA000, kStackBytes = 0x1000;
};

// Where a case's memory comes from: pseudo-random bytes of `seed`, then the patches.
struct MemoryPatch {
  u64 address = 0;
  u64 value = 0;
  unsigned size = 8;  // bytes
};

struct UserState {
  std::array<u64, 16> gpr{};
  u64 rip = 0;
  u64 flags = 0x202;
  std::array<u16, 6> selector{};  // by SegmentName
  u64 fs_base = 0, gs_base = 0;   // in 64-bit mode

  bool operator==(const UserState&) const = default;
};

struct UserCase {
  CodeSize size = CodeSize::k64;
  std::vector<u8> bytes = {};  // the instruction, at state.rip
  UserState state = {};
  u64 memory_seed = 0;  // 0: zeros
  std::vector<MemoryPatch> patches = {};
};

// How it ended: always an exception, the trap of RFLAGS.TF or the breakpoints around the code.
struct UserResult {
  UserState state = {};
  unsigned vector = 0;
  u32 error = 0;
  u64 cr2 = 0;  // of page faults

  bool operator==(const UserResult&) const = default;
};

using ArenaImage = std::vector<u8>;  // data, then stack
inline constexpr std::size_t kImageBytes = Arena::kDataBytes + Arena::kStackBytes;

// The memory that a case starts with.
void fill_image(const UserCase& c, ArenaImage& image);
// Where a linear address lies in an image; nothing: elsewhere.
std::optional<std::size_t> image_offset(u64 address);

// One line: "64 f7f1 rax=12 rip=20001010 flags=246 seed=3 [20005000:4]=7". What is 0 is left out.
std::string to_line(const UserCase& c);
// Throws std::invalid_argument, naming the word.
UserCase from_line(const std::string& line);

std::string to_hex(std::span<const u8> bytes);

}  // namespace vtsim::cpu::test
