#include "model/chipset/lpc_root_complex.h"

#include <cstring>

#include "model/base/bits.h"

namespace vtsim::chipset {
namespace {

struct Row {
  const char* name;
  u16 offset;
  u8 bytes;
  u64 reset;
  u64 rw;
};

constexpr u16 kOic = 0x31fe, kHptc = 0x3404, kGcs = 0x3410;
constexpr u64 kIdentityRoute = 0x3210, kRouteBits = 0x7777;

struct Oic {
  static constexpr Flag ENABLE{8};
  static constexpr Field RANGE{7, 0};
};
struct Hptc {
  static constexpr Flag ENABLE{7};
  static constexpr Field RANGE{1, 0};
};
struct Gcs {
  static constexpr Flag NR{5};
};
constexpr u64 kIoApicBase = 0xfec0'0000, kHpetBase = 0xfed0'0000, kStep = 0x1000;

// DnnIR, from device 31 down.
constexpr unsigned kFirstOwnDevice = 25, kLastDevice = 31;
constexpr u16 kRouteOffset[] = {0x3140, 0x3142, 0x3144, 0x3146, 0x3148, 0x314c, 0x3150};

constexpr Row kRows[] = {
    {"D31IP", 0x3100, 4, 0x0304'2210, 0xffff'fff0},
    {"D30IP", 0x3104, 4, 0, 0},
    {"D29IP", 0x3108, 4, 0x1000'4321, 0xffff'ffff},
    {"D28IP", 0x310c, 4, 0x0021'4321, 0xffff'ffff},
    {"D27IP", 0x3110, 4, 1, 0xf},
    {"D26IP", 0x3114, 4, 0x3000'0321, 0xffff'ffff},
    {"D25IP", 0x3118, 4, 1, 0xf},
    {"D31IR", 0x3140, 2, kIdentityRoute, kRouteBits},
    {"D30IR", 0x3142, 2, kIdentityRoute, kRouteBits},
    {"D29IR", 0x3144, 2, kIdentityRoute, kRouteBits},
    {"D28IR", 0x3146, 2, kIdentityRoute, kRouteBits},
    {"D27IR", 0x3148, 2, kIdentityRoute, kRouteBits},
    {"D26IR", 0x314c, 2, kIdentityRoute, kRouteBits},
    {"D25IR", 0x3150, 2, kIdentityRoute, kRouteBits},
    {"OIC", kOic, 2, Oic::ENABLE.mask(), Oic::ENABLE.mask() | Oic::RANGE.mask()},
    {"RC", 0x3400, 4, 0, 0x1c},
    {"HPTC", kHptc, 4, Hptc::ENABLE.mask(), Hptc::ENABLE.mask() | Hptc::RANGE.mask()},
    {"GCS", kGcs, 4, Gcs::NR.mask(), 0x0fff},
    {"BUC", 0x3414, 1, 0, 0x0f},
    {"FD", 0x3418, 4, 0, 0xffff'ffff},
    {"CG", 0x341c, 4, 0, 0xffff'ffff},
};

}  // namespace

RootComplex::RootComplex(std::function<void(Ps)> on_change) : on_change_(std::move(on_change)) {
  load_reset_values();
}

void RootComplex::load_reset_values() {
  state_ = {};
  for (const Row& row : kRows) std::memcpy(&state_.registers[row.offset], &row.reset, row.bytes);
}

void RootComplex::reset(Ps now) {
  load_reset_values();
  on_change_(now);
}

void RootComplex::restore(const State& state, Ps now) {
  state_ = state;
  on_change_(now);
}

u64 RootComplex::get(u64 offset, unsigned bytes) const {
  u64 value = 0;
  std::memcpy(&value, &state_.registers[offset], bytes);
  return value;
}

u64 RootComplex::read(u64 offset, unsigned size, Ps /*now*/) { return get(offset, size); }

void RootComplex::write(u64 offset, unsigned size, u64 value, Ps now) {
  for (const Row& row : kRows) {
    for (unsigned i = 0; i < row.bytes; ++i) {
      const u64 at = row.offset + i;
      if (at < offset || at >= offset + size) continue;
      const unsigned from = static_cast<unsigned>(8 * (at - offset));
      const u64 mask = bits(row.rw, 8 * i + 7, 8 * i);
      const u64 old = state_.registers[at];
      state_.registers[at] = static_cast<u8>((old & ~mask) | (bits(value, from + 7, from) & mask));
    }
  }
  on_change_(now);
}

unsigned RootComplex::pirq_of(unsigned device, unsigned pin) const {
  constexpr unsigned kFirstRotating = 4, kPins = 4;
  if (device < kFirstOwnDevice || device > kLastDevice) {
    return kFirstRotating + (device + pin) % kPins;
  }
  const u64 routes = get(kRouteOffset[kLastDevice - device], 2);
  return static_cast<unsigned>(bits(routes, 4 * pin + 2, 4 * pin));
}

std::optional<Hpa> RootComplex::hpet() const {
  const Reg<Hptc> value(get(kHptc, 4));
  if (!value[Hptc::ENABLE]) return std::nullopt;
  return Hpa(kHpetBase + value[Hptc::RANGE] * kStep);
}

std::optional<Hpa> RootComplex::io_apic() const {
  const Reg<Oic> value(get(kOic, 2));
  if (!value[Oic::ENABLE]) return std::nullopt;
  return Hpa(kIoApicBase + value[Oic::RANGE] * kStep);
}

bool RootComplex::no_reboot() const { return Reg<Gcs>(get(kGcs, 4))[Gcs::NR]; }

}  // namespace vtsim::chipset
