// Whatever bytes a file holds, the loader either refuses it with an ImageError or leaves a sound
// state. Under ASan and UBSan this also finds stray accesses.

#include <random>

#include "tests/sim/loader/loader_fixture.h"

namespace vtsim::loader {
namespace {

using test::Bytes;

constexpr u32 kSeed = 20250611;
constexpr int kRounds = 3000;

std::vector<Bytes> valid_images() {
  test::ElfSpec pvh = test::one_segment(64);
  pvh.note = test::pvh_note(2 << 20);
  test::ElfSpec multiboot1 = test::one_segment(32);
  multiboot1.prefix = test::multiboot1_header(3);
  const Bytes tags = test::multiboot2_tag(1, 0, {4, 6});
  const Bytes entry = test::multiboot2_tag(3, 0, {(2 << 20) + 8});
  Bytes both = tags;
  both.insert(both.end(), entry.begin(), entry.end());
  test::ElfSpec multiboot2 = test::one_segment(64);
  multiboot2.prefix = test::multiboot2_header(both);
  test::ElfSpec two = test::one_segment(64);
  two.segments.push_back({3 << 20, 3 << 20, Bytes(100, 7), 200});
  return {test::bzimage(),       test::elf(pvh), test::elf(multiboot1),
          test::elf(multiboot2), test::elf(two), test::multiboot1_flat()};
}

// Flips, overwrites with interesting numbers, cuts. Headers are short: most changes go there.
void mutate(Bytes& image, std::mt19937& random) {
  static constexpr u64 kInteresting[] = {
      0,        1,       0x7f,    0xff,         0xffff,     0x80000000, 0xffffffff,  0xfffffff0,
      0x100000, 0x9fc00, ~u64{0}, u64{1} << 63, 0x3ffffff0, 0x1000,     ~u64{0} - 7, 0x4000000};
  const auto pick = [&](u64 below) {
    return std::uniform_int_distribution<u64>(0, below - 1)(random);
  };
  const u64 changes = 1 + pick(4);
  for (u64 i = 0; i < changes && !image.empty(); ++i) {
    const u64 at = pick(pick(2) ? image.size() : std::min<u64>(image.size(), 700));
    const unsigned size = 1u << pick(4);
    switch (pick(8)) {
      case 0:
        image.resize(at);
        break;
      case 1:
      case 2:
        image[at] = static_cast<u8>(image[at] ^ (1u << pick(8)));
        break;
      default:
        if (at + size <= image.size()) test::put(image, at, kInteresting[pick(16)], size);
    }
  }
}

void check_sound(const LoadedImage& loaded, const firmware_tables::MemoryLayout& layout) {
  const auto& claims = loaded.claims;
  bool entry_inside = false;
  for (std::size_t i = 0; i < claims.size(); ++i) {
    REQUIRE(layout.usable_range(claims[i].base, claims[i].bytes) != nullptr);
    for (std::size_t j = 0; j < i; ++j) {
      REQUIRE((claims[i].base + claims[i].bytes <= claims[j].base ||
               claims[j].base + claims[j].bytes <= claims[i].base));
    }
    const u64 rip = loaded.entry.cs.base + loaded.entry.rip;
    entry_inside |= Hpa(rip) >= claims[i].base && Hpa(rip) < claims[i].base + claims[i].bytes;
  }
  REQUIRE(entry_inside);
}

TEST_CASE("Mutated images are refused or leave a sound state") {
  std::mt19937 random(kSeed);
  test::Machine machine;
  const Bytes initrd(3000, 1);
  int accepted = 0, refused = 0;
  for (const Bytes& valid : valid_images()) {
    for (int round = 0; round < kRounds; ++round) {
      Bytes image = valid;
      mutate(image, random);
      INFO("seed " << kSeed << " round " << round << " size " << image.size());
      LoadRequest request{"m", image, {{"initrd", "", initrd}}, "x", {}, Hpa(0xe0000)};
      try {
        check_sound(machine.load(request), machine.layout);
        ++accepted;
      } catch (const ImageError&) {
        ++refused;
      }
    }
  }
  // Both ways must be common, or the mutations are too weak or too strong to tell anything.
  CHECK(accepted > kRounds / 2);
  CHECK(refused > kRounds / 2);
}

}  // namespace
}  // namespace vtsim::loader
