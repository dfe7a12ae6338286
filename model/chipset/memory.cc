#include "model/chipset/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "model/base/bits.h"
#include "model/base/check.h"

namespace vtsim::chipset {
namespace {
constexpr u64 kHugePage = u64{2} << 20;
}

HostMapping::HostMapping(u64 bytes) : mapped_bytes_(bytes + kHugePage), bytes_(bytes) {
  void* const at = mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) {
    throw std::system_error(errno, std::generic_category(), "reserving guest memory");
  }
  mapping_ = at;
  data_ = reinterpret_cast<u8*>(align_up(reinterpret_cast<std::uintptr_t>(at), kHugePage));
  madvise(data_, bytes_, MADV_HUGEPAGE);  // advice: a host without huge pages works too
}

HostMapping::HostMapping(HostMapping&& other) noexcept
    : mapping_(std::exchange(other.mapping_, nullptr)),
      mapped_bytes_(other.mapped_bytes_),
      data_(other.data_),
      bytes_(other.bytes_) {}

HostMapping::~HostMapping() {
  if (mapping_) munmap(mapping_, mapped_bytes_);
}

PhysicalMemory::PhysicalMemory(u64 bytes, u64 low_limit)
    : mapping_(bytes), low_bytes_(std::min(bytes, low_limit)) {
  SIM_CHECK(bytes >= kMinBytes && bytes <= kMaxBytes && bytes % kPageSize == 0);
  SIM_CHECK(low_limit % kPageSize == 0 && low_limit <= kFourGiB.value);
}

u8* PhysicalMemory::host(Hpa address) const { return host_range(address, 1); }

u8* PhysicalMemory::host_range(Hpa address, u64 bytes) const {
  const u64 at = address.value;
  if (at < low_bytes_ && bytes <= low_bytes_ - at) return mapping_.data() + at;
  if (address < kFourGiB) return nullptr;
  const u64 above = address - kFourGiB;
  if (above >= high_bytes() || bytes > high_bytes() - above) return nullptr;
  return mapping_.data() + low_bytes_ + above;
}

bool PhysicalMemory::read(Hpa address, std::span<u8> bytes) const {
  const u8* const from = host_range(address, bytes.size());
  if (from) std::memcpy(bytes.data(), from, bytes.size());
  return from != nullptr;
}

bool PhysicalMemory::write(Hpa address, std::span<const u8> bytes) {
  u8* const to = host_range(address, bytes.size());
  if (to) std::memcpy(to, bytes.data(), bytes.size());
  return to != nullptr;
}

}  // namespace vtsim::chipset
