#pragma once
// Loads an image into 64 MiB of RAM that is not zero, so that what must be cleared shows.

#include <catch2/catch.hpp>
#include <optional>
#include <string>

#include "sim/loader/loader.h"
#include "tests/sim/firmware_tables/plain_memory.h"
#include "tests/sim/loader/images.h"

namespace vtsim::test {

inline constexpr u64 kTestRam = u64{64} << 20;

struct Machine {
  firmware_tables::MemoryLayout layout = firmware_tables::q35_memory_layout(kTestRam);
  PlainMemory memory{kTestRam};

  loader::LoadedImage load(const loader::LoadRequest& request) {
    return loader::load_image(request, layout, memory);
  }
  loader::LoadedImage load(const Bytes& image) {
    loader::LoadRequest request;
    request.file = "dir/test.img";
    request.image = image;
    return load(request);
  }
  std::string c_string(u64 address) const {
    std::string out;
    while (const u64 c = memory.number(address + out.size(), 1)) {
      out.push_back(static_cast<char>(c));
    }
    return out;
  }
};

// The field that the refusal names; "" when the image is accepted.
inline std::string refused_field(const loader::LoadRequest& request) {
  Machine machine;
  try {
    machine.load(request);
  } catch (const loader::ImageError& error) {
    CHECK(error.file() == request.file);
    return error.field();
  }
  return "";
}

inline std::string refused_field(const Bytes& image) {
  loader::LoadRequest request;
  request.file = "test.img";
  request.image = image;
  return refused_field(request);
}

// A valid image with one field overwritten.
struct Spoil {
  u64 offset;
  unsigned size;
  u64 value;
  const char* field;
};

inline void check_spoils(const Bytes& valid, std::initializer_list<Spoil> rows) {
  REQUIRE(refused_field(valid) == "");
  for (const Spoil& row : rows) {
    INFO("offset " << row.offset << " value " << row.value);
    Bytes image = valid;
    put(image, row.offset, row.value, row.size);
    CHECK(refused_field(image) == row.field);
  }
}

}  // namespace vtsim::test
