#pragma once
// The machine's DRAM, and read-only memories. Host memory is reserved, not committed: it is zero and
// costs nothing until it is touched (in units of transparent huge pages where the host has them).
//
//   0 ............ low_bytes        low RAM, with the legacy holes below 1 MiB
//   4 GiB ........ + high_bytes     the rest, when there is more than the limit below 4 GiB

#include <span>

#include "model/base/types.h"

namespace vtsim::chipset {

inline constexpr Hpa kFourGiB{0x1'0000'0000};

// An anonymous mapping of zeroed host memory, aligned on 2 MiB. Throws std::system_error when the
// host refuses it.
class HostMapping {
 public:
  explicit HostMapping(u64 bytes);
  ~HostMapping();
  HostMapping(HostMapping&& other) noexcept;
  HostMapping& operator=(HostMapping&&) = delete;

  u8* data() const { return data_; }
  u64 bytes() const { return bytes_; }

 private:
  void* mapping_ = nullptr;
  u64 mapped_bytes_ = 0;
  u8* data_ = nullptr;
  u64 bytes_ = 0;
};

class PhysicalMemory {
 public:
  static constexpr u64 kMinBytes = u64{1} << 20;
  static constexpr u64 kMaxBytes = u64{64} << 30;

  // `bytes` is a multiple of the page size between the limits above.
  explicit PhysicalMemory(u64 bytes, u64 low_limit = 0x8000'0000);

  u64 bytes() const { return mapping_.bytes(); }
  u64 low_bytes() const { return low_bytes_; }
  u64 high_bytes() const { return bytes() - low_bytes_; }

  // Host memory of an address; null where there is no RAM.
  u8* host(Hpa address) const;

  // All or nothing: false when any byte of the range is no RAM. The holes and write protection of
  // the address map do not apply here: this is the DRAM itself.
  bool read(Hpa address, std::span<u8> bytes) const;
  bool write(Hpa address, std::span<const u8> bytes);

 private:
  u8* host_range(Hpa address, u64 bytes) const;

  HostMapping mapping_;
  u64 low_bytes_;
};

}  // namespace vtsim::chipset
