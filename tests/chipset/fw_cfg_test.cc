#include "model/chipset/fw_cfg.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>

using namespace vtsim;
using namespace vtsim::chipset;

namespace {

constexpr Ps kNow = 3;
constexpr u64 kSelector = 0, kData = 1, kDmaHigh = 4, kDmaLow = 8;
constexpr u32 kError = 1, kRead = 2, kSkip = 4, kSelect = 8, kWrite = 16;

using Bytes = std::vector<u8>;

struct Memory : MemoryPort {
  Bytes bytes = Bytes(0x20000, 0xee);
  bool inside(Hpa address, std::size_t size) const {
    return address.value <= bytes.size() && size <= bytes.size() - address.value;
  }
  bool read(Hpa address, std::span<u8> data, Ps) override {
    if (!inside(address, data.size())) return false;
    std::memcpy(data.data(), &bytes[address.value], data.size());
    return true;
  }
  bool write(Hpa address, std::span<const u8> data, Ps) override {
    if (!inside(address, data.size())) return false;
    std::memcpy(&bytes[address.value], data.data(), data.size());
    return true;
  }
};

struct Fixture {
  Memory memory;
  FwCfg device{memory};

  Bytes read_item(u16 key, std::size_t count) {
    device.write(kSelector, 2, key, kNow);
    Bytes out;
    for (std::size_t i = 0; i < count; ++i) {
      out.push_back(static_cast<u8>(device.read(kData, 1, kNow)));
    }
    return out;
  }
  // Runs a descriptor at 0x1000 and returns its control word afterwards.
  u32 dma(u32 control, u32 length, u64 address) {
    u8* at = &memory.bytes[0x1000];
    const auto put = [&at](u64 value, int size) {
      while (size-- > 0) *at++ = static_cast<u8>(value >> 8 * size);
    };
    put(control, 4);
    put(length, 4);
    put(address, 8);
    device.write(kDmaHigh, 4, 0, kNow);
    device.write(kDmaLow, 4, __builtin_bswap32(0x1000), kNow);
    u32 result = 0;
    std::memcpy(&result, &memory.bytes[0x1000], 4);
    return __builtin_bswap32(result);
  }
  Bytes at(u64 address, std::size_t count) const {
    const auto begin = memory.bytes.begin() + static_cast<std::ptrdiff_t>(address);
    return {begin, begin + static_cast<std::ptrdiff_t>(count)};
  }
};

}  // namespace

TEST_CASE("fw_cfg: the signature, and the interface with DMA") {
  Fixture f;
  CHECK(f.read_item(0x00, 5) == Bytes{'Q', 'E', 'M', 'U', 0});
  CHECK(f.read_item(0x01, 4) == Bytes{3, 0, 0, 0});
  CHECK(f.device.read(kDmaHigh, 4, kNow) == 0x554d'4551);  // 'Q' in the first port
  CHECK(f.device.read(kDmaLow, 4, kNow) == 0x4746'4320);
  CHECK(f.device.read(kDmaHigh, 1, kNow) == 'Q');
}

TEST_CASE("fw_cfg: selecting starts at an item's beginning; unknown items and ends read as zero") {
  Fixture f;
  f.device.add_item(FwCfg::kCores, {4, 0});
  CHECK(f.read_item(FwCfg::kCores, 3) == Bytes{4, 0, 0});
  CHECK(f.read_item(FwCfg::kCores, 1) == Bytes{4});
  CHECK(f.read_item(0x3333, 2) == Bytes{0, 0});
}

TEST_CASE("fw_cfg: the directory has size, key and name of each file, big-endian") {
  Fixture f;
  f.device.add_file("etc/e820", Bytes(20, 7));
  const u16 key = f.device.add_file("bootorder", {1, 2, 3});
  const Bytes directory = f.read_item(FwCfg::kDirectory, 4 + 2 * 64);
  CHECK(Bytes(directory.begin(), directory.begin() + 4) == Bytes{0, 0, 0, 2});
  const auto entry = directory.begin() + 4 + 64;
  CHECK(Bytes(entry, entry + 8) == Bytes{0, 0, 0, 3, 0, 0x21, 0, 0});
  CHECK(std::string(entry + 8, entry + 8 + 9) == "bootorder");
  CHECK(std::all_of(entry + 8 + 9, directory.end(), [](u8 b) { return b == 0; }));
  CHECK(f.read_item(key, 3) == Bytes{1, 2, 3});
}

TEST_CASE("fw_cfg: the data port is read-only") {
  Fixture f;
  f.device.add_item(0x100, {1, 2});
  f.device.write(kSelector, 2, 0x100, kNow);
  f.device.write(kData, 1, 0x99, kNow);
  CHECK(f.read_item(0x100, 2) == Bytes{1, 2});
}

TEST_CASE("fw_cfg: DMA selects, skips and reads; behind the end come zeros") {
  Fixture f;
  f.device.add_item(0x100, {1, 2, 3, 4, 5});
  CHECK(f.dma(0x100 << 16 | kSelect | kRead, 2, 0x2000) == 0);
  CHECK(f.at(0x2000, 3) == Bytes{1, 2, 0xee});
  CHECK(f.dma(kSkip, 1, 0) == 0);
  CHECK(f.dma(kRead, 4, 0x2000) == 0);
  CHECK(f.at(0x2000, 5) == Bytes{4, 5, 0, 0, 0xee});
  CHECK(f.dma(0x100 << 16 | kSelect, 0, 0) == 0);
  CHECK(f.device.read(kData, 1, kNow) == 1);
}

TEST_CASE("fw_cfg: DMA of a long file is whole") {
  Fixture f;
  Bytes contents(0x1'2345);
  for (std::size_t i = 0; i < contents.size(); ++i) contents[i] = static_cast<u8>(i * 7);
  const u16 key = f.device.add_file("big", contents);
  CHECK(f.dma(u32{key} << 16 | kSelect | kRead, 0x1'2345, 0x2000) == 0);
  CHECK(f.at(0x2000, contents.size()) == contents);
}

TEST_CASE("fw_cfg: DMA to where no memory is, or into a read-only item, reports an error") {
  Fixture f;
  f.device.add_item(0x100, {1, 2});
  CHECK(f.dma(0x100 << 16 | kSelect | kRead, 4, 0xffff'ffff'0000) == kError);
  CHECK(f.dma(0x100 << 16 | kSelect | kWrite, 2, 0x2000) == kError);
  CHECK(f.read_item(0x100, 2) == Bytes{1, 2});
}

TEST_CASE("fw_cfg: a writable file takes DMA writes within its size and tells its owner") {
  Fixture f;
  std::vector<Bytes> heard;
  const u16 key = f.device.add_writable_file("etc/vmgenid_addr", Bytes(4), [&](auto contents, Ps) {
    heard.emplace_back(contents.begin(), contents.end());
  });
  f.memory.bytes[0x2000] = 0x5a;
  f.memory.bytes[0x2001] = 0x5b;
  CHECK(f.dma(u32{key} << 16 | kSelect | kWrite, 2, 0x2000) == 0);
  CHECK(f.dma(kWrite, 3, 0x2000) == kError);  // two bytes are left
  CHECK(heard == std::vector<Bytes>{{0x5a, 0x5b, 0, 0}});
  CHECK(f.read_item(key, 4) == Bytes{0x5a, 0x5b, 0, 0});
}

TEST_CASE("fw_cfg: state is position and the contents that a guest wrote") {
  Fixture f;
  const u16 key = f.device.add_writable_file("file", Bytes(2), {});
  f.memory.bytes[0x2000] = 9;
  f.dma(u32{key} << 16 | kSelect | kWrite, 1, 0x2000);
  const FwCfg::State state = f.device.state();
  Fixture g;
  g.device.add_writable_file("file", Bytes(2), {});
  g.device.restore(state);
  CHECK(g.device.read(kData, 1, kNow) == 0);
  CHECK(g.read_item(key, 2) == Bytes{9, 0});
}
