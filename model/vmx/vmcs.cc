#include "model/vmx/vmcs.h"

#include <algorithm>
#include <cstring>

namespace vtsim::vmx {

namespace {

// From the region's start.
constexpr std::array<u16, kVmcsFieldCount> make_offsets() {
  std::array<u16, kVmcsFieldCount> offsets{};
  u32 next = VmcsRegion::kFieldsOffset;
  for (const u32 bytes : {8u, 4u, 2u}) {
    for (unsigned n = 0; n < kVmcsFieldCount; ++n) {
      if (kVmcsFields[n].bytes() != bytes) continue;
      offsets[n] = static_cast<u16>(next);
      next += bytes;
    }
  }
  return offsets;
}
constexpr auto kOffsets = make_offsets();

constexpr bool fits() {
  for (unsigned n = 0; n < kVmcsFieldCount; ++n)
    if (kOffsets[n] + kVmcsFields[n].bytes() > VmcsRegion::kBytes) return false;
  return true;
}
static_assert(fits());

}  // namespace

u32 VmcsRegion::offset_of(VmcsField field) { return kOffsets[static_cast<unsigned>(field)]; }

Vmcs::Image Vmcs::image() const {
  Image image{};
  for (unsigned n = 0; n < kVmcsFieldCount; ++n)
    std::memcpy(image.data() + kOffsets[n] - VmcsRegion::kFieldsOffset, &values_[n],
                kVmcsFields[n].bytes());
  return image;
}

void Vmcs::load(const Image& image) {
  values_.fill(0);
  for (unsigned n = 0; n < kVmcsFieldCount; ++n)
    std::memcpy(&values_[n], image.data() + kOffsets[n] - VmcsRegion::kFieldsOffset,
                kVmcsFields[n].bytes());
}

std::optional<FieldReference> find_field(u64 encoding) {
  constexpr Flag kHigh{0};
  const bool high = (encoding & kHigh.mask()) != 0;
  const u64 wanted = encoding & ~kHigh.mask();
  const auto row = std::ranges::lower_bound(kVmcsFields, wanted, {}, &VmcsFieldRow::encoding);
  if (row == kVmcsFields.end() || row->encoding != wanted) return std::nullopt;
  if (high && row->width() != FieldWidth::k64) return std::nullopt;
  return FieldReference{static_cast<VmcsField>(row - kVmcsFields.begin()), high};
}

}  // namespace vtsim::vmx
