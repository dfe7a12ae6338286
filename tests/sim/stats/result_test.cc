#include "sim/stats/result.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "sim/stats/atomic_file.h"
#include "sim/stats/checksum.h"
#include "sim/stats/version.h"
#include "tests/sim/support/temporary_files.h"

using namespace vtsim;
using namespace vtsim::stats;
using vtsim::test::TemporaryFiles;

namespace {

Result example() {
  Result result;
  result.command = {"vtsim", "run", "q35-skylake", "--append", "console=ttyS0 it's"};
  result.configuration = {{"cores", {{"count", 1}}}};
  result.images = {{"kernel", "/boot/vmlinuz", 5, "abc"}};
  result.ended = true;
  result.exit_status = 8;
  result.end_reason = "--fail-on matched";
  result.commit_log_hash = 0x12ab;
  result.snapshots = {{"marker 5, \"x\"", {{"cpu0.cycles", "cycles", "of the core", 41}}},
                      {"end", {{"cpu0.cycles", "cycles", "of the core", ~u64{0}}}}};
  return result;
}

std::string repeated_a(std::size_t count) { return std::string(count, 'a'); }

std::string sha256_of(const std::string& text) {
  return sha256({reinterpret_cast<const u8*>(text.data()), text.size()});
}

}  // namespace

TEST_CASE("SHA-256 of the examples of FIPS 180-2") {
  CHECK(sha256_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256_of(repeated_a(1'000'000)) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("a result in JSON records command, configuration, images, version, end and values") {
  const auto json = nlohmann::json::parse(to_text(example(), Format::kJson));
  CHECK(json["vtsim"] == version());
  CHECK(json["command"][4] == "console=ttyS0 it's");
  CHECK(json["configuration"]["cores"]["count"] == 1);
  CHECK(json["images"][0]["sha256"] == "abc");
  CHECK(json["ended"] == true);
  CHECK(json["exit_status"] == 8);
  CHECK(json["commit_log_hash"] == "00000000000012ab");
  CHECK(json["snapshots"].size() == 2);
  CHECK(json["snapshots"][1]["label"] == "end");
  CHECK(json["snapshots"][1]["statistics"]["cpu0.cycles"] == ~u64{0});
  CHECK(json["units"]["cpu0.cycles"] == "cycles");
}

TEST_CASE("a result that was written on the way says so") {
  Result result = example();
  result.ended = false;
  const auto json = nlohmann::json::parse(to_text(result, Format::kJson));
  CHECK(json["ended"] == false);
  CHECK_FALSE(json.contains("exit_status"));
  CHECK(to_text(result, Format::kText).find("# end: not yet\n") != std::string::npos);
}

TEST_CASE("a result in CSV has one row a value, with quoted labels") {
  const std::string csv = to_text(example(), Format::kCsv);
  CHECK(csv.find("snapshot,label,statistic,value,unit\n"
                 "0,\"marker 5, \"\"x\"\"\",cpu0.cycles,41,cycles\n"
                 "1,end,cpu0.cycles,18446744073709551615,cycles\n") != std::string::npos);
  CHECK(csv.find("# command: vtsim run q35-skylake --append 'console=ttyS0 it'\\''s'\n") !=
        std::string::npos);
}

TEST_CASE("a result as text names unit and meaning") {
  const std::string text = to_text(example(), Format::kText);
  CHECK(text.find("---------- end\n") != std::string::npos);
  CHECK(text.find("# of the core") != std::string::npos);
  CHECK(text.find("# end: --fail-on matched (exit status 8)\n") != std::string::npos);
}

TEST_CASE("bytes that are not UTF-8 leave valid JSON") {
  Result result = example();
  result.command[4] = "\xff\xfe";
  CHECK_NOTHROW(nlohmann::json::parse(to_text(result, Format::kJson)));
  CHECK_NOTHROW(to_text(result, Format::kCsv));
}

TEST_CASE("the format follows from the name") {
  CHECK(format_of("a/b.json") == Format::kJson);
  CHECK(format_of("b.csv") == Format::kCsv);
  CHECK(format_of("b.txt") == Format::kText);
  CHECK_FALSE(format_of("b.yaml").has_value());
  CHECK_FALSE(write_result(example(), "/tmp/b.yaml").empty());
}

TEST_CASE("a file is replaced as a whole or not at all") {
  const TemporaryFiles files;
  const std::string path = files.write("r.json", "old");
  CHECK(write_atomically(path, "new").empty());
  CHECK(files.read("r.json") == "new");
  CHECK_FALSE(std::filesystem::exists(path + ".tmp"));
  const std::string nowhere = files.path("no/such/r.json");
  CHECK(write_atomically(nowhere, "x").find(nowhere) == 0);
}

TEST_CASE("a full disk leaves the old file and no rest") {
  // /dev/full answers every write with ENOSPC.
  CHECK(write_atomically("/dev/full", "x").find("/dev/full: cannot be written: No space") == 0);
  CHECK(std::filesystem::is_character_file("/dev/full"));
}
