// The vtsim program itself: statuses, streams, and files.

#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tests/sim/support/temporary_files.h"

using vtsim::test::TemporaryFiles;

namespace {

struct Outcome {
  int status = -1;
  std::string out;
  std::string err;
};

// `arguments` go through the shell.
Outcome run_vtsim(const std::string& arguments, const std::string& environment = "") {
  const TemporaryFiles files;
  const std::string command = environment + " '" VTSIM_TEST_BINARY "' " + arguments + " > " +
                              files.path("out") + " 2> " + files.path("err") + " < /dev/null";
  const int result = std::system(command.c_str());
  return {WIFEXITED(result) ? WEXITSTATUS(result) : -1, files.read("out"), files.read("err")};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("vtsim config prints the resolved configuration of each platform") {
  for (const std::string name : {"q35-skylake", "q35-skylake-sp", "q35-penryn", "q35-nehalem",
                                 "q35-haswell", "q35-icelake-sp"}) {
    const Outcome o = run_vtsim("config " + name);
    INFO(o.err);
    CHECK(o.status == 0);
    CHECK(contains(o.out, "# Dropped"));
    CHECK(contains(o.out, "cores/"));
    CHECK(contains(o.out, "; estimate: "));
    CHECK(contains(o.out, "no effect yet: used by the timing mode"));
    CHECK(o.err.empty());
  }
}

TEST_CASE("vtsim config --json is JSON with unit, origin and source") {
  const Outcome o = run_vtsim("config q35-skylake --memory 2G --json");
  REQUIRE(o.status == 0);
  const auto json = nlohmann::json::parse(o.out);
  CHECK(json["memory.size"]["value"] == 2147483648u);
  CHECK(json["memory.size"]["unit"] == "bytes");
  CHECK(json["memory.size"]["origin"] == "--memory");
  CHECK(json["cores.mmu.stlb.latency_cycles"]["source"] == "TMA Mem_STLB_Hit_Cost, Skylake");
  CHECK(json["cores.features.avx512f"]["dropped"] == true);
}

TEST_CASE("bad usage and configuration end with 2 and say why on standard error") {
  struct Row {
    std::string arguments;
    std::string text;
  };
  const Row rows[] = {
      {"", "no command"},
      {"rnu", "did you mean 'run'?"},
      {"config", "platform"},
      {"config q35-skylaek", "did you mean 'q35-skylake'?"},
      {"config q35-skylake --set memory.siez=1G", "did you mean 'memory.size'?"},
      {"config q35-skylake --cpus 0", "--cpus: cores.count: '0' is not valid here"},
      {"run q35-skylake --kernel /no/such/file", "/no/such/file"},
      {"run q35-skylake --kernel x --gdb 1234", "--gdb: not yet available"},
      {"step q35-skylake", "not yet available"},
      {"sweep x.yaml --jobs 2", "not yet available"},
      {"report results", "not yet available"},
      {"list nothing", "nothing"},
  };
  for (const Row& row : rows) {
    const Outcome o = run_vtsim(row.arguments);
    INFO(row.arguments << ": " << o.err);
    CHECK(o.status == 2);
    CHECK(contains(o.err, row.text));
    CHECK(contains(o.err, "vtsim: "));
    CHECK(o.out.empty());
  }
}

TEST_CASE("an error in a platform file names the file and the line") {
  const TemporaryFiles files;
  const std::string path = files.write("m.yaml", "extends: machines/q35-skylake.yaml\n\ncors: 1\n");
  const Outcome o = run_vtsim("config " + path);
  CHECK(o.status == 2);
  CHECK(o.err == "vtsim: " + path + ":3: cors: unknown parameter; did you mean 'cores'?\n");
}

TEST_CASE("lists come from the declarations") {
  CHECK(contains(run_vtsim("list platforms").out, "q35-penryn         1 core, 1G; Intel(R) Core(TM)2"));
  CHECK(contains(run_vtsim("list devices").out, "pci-testdev"));
  CHECK(contains(run_vtsim("list parameters").out, "cores.mmu.stlb.entries"));
  CHECK(contains(run_vtsim("list statistics").out, "cpu{}.instructions"));
  CHECK(contains(run_vtsim("list events").out, "msr_access"));
  CHECK(contains(run_vtsim("list markers").out, "region_begin"));
  const std::string all = run_vtsim("list").out;
  CHECK(contains(all, "q35-penryn"));
  CHECK(contains(all, "cpu{}.instructions"));
}

TEST_CASE("help, version and manual end with 0") {
  CHECK(run_vtsim("--help").status == 0);
  CHECK(run_vtsim("run --help").status == 0);
  CHECK(contains(run_vtsim("--version").out, "vtsim "));
  CHECK(contains(run_vtsim("manual").out, ".TH VTSIM 1"));
}

TEST_CASE("VTSIM_PLATFORMS replaces the installed platforms") {
  const TemporaryFiles files;
  files.write("machines/mine.yaml", "cores: { preset: c }\n");
  files.write("cores/c.yaml", "brand: mine\n");
  const std::string environment = "VTSIM_PLATFORMS=" + files.root();
  CHECK(contains(run_vtsim("list platforms", environment).out, "mine"));
  CHECK(run_vtsim("config mine", environment).status == 0);
  CHECK(run_vtsim("config q35-skylake", environment).status == 2);
}

TEST_CASE("a full standard output is an error") {
  const std::string command = "'" VTSIM_TEST_BINARY "' list > /dev/full 2> /dev/null";
  const int result = std::system(command.c_str());
  CHECK(WEXITSTATUS(result) == 2);
}
