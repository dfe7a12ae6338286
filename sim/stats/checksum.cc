#include "sim/stats/checksum.h"

#include <fmt/format.h>
#include <nettle/sha2.h>

#include <array>

namespace vtsim::stats {

std::string sha256(std::span<const u8> bytes) {
  sha256_ctx context;
  sha256_init(&context);
  sha256_update(&context, bytes.size(), bytes.data());
  std::array<u8, SHA256_DIGEST_SIZE> digest{};
  sha256_digest(&context, digest.size(), digest.data());
  std::string text;
  for (const u8 byte : digest) text += fmt::format("{:02x}", byte);
  return text;
}

}  // namespace vtsim::stats
