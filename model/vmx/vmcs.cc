#include "model/vmx/vmcs.h"

#include <algorithm>

namespace vtsim::vmx {

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
