#include "sim/observe/commit_log.h"

#include <zstd.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "sim/observe/state_diff.h"
#include "tests/sim/support/temporary_files.h"

using namespace vtsim;
using namespace vtsim::observe;
using vtsim::test::TemporaryFiles;

namespace {

CommitRecord mov_rbx_rax() {
  CommitRecord record;
  record.core = 1;
  record.instruction = 17;
  record.cs = 0x10;
  record.rip = 0xffffffff81000000;
  record.length = 3;
  record.code = {0x48, 0x89, 0xc3};
  record.registers = {{LogRegister::kRbx, 1, {0x2a}}};
  record.writes = {{0xffff888000001000, 8, 0xff}};
  return record;
}

u64 hash_of(const CommitRecord& record) {
  CommitHash hash;
  hash.add(record);
  return hash.value();
}

// All frames of a .zst file.
std::string decompressed(const std::string& data) {
  std::string text;
  std::size_t at = 0;
  while (at < data.size()) {
    const std::size_t frame = ZSTD_findFrameCompressedSize(data.data() + at, data.size() - at);
    REQUIRE_FALSE(ZSTD_isError(frame));
    std::string part(ZSTD_getFrameContentSize(data.data() + at, frame), '\0');
    REQUIRE(ZSTD_decompress(part.data(), part.size(), data.data() + at, frame) == part.size());
    text += part;
    at += frame;
  }
  return text;
}

}  // namespace

TEST_CASE("a commit record as text") {
  CHECK(to_text(mov_rbx_rax()) ==
        "1 17 0010:ffffffff81000000 48 89 c3 | rbx=2a | [ffff888000001000]8=ff");
  CommitRecord plain = mov_rbx_rax();
  plain.registers.clear();
  plain.writes.clear();
  CHECK(to_text(plain) == "1 17 0010:ffffffff81000000 48 89 c3");
  plain.registers = {{LogRegister::kYmm0, 4, {1, 2, 0, 0}}, {LogRegister::kR7, 2, {5, 0x4000}}};
  CHECK(to_text(plain).ends_with("| ymm0=20000000000000001 r7_x87=40000000000000000005"));
}

TEST_CASE("a delivered event as text") {
  CommitRecord record = mov_rbx_rax();
  record.length = 0;
  record.event = LogEvent{14, true, 2};
  CHECK(to_text(record) ==
        "1 17 0010:ffffffff81000000 event 0e error 2 | rbx=2a | [ffff888000001000]8=ff");
  record.event = LogEvent{0x80, false, 0};
  CHECK(to_text(record).starts_with("1 17 0010:ffffffff81000000 event 80 |"));
}

TEST_CASE("the longest record has room") {
  CommitRecord record = mov_rbx_rax();
  record.core = ~u32{0};
  record.instruction = record.rip = ~u64{0};
  record.length = CommitRecord::kMaxCode;
  constexpr u64 kAll = ~u64{0};
  record.registers.assign(100, {LogRegister::kKernelGsBase, 4, {kAll, kAll, kAll, kAll}});
  record.writes.assign(100, {kAll, 8, kAll});
  const std::string text = to_text(record);
  CHECK(text.size() == 10 + 1 + 20 + 1 + 21 + 15 * 3 + 2 + 100 * (1 + 14 + 1 + 64) + 2 +
                           100 * (3 + 16 + 2 + 16));
}

TEST_CASE("a window of a log has the lines of those instructions, and the hash of all") {
  const TemporaryFiles files;
  CommitLog log({.path = files.path("c.log"), .first = 3, .last = 4});
  CommitLog all({});
  for (u64 n = 1; n < 10; ++n) {
    CommitRecord record = mov_rbx_rax();
    record.instruction = n;
    log.add(record);
    all.add(record);
  }
  log.close();
  const std::string text = files.read("c.log");
  CHECK(text.starts_with("1 3 "));
  CHECK(text.find("\n1 4 ") != std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\n') == 3);
  CHECK(log.hash() == all.hash());
}

TEST_CASE("every part of a record changes the hash") {
  const u64 hash = hash_of(mov_rbx_rax());
  CHECK(hash == hash_of(mov_rbx_rax()));
  const auto changed = [&](auto change) {
    CommitRecord record = mov_rbx_rax();
    change(record);
    return hash_of(record) != hash;
  };
  CHECK(changed([](CommitRecord& r) { r.core = 0; }));
  CHECK(changed([](CommitRecord& r) { r.instruction = 18; }));
  CHECK(changed([](CommitRecord& r) { r.cs = 8; }));
  CHECK(changed([](CommitRecord& r) { r.rip ^= 1; }));
  CHECK(changed([](CommitRecord& r) { r.length = 4; }));
  CHECK(changed([](CommitRecord& r) { r.event = LogEvent{3, false, 0}; }));
  CHECK(changed([](CommitRecord& r) { r.code[2] = 0xc1; }));
  CHECK(changed([](CommitRecord& r) { r.registers[0].reg = LogRegister::kRcx; }));
  CHECK(changed([](CommitRecord& r) { r.registers[0].value[0] = 0x2b; }));
  CHECK(changed([](CommitRecord& r) { r.registers.clear(); }));
  CHECK(changed([](CommitRecord& r) { r.writes[0].linear += 8; }));
  CHECK(changed([](CommitRecord& r) { r.writes[0].size = 4; }));
  CHECK(changed([](CommitRecord& r) { r.writes[0].value = 0xfe; }));
}

TEST_CASE("the hash depends on the order") {
  CommitRecord a = mov_rbx_rax();
  CommitRecord b = mov_rbx_rax();
  b.rip += 3;
  CommitHash ab;
  ab.add(a);
  ab.add(b);
  CommitHash ba;
  ba.add(b);
  ba.add(a);
  CHECK(ab.value() != ba.value());
  CHECK(ab.records() == 2);
}

TEST_CASE("a log ends with its hash, plain and compressed alike") {
  const TemporaryFiles files;
  std::string plain;
  for (const std::string name : {"c.log", "c.log.zst"}) {
    CommitLog log({.path = files.path(name), .disassembly = true});
    for (int i = 0; i < 20'000; ++i) log.add(mov_rbx_rax());
    log.close();
    CHECK(log.error().empty());
    const bool is_zstd = name.ends_with(".zst");
    const std::string text = is_zstd ? decompressed(files.read(name)) : files.read(name);
    CHECK(
        text.starts_with("1 17 0010:ffffffff81000000 48 89 c3 | rbx=2a | "
                         "[ffff888000001000]8=ff ; mov rbx, rax\n"));
    char last[64];
    std::snprintf(last, sizeof last, "# hash 20000 %016llx\n",
                  static_cast<unsigned long long>(log.hash()));
    CHECK(text.ends_with(last));
    if (!is_zstd) plain = text;
    CHECK(text == plain);
  }
}

TEST_CASE("without a file there is only the hash, and it is the same") {
  const TemporaryFiles files;
  CommitLog with({.path = files.path("c.log")});
  CommitLog without({});
  CommitLog null({.path = "/dev/null", .disassembly = true});
  for (int i = 0; i < 10; ++i) {
    with.add(mov_rbx_rax());
    without.add(mov_rbx_rax());
    null.add(mov_rbx_rax());
  }
  CHECK(with.hash() == without.hash());
  CHECK(with.hash() == null.hash());
}

TEST_CASE("the disassembler knows the code size, and says when it knows nothing") {
  Disassembler disassembler;
  const u8 code[] = {0xb8, 0x01, 0x00, 0x00, 0x00};
  CHECK(disassembler.text(code, 0, 64) == "mov eax, 1");
  CHECK(disassembler.text(code, 0, 16) == "mov ax, 1");
  const u8 bad[] = {0x0f, 0xff};
  CHECK(disassembler.text(std::span(bad, 1), 0, 64) == "(bad)");
}

TEST_CASE("differences of two core states are listed by register") {
  cpu::CoreState before;
  cpu::CoreState now = before;
  std::vector<RegisterChange> changes;
  append_changes(before, now, changes);
  CHECK(changes.empty());
  now.rip += 3;  // not a change: the next record tells
  now.gpr[cpu::kR9] = 5;
  now.rflags_other |= cpu::Rflags::IF.mask();
  now.seg[cpu::kSs].selector = 0x18;
  now.seg[cpu::kGs].base = 0x1234;
  now.cr3 = 0x2000;
  now.dr[3] = 7;
  now.x87.reg[2][9] = 0x40;
  now.vector.reg[15][16] = 1;
  append_changes(before, now, changes);
  std::string text;
  for (const RegisterChange& change : changes) {
    text += std::string(register_name(change.reg)) + "/" + std::to_string(change.words) + " ";
  }
  CHECK(text == "r9/1 rflags/1 ss/1 gs_base/1 cr3/1 dr3/1 r2_x87/2 ymm15/4 ");
  CHECK(changes[6].value[1] == 0x4000);
  CHECK(changes[7].value[2] == 1);

  StateTracker tracker;
  std::vector<RegisterChange> tracked;
  tracker.advance(now, tracked);
  REQUIRE(tracked.size() == changes.size());
  for (std::size_t n = 0; n < changes.size(); ++n) CHECK(tracked[n].reg == changes[n].reg);
  tracked.clear();
  tracker.advance(now, tracked);
  CHECK(tracked.empty());
  // The same flags, left by another operation, are no change.
  now.lazy = {0, 0, cpu::flag_word(cpu::FlagKind::kLogic, 2)};
  tracker.advance(now, tracked);
  REQUIRE(tracked.size() == 1);
  CHECK(tracked[0].value[0] == cpu::read_rflags(now));
  cpu::write_rflags(now, cpu::read_rflags(now));
  tracker.advance(now, tracked);
  CHECK(tracked.size() == 1);
}
