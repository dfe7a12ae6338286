#include "sim/firmware_tables/memory_layout.h"

#include <algorithm>

#include "model/base/bits.h"
#include "model/base/check.h"

namespace vtsim::firmware_tables {

const MemoryRange* MemoryLayout::usable_range(Hpa from, u64 size) const {
  const auto found = std::find_if(ranges.begin(), ranges.end(), [&](const MemoryRange& range) {
    return range.type == RangeType::kUsable && range.contains(from, size);
  });
  return found == ranges.end() ? nullptr : &*found;
}

MemoryLayout q35_memory_layout(u64 ram_bytes) {
  SIM_CHECK(ram_bytes >= kMinRam && ram_bytes % kPageSize == 0);
  MemoryLayout layout;
  layout.low_ram_bytes = std::min(ram_bytes, kLowRamLimit);
  layout.high_ram_bytes = ram_bytes - layout.low_ram_bytes;
  layout.acpi_area = Hpa(align_down(layout.low_ram_bytes - kAcpiAreaBytes, kPageSize));
  const Hpa tables = layout.acpi_area + kPageSize;
  layout.ranges = {
      {Hpa(0), kEbda.value, RangeType::kUsable},
      {kEbda, kVideoArea - kEbda, RangeType::kReserved},
      {kRsdpArea, kOneMiB - kRsdpArea, RangeType::kReserved},
      {kOneMiB, layout.acpi_area - kOneMiB, RangeType::kUsable},
      {layout.acpi_area, kPageSize, RangeType::kAcpiNvs},
      {tables, kAcpiAreaBytes - kPageSize, RangeType::kAcpiTables},
      {kEcam, kEcamBytes, RangeType::kReserved},
      {kRcba, kRcbaBytes, RangeType::kReserved},
      {kVmxTssArea, kVmxTssBytes, RangeType::kReserved},
      {kFlash, kFlashBytes, RangeType::kReserved},
  };
  if (layout.high_ram_bytes != 0) {
    layout.ranges.push_back({kFourGiB, layout.high_ram_bytes, RangeType::kUsable});
  }
  return layout;
}

}  // namespace vtsim::firmware_tables
