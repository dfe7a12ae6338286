// Every paging mode against the oracle: SDM 3A "Paging".

#include <random>

#include "tests/mmu/compare.h"

namespace vtsim::mmu::test {
namespace {

constexpr u64 kP = 1, kRW = 2, kUS = 4, kA = 0x20, kD = 0x40, kPS = 0x80, kG = 0x100;
constexpr u64 kXD = 1ull << 63;
constexpr u64 kOpen = kP | kRW | kUS | kA;

// One path through the tables of a mode: table of level n at 0x1000 * n, RAM below 1 MiB.
class Path {
 public:
  explicit Path(PagingMode mode) : mode_(mode) {
    context.mode = mode;
    context.physical_width = 46;
    context.pse = true;
    context.pages_1g_supported = true;
    context.cr3 = table(top());
    context.pdptes.fill(table(2) | kP);
    for (unsigned level = 1; level <= top(); ++level) open(level);
  }

  static std::vector<PagingMode> modes() {
    return {PagingMode::k32Bit, PagingMode::kPae, PagingMode::k4Level, PagingMode::k5Level};
  }
  bool narrow() const { return mode_ == PagingMode::k32Bit; }
  unsigned top() const {
    return mode_ == PagingMode::k5Level ? 5 : mode_ == PagingMode::k4Level ? 4 : 2;
  }
  bool maps_large(unsigned level) const { return level == 2 || (level == 3 && top() >= 4); }
  static u64 table(unsigned level) { return 0x1000 * level; }
  unsigned shift(unsigned level) const { return 12 + (level - 1) * (narrow() ? 10 : 9); }

  Lin linear() const {
    return Lin(narrow() ? 0x00c03456 : 0x5'1234'5678'9abc & ((1ull << shift(top() + 1)) - 1));
  }

  u64 address(unsigned level) const {
    const u64 index = (linear().value >> shift(level)) & (narrow() ? 1023 : 511);
    return table(level) + index * (narrow() ? 4 : 8);
  }
  void set(unsigned level, u64 entry) {
    if (narrow()) {
      memory.poke32(address(level), static_cast<u32>(entry));
    } else {
      memory.poke64(address(level), entry);
    }
  }
  // The address bits of an entry.
  u64 target(unsigned level, bool page) const {
    if (!page) return table(level - 1);
    return level == 1 ? 0x5000'0000ull + 0xa7000 : (narrow() ? 0x80000000u : 0x40'0000'0000ull);
  }
  void open(unsigned level) { set(level, kOpen | target(level, level == 1)); }

  void check(Access access) { compare(memory, context, linear(), access); }

  PagingContext context;
  FakeMemory memory;

 private:
  PagingMode mode_;
};

constexpr std::array<Access, 12> all_accesses() {
  std::array<Access, 12> list{};
  std::size_t n = 0;
  for (const AccessKind kind : {AccessKind::kRead, AccessKind::kWrite, AccessKind::kFetch}) {
    list[n++] = {kind, Privilege::kUser, false};
    list[n++] = {kind, Privilege::kSupervisor, false};
    list[n++] = {kind, Privilege::kSupervisor, true};
    list[n++] = {kind, Privilege::kImplicitSupervisor, true};
  }
  return list;
}
constexpr std::array<Access, 12> kAccesses = all_accesses();

// WP, SMEP, SMAP, NXE, and PGE along with them, against every access.
void for_each_environment(Path& path) {
  for (unsigned env = 0; env < 16; ++env) {
    path.context.wp = env & 1;
    path.context.smep = env & 2;
    path.context.smap = env & 4;
    path.context.nxe = env & 8;
    path.context.pge = (env ^ env >> 2) & 1;
    for (const Access access : kAccesses) path.check(access);
  }
}

// Bits `combination` picks from `choices`.
template <std::size_t n>
u64 pick(const std::array<u64, n>& choices, unsigned combination) {
  u64 entry = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (combination & 1u << i) entry |= choices[i];
  }
  return entry;
}

TEST_CASE("paging: every combination of an upper entry's and the leaf's bits") {
  for (const PagingMode mode : Path::modes()) {
    Path path(mode);
    const u64 xd = path.narrow() ? 0 : kXD;
    const std::array<u64, 7> upper{kP, kRW, kUS, kA, kPS, xd, 1ull << 51};
    const std::array<u64, 4> leaf{kRW, kUS, xd, kD};
    for (unsigned level = 2; level <= path.top(); ++level) {
      for (unsigned u = 0; u < 128; ++u) {
        if (path.narrow() && u >= 32) break;
        const u64 bits = pick(upper, u);
        const bool page = bits & kPS && path.maps_large(level);
        path.set(level, bits | path.target(level, page));
        for (unsigned l = 0; l < (page ? 1 : 16); ++l) {
          path.set(1, kP | pick(leaf, l) | path.target(1, true));
          for_each_environment(path);
        }
      }
      path.open(level);
    }
  }
}

TEST_CASE("paging: every combination of a leaf's bits, at every level that maps pages") {
  for (const PagingMode mode : Path::modes()) {
    for (unsigned level = 1; level <= 3; ++level) {
      Path path(mode);
      if (level > 1 && !path.maps_large(level)) continue;
      const u64 xd = path.narrow() ? 0 : kXD;
      const u64 ps = level == 1 ? 0 : kPS;
      const u64 pat = level == 1 ? 0x80 : 0x1000;
      const std::array<u64, 9> choices{kP, kRW, kUS, kA, kD, kG, xd, pat, 0x10};
      for (unsigned l = 0; l < 512; ++l) {
        path.set(level, pick(choices, l) | ps | path.target(level, true));
        for_each_environment(path);
      }
    }
  }
}

TEST_CASE("paging: each bit of each entry, reserved or not, for every physical-address width") {
  for (const PagingMode mode : Path::modes()) {
    for (unsigned leaf_level = 1; leaf_level <= 3; ++leaf_level) {
      Path path(mode);
      if (leaf_level > 1 && !path.maps_large(leaf_level)) continue;
      path.context.wp = true;
      for (unsigned level = leaf_level; level <= path.top(); ++level) {
        const bool page = level == leaf_level;
        const u64 entry = kOpen | path.target(level, page) | (page && level > 1 ? kPS : 0);
        for (unsigned flip = 0; flip < (path.narrow() ? 32u : 64u); ++flip) {
          path.set(level, entry ^ 1ull << flip);
          for (const u8 width : {u8{32}, u8{36}, u8{39}, u8{40}, u8{46}, u8{52}}) {
            path.context.physical_width = width;
            for (unsigned features = 0; features < 16; ++features) {
              path.context.nxe = features & 1;
              path.context.pse = features & 2;
              path.context.pse36_supported = features & 4;
              path.context.pages_1g_supported = features & 8;
              path.check({AccessKind::kWrite, Privilege::kUser, false});
            }
          }
        }
        path.set(level, entry);
      }
    }
  }
}

TEST_CASE("paging: protection keys for every key, right, WP and kind of access") {
  for (const PagingMode mode : Path::modes()) {
    Path path(mode);
    for (const u64 key : {0ull, 5ull, 15ull}) {
      for (unsigned rights = 0; rights < 4; ++rights) {
        const u64 key_bits = path.narrow() || mode == PagingMode::kPae ? 0 : key << 59;
        path.set(1, kP | pick(std::array{kRW, kUS}, rights) | key_bits | path.target(1, true));
        for (unsigned env = 0; env < 256; ++env) {
          path.context.pke = env & 1;
          path.context.pks = env & 2;
          path.context.wp = env & 4;
          path.context.smap = env & 8;
          // The key's own pair is AD, WD from `env`; all other keys allow, or deny, everything.
          const u32 others = env & 64 ? 0xffffffff : 0;
          const u32 own = 3u << (2 * key);
          path.context.pkru = (others & ~own) | (env >> 4 & 3u) << (2 * key);
          path.context.pkrs = env & 128 ? path.context.pkru : others & ~own;
          for (const Access access : kAccesses) path.check(access);
        }
      }
    }
  }
}

TEST_CASE("paging: a table entry's bits 62:59 are no protection key") {
  Path path(PagingMode::k4Level);
  path.context.pke = true;
  path.context.pkru = 0xfffffffc;  // all keys but 0 deny
  path.set(2, kOpen | 0xfull << 59 | path.target(2, false));
  CHECK(
      walk(path.context, path.linear(), {AccessKind::kRead, Privilege::kUser, false}, path.memory));
}

TEST_CASE("paging: random entries at all levels at once agree with the oracle") {
  constexpr u64 kSeed = 20240613;
  INFO("seed " << kSeed);
  std::mt19937_64 random(kSeed);
  for (const PagingMode mode : Path::modes()) {
    Path path(mode);
    for (unsigned round = 0; round < 60'000; ++round) {
      for (unsigned level = 1; level <= path.top(); ++level) {
        const u64 r = random();
        const bool page = level == 1 || (path.maps_large(level) && r % 8 == 0);
        u64 entry = kOpen | (page && level > 1 ? kPS : 0) | path.target(level, page);
        entry ^= random() & random() & random() & (kRW | kUS | kA | kD | kG | 0x18);
        if (r >> 8 & 1) entry ^= random() & random() & random() & random() & random();
        path.set(level, entry);
      }
      const u64 env = random();
      path.context.wp = env & 1;
      path.context.smep = env & 2;
      path.context.smap = env & 4;
      path.context.nxe = env & 8;
      path.context.pge = env & 16;
      path.context.pke = env & 32;
      path.context.pks = env & 64;
      path.context.pse = env & 128;
      path.context.pkru = static_cast<u32>(random() & random());
      path.context.pkrs = static_cast<u32>(random() & random());
      path.check(kAccesses[(env >> 16) % 12]);
    }
  }
}

TEST_CASE("paging: a PDPTE register that is not present ends the walk without a reference") {
  Path path(PagingMode::kPae);
  path.context.pdptes.fill(0);
  path.memory.logging = true;
  path.check({AccessKind::kRead, Privilege::kUser, false});
  CHECK(path.memory.references.empty());
}

TEST_CASE("paging: with CR0.PG = 0 linear addresses are physical, and rights are open") {
  Path path(PagingMode::k32Bit);
  path.context.mode = PagingMode::kNone;
  for (const Access access : kAccesses) path.check(access);
}

TEST_CASE("paging: a port that returns nothing gives a bus fault") {
  struct Silent : FakeMemory {
    std::optional<u64> read64(Hpa, RefKind, unsigned) override { return std::nullopt; }
  } silent;
  Path path(PagingMode::k4Level);
  const WalkResult result = walk(path.context, path.linear(), {}, silent);
  REQUIRE(!result);
  CHECK(result.fault().reason == FaultReason::kBus);
  CHECK(result.fault().level == 4);
  CHECK(pf_error_code(result.fault()) == 9);  // as an entry of all ones
}

// SDM 3A Figure "Page-Fault Error Code", spelled out.
TEST_CASE("page-fault error code: literal cases") {
  Path path(PagingMode::k4Level);
  path.context.wp = path.context.nxe = true;
  const auto code = [&](u64 leaf, Access access) {
    path.set(1, leaf | path.target(1, true));
    const WalkResult result = walk(path.context, path.linear(), access, path.memory);
    return result ? ~0u : pf_error_code(result.fault());
  };
  const Access user_write{AccessKind::kWrite, Privilege::kUser, false};
  const Access user_fetch{AccessKind::kFetch, Privilege::kUser, false};
  CHECK(code(0, {}) == 0x00);
  CHECK(code(0, user_write) == 0x06);
  CHECK(code(kP | kUS, user_write) == 0x07);
  CHECK(code(kP, {AccessKind::kRead, Privilege::kUser, false}) == 0x05);
  CHECK(code(kP | kRW | kUS | 1ull << 50, user_write) == 0x0f);
  CHECK(code(kP | kUS | kXD, user_fetch) == 0x15);
  path.context.nxe = false;
  CHECK(code(0, user_fetch) == 0x04);  // I/D needs NXE with PAE, or SMEP
  path.context.smep = true;
  CHECK(code(0, user_fetch) == 0x14);
  CHECK(code(kP, {AccessKind::kWrite, Privilege::kImplicitSupervisor, true}) == 0x03);
  path.context.pke = true;
  path.context.pkru = 1;
  CHECK(code(kP | kUS, {}) == 0x21);
  CHECK(code(kP | kUS, user_write) == 0x27);  // both the right and the key deny
}

}  // namespace
}  // namespace vtsim::mmu::test
