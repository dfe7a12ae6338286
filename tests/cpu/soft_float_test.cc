// The arithmetic in software against the host's instructions, bit for bit and flag for flag, under
// every rounding, with and without DAZ and FTZ. (What unmasked exceptions change is compared in
// vector_differential_test.cc.)

#include "model/cpu/exec/soft_float.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>

using namespace vtsim;
using namespace vtsim::cpu;

namespace {

struct Result {
  u64 value;
  u32 flags;
  bool operator==(const Result&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Result& o) {
  return out << std::hex << o.value << " flags " << o.flags;
}

template <class T>
struct Host {
  using Number = std::conditional_t<sizeof(T) == 4, float, double>;

  static Number number(u64 bits) {
    const T narrow = static_cast<T>(bits);
    Number x;
    std::memcpy(&x, &narrow, sizeof x);
    return x;
  }
  static u64 bits(Number x) {
    T narrow;
    std::memcpy(&narrow, &x, sizeof x);
    return narrow;
  }
  // operation(a, b) in volatile asm, under `mxcsr`
  template <class Operation>
  static Result run(u32 mxcsr, Operation operation) {
    const u32 normal = Mxcsr::kDefault;
    u32 after;
    asm volatile("ldmxcsr %0" : : "m"(mxcsr));
    const u64 value = operation();
    asm volatile("stmxcsr %0" : "=m"(after));
    asm volatile("ldmxcsr %0" : : "m"(normal));
    return {value, after & 0x3F};
  }
};

template <class T>
class Numbers {
 public:
  u64 next() {
    using F = FormatOf<T>;
    const u64 sign = random_() & F::kSign;
    const u64 fraction = random_() & F::kFractionMask;
    const u64 biased = random_() & low_mask(F::kSignBit - F::kFraction);
    switch (random_() % 8) {
      case 0:
        return sign;
      case 1:
        return sign | F::kInfinity | (random_() % 3 ? 0 : fraction);
      case 2:
        return sign | fraction;  // denormal
      case 3:
        return sign | (random_() % 8);  // tiny
      case 4:
        return sign | (F::kInfinity - 1 - random_() % 4);  // huge
      case 5:
        return sign | u64{F::kBias + random_() % 5} << F::kFraction | (random_() % 4);
      case 6:
        return sign | (1 + random_() % (F::kFraction + 4)) << F::kFraction | fraction;
      default:
        return sign | biased << F::kFraction | fraction;
    }
  }
  u64 raw() { return random_(); }

 private:
  std::mt19937_64 random_{42};
};

constexpr unsigned kCases = 30000;

u32 some_mxcsr(u64 random) {
  return static_cast<u32>(Mxcsr::kDefault |
                          (random & (Mxcsr::RC.mask() | Mxcsr::DAZ.mask() | Mxcsr::FTZ.mask())));
}

template <class T, class Soft, class Native>
void compare_binary(Soft soft, Native native) {
  Numbers<T> numbers;
  for (unsigned n = 0; n < kCases; ++n) {
    const u64 a = numbers.next(), b = numbers.next();
    const u32 mxcsr = some_mxcsr(numbers.raw());
    FloatEnv env{mxcsr};
    const u64 value = soft(env, a, b);
    INFO(std::hex << a << " " << b << " mxcsr " << mxcsr);
    REQUIRE(Result{value, env.flags} == Host<T>::run(mxcsr, [&] { return native(a, b); }));
  }
}

#define VTSIM_NATIVE(name, T)                                          \
  [](u64 a, u64 b) {                                                   \
    auto x = Host<T>::number(a);                                       \
    asm volatile(#name " %1, %0" : "+x"(x) : "x"(Host<T>::number(b))); \
    return Host<T>::bits(x);                                           \
  }

}  // namespace

TEST_CASE("software addition, subtraction, multiplication and division are the host's") {
  compare_binary<u32>(soft_add<Single>, VTSIM_NATIVE(addss, u32));
  compare_binary<u32>(soft_sub<Single>, VTSIM_NATIVE(subss, u32));
  compare_binary<u32>(soft_mul<Single>, VTSIM_NATIVE(mulss, u32));
  compare_binary<u32>(soft_div<Single>, VTSIM_NATIVE(divss, u32));
  compare_binary<u64>(soft_add<Double>, VTSIM_NATIVE(addsd, u64));
  compare_binary<u64>(soft_sub<Double>, VTSIM_NATIVE(subsd, u64));
  compare_binary<u64>(soft_mul<Double>, VTSIM_NATIVE(mulsd, u64));
  compare_binary<u64>(soft_div<Double>, VTSIM_NATIVE(divsd, u64));
}

TEST_CASE("software conversions between single and double are the host's") {
  Numbers<u64> doubles;
  Numbers<u32> singles;
  for (unsigned n = 0; n < kCases; ++n) {
    const u32 mxcsr = some_mxcsr(doubles.raw());
    const u64 wide = n % 4 ? (doubles.next() & ~(u64{0xFFF} << 52)) | (850 + doubles.raw() % 320)
                                                                          << 52
                           : doubles.next();
    FloatEnv narrowing{mxcsr};
    const u64 narrow = soft_convert<Single, Double>(narrowing, wide);
    INFO(std::hex << wide << " mxcsr " << mxcsr);
    REQUIRE(Result{narrow, narrowing.flags} == Host<u64>::run(mxcsr, [&] {
              float x;
              asm volatile("cvtsd2ss %1, %0" : "=x"(x) : "x"(Host<u64>::number(wide)));
              return Host<u32>::bits(x);
            }));
    const u64 single = singles.next();
    FloatEnv widening{mxcsr};
    const u64 widened = soft_convert<Double, Single>(widening, single);
    INFO(std::hex << single);
    REQUIRE(Result{widened, widening.flags} == Host<u64>::run(mxcsr, [&] {
              double x;
              asm volatile("cvtss2sd %1, %0" : "=x"(x) : "x"(Host<u32>::number(single)));
              return Host<u64>::bits(x);
            }));
  }
}

template <class T>
void compare_fma() {
  Numbers<T> numbers;
  for (unsigned n = 0; n < 4 * kCases; ++n) {
    const u64 x = numbers.next(), y = numbers.next();
    u64 z = numbers.next();
    if (n % 3 == 0 && !FormatOf<T>::is_nan(x)) {  // near the product: cancellation
      const auto product = -(Host<T>::number(x) * Host<T>::number(y));
      z = Host<T>::bits(product) ^ (numbers.raw() % 4);
    }
    const u32 mxcsr = some_mxcsr(numbers.raw());
    FloatEnv env{mxcsr};
    const u64 value = soft_fma<FormatOf<T>>(env, y, x, z, {});  // the 213 form is y * x + z
    INFO(std::hex << x << " * " << y << " + " << z << " mxcsr " << mxcsr);
    REQUIRE(Result{value, env.flags} == Host<T>::run(mxcsr, [&] {
              auto r = Host<T>::number(x);
              if constexpr (sizeof(T) == 4) {
                asm volatile("vfmadd213ss %2, %1, %0"
                             : "+x"(r)
                             : "x"(Host<T>::number(y)), "x"(Host<T>::number(z)));
              } else {
                asm volatile("vfmadd213sd %2, %1, %0"
                             : "+x"(r)
                             : "x"(Host<T>::number(y)), "x"(Host<T>::number(z)));
              }
              return Host<T>::bits(r);
            }));
  }
}

TEST_CASE("software fused multiply-add is the host's") {
  if (!__builtin_cpu_supports("fma")) {
    WARN("host without FMA: skipped");
    return;
  }
  compare_fma<u32>();
  compare_fma<u64>();
}

TEST_CASE("half precision: every half converts to single and back to itself") {
  for (u64 half = 0; half < 0x10000; ++half) {
    FloatEnv env{Mxcsr::kDefault};
    const u64 single = soft_convert<Single, Half>(env, half);
    const u64 back = soft_convert<Half, Single>(env, single);
    INFO(std::hex << half);
    REQUIRE(back == (Half::is_nan(half) ? half | Half::kQuiet : half));
    if (!Half::is_nan(half) && !Half::is_infinite(half)) {
      const double magnitude = std::ldexp(static_cast<double>(half & 0x3FF), -24);
      const double expected = (half & 0x7C00) == 0
                                  ? magnitude
                                  : std::ldexp(1024.0 + static_cast<double>(half & 0x3FF),
                                               static_cast<int>((half >> 10) & 0x1F) - 25);
      float f;
      const u32 bits = static_cast<u32>(single);
      std::memcpy(&f, &bits, 4);
      REQUIRE(static_cast<double>(std::fabs(f)) == expected);
    }
  }
}
