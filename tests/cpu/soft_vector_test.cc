// Integer vector operations in software against the host's instructions.

#include "model/cpu/exec/soft_vector.h"

#include <catch2/catch.hpp>
#include <random>

using namespace vtsim;
using namespace vtsim::cpu;

namespace {

class Vectors {
 public:
  Xmm next() {
    Xmm x;
    x.set<u64>(0, random_());
    x.set<u64>(1, random_());
    return x;
  }

 private:
  std::mt19937_64 random_{7};
};

bool equal(const Xmm& a, const Xmm& b) { return std::memcmp(a.bytes, b.bytes, 16) == 0; }

#define VTSIM_NATIVE(name)                         \
  [](const Xmm& a, const Xmm& b) {                 \
    __m128i v = host(a);                           \
    asm(#name " %1, %0" : "+x"(v) : "x"(host(b))); \
    return lanes(v);                               \
  }

template <class Soft, class Native>
void compare(Soft soft, Native native) {
  Vectors vectors;
  for (unsigned n = 0; n < 5000; ++n) {
    const Xmm a = vectors.next(), b = vectors.next();
    REQUIRE(equal(soft(a, b), native(a, b)));
  }
}

}  // namespace

TEST_CASE("software AES rounds are the host's") {
  if (!__builtin_cpu_supports("aes")) {
    WARN("host without AES: skipped");
    return;
  }
  compare(soft_aesenc, VTSIM_NATIVE(aesenc));
  compare(soft_aesenclast, VTSIM_NATIVE(aesenclast));
  compare(soft_aesdec, VTSIM_NATIVE(aesdec));
  compare(soft_aesdeclast, VTSIM_NATIVE(aesdeclast));
}

TEST_CASE("software PSHUFB is the host's") {
  if (!__builtin_cpu_supports("ssse3")) {
    WARN("host without SSSE3: skipped");
    return;
  }
  compare(soft_pshufb, VTSIM_NATIVE(pshufb));
}

TEST_CASE("software products of polynomials are the host's") {
  if (!__builtin_cpu_supports("pclmul")) {
    WARN("host without PCLMULQDQ: skipped");
    return;
  }
  compare([](const Xmm& a, const Xmm& b) { return soft_product(a.get<u64>(0), b.get<u64>(0)); },
          VTSIM_NATIVE(pclmullqlqdq));
}
