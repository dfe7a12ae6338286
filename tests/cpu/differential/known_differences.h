#pragma once
// Where a correct model and a correct host may differ: flags that the manual leaves undefined, and
// what AMD's processors do otherwise than Intel's manual says. Each row counts how often it was
// needed, so that rows which no longer are can be found.

#include <string_view>

#include "tests/cpu/differential/user_case.h"

namespace vtsim::cpu::test {

// When a row of undefined flags applies. Counts are those of shifts, masked to 5 or 6 bits.
enum class FlagsWhen : u8 {
  kAlways,
  kCountNotZero,
  kCountAboveOne,
  kCountNotBelowWidth,
  kCountAboveWidth,
};

struct UndefinedFlags {
  Mnemonic mnemonic;
  u64 flags;
  FlagsWhen when;
  bool differs_on_amd;  // the model's choice and the processors' have been seen to differ
  const char* section;  // of SDM volume 2
};

std::span<const UndefinedFlags> undefined_flags();

enum class Verdict : u8 {
  kNotOne,
  kForgiven,     // what differs was taken out of the host's result
  kNotCompared,  // too much differs
};
struct VendorDifference {
  std::string_view name;
  std::string_view reason;
  Verdict (*judge)(const Decoded& in, const UserCase& c, UserResult& host, const UserResult& model);
};

std::span<const VendorDifference> amd_differences();

class KnownDifferences {
 public:
  KnownDifferences();

  // `in` is empty for encodings that do not exist. Makes the host's result equal to the model's
  // where they may differ. True: the case is not compared at all.
  bool forgive(const Decoded& in, const UserCase& c, UserResult& host, const UserResult& model);

  const std::vector<u64>& undefined_uses() const { return undefined_uses_; }
  const std::vector<u64>& vendor_uses() const { return vendor_uses_; }
  bool host_is_amd() const { return amd_; }

 private:
  bool amd_;
  std::vector<u64> undefined_uses_, vendor_uses_;
};

}  // namespace vtsim::cpu::test
