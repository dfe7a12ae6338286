#include "sim/config/resolve.h"

#include <catch2/catch.hpp>

#include "sim/config/print.h"
#include "tests/sim/support/temporary_files.h"

using namespace vtsim;
using namespace vtsim::config;
using vtsim::test::TemporaryFiles;

namespace {

PlatformFiles source_platforms() { return PlatformFiles({VTSIM_TEST_PLATFORMS}); }

Resolved resolve_text(const std::string& text, std::vector<Override> overrides = {},
                      std::vector<std::string> devices = {}) {
  const TemporaryFiles files;
  return resolve({files.write("m.yaml", text), std::move(overrides), std::move(devices)},
                 source_platforms());
}

// What resolving `text` says is wrong; the file's name is replaced by "m.yaml".
ConfigError::Parts error_of(const std::string& text, std::vector<Override> overrides = {},
                            std::vector<std::string> devices = {}) {
  try {
    resolve_text(text, std::move(overrides), std::move(devices));
  } catch (const ConfigError& error) {
    auto parts = error.parts();
    if (parts.file.ends_with("/m.yaml")) parts.file = "m.yaml";
    return parts;
  }
  FAIL("no error for: " << text);
  return {};
}

const Setting& setting(const Resolved& resolved, const std::string& key) {
  for (const Setting& s : resolved.settings) {
    if (s.parameter.key == key) return s;
  }
  throw std::runtime_error("no setting " + key);
}

}  // namespace

TEST_CASE("later layers win: defaults, preset, extended file, platform, options") {
  const TemporaryFiles files;
  files.write("cores/tiny.yaml",
              "mmu: { stlb: { entries: 512, ways: 4, latency_cycles: 7 } }\n"
              "family: 6\nmodel: 0x1e\n");
  files.write("base.yaml",
              "memory: { size: 1G }\nquantum: 50us\ncores: { mmu: { stlb: { ways: 8 } } }\n");
  files.write("machines/m.yaml",
              "extends: base.yaml\ncores: { preset: tiny, count: 2 }\nmemory: { size: 2G }\n");
  const PlatformFiles platforms({files.root()});
  const Resolved r = resolve({"m", {{"--set", "memory.size", "3G"}}, {}}, platforms);
  CHECK(r.machine.memory.bytes == u64{3} << 30);
  CHECK(r.machine.quantum == 50'000'000);
  CHECK(r.machine.cores.topology.cores_per_package == 2);
  CHECK(r.machine.cores.model.model == 0x1e);
  CHECK(r.machine.cores.mmu.stlb.entries == 512);
  CHECK(r.machine.cores.mmu.stlb.ways == 8);
  CHECK(r.machine.cores.mmu.stlb.latency_cycles == 7);
  CHECK(r.machine.random_seed == 1);
  CHECK(setting(r, "memory.size").origin.place() == "--set");
  CHECK(setting(r, "quantum").origin.place() == files.path("base.yaml") + ":2");
  CHECK(setting(r, "cores.count").origin.place() == files.path("machines/m.yaml") + ":2");
  CHECK(setting(r, "cores.mmu.stlb.entries").origin.place() ==
        files.path("cores/tiny.yaml") + ":1");
  CHECK(setting(r, "random_seed").origin.is_default());
}

TEST_CASE("--set of the preset exchanges the processor below everything else") {
  const Resolved r =
      resolve({"q35-skylake", {{"--set", "cores.preset", "penryn"}}, {}}, source_platforms());
  CHECK(r.machine.cores.model.model == 0x17);
  CHECK(r.machine.cores.mmu.stlb.entries == 0);
}

TEST_CASE("a value carries its source, from itself or from its group") {
  const Resolved r = resolve_text(
      "cores:\n"
      "  mmu:\n"
      "    stlb: { entries: 1536, latency_cycles: { value: 9, source: \"TMA\" }, source: \"book\" "
      "}\n"
      "    dtlb_4k: { entries: { value: 64, source: \"estimate: guess\" } }\n");
  CHECK(setting(r, "cores.mmu.stlb.entries").origin.source == "book");
  CHECK(setting(r, "cores.mmu.stlb.latency_cycles").origin.source == "TMA");
  CHECK(setting(r, "cores.mmu.dtlb_4k.entries").origin.is_estimate());
  CHECK_FALSE(setting(r, "cores.mmu.stlb.entries").origin.is_estimate());
  CHECK(r.machine.cores.mmu.stlb.latency_cycles == 9);
}

TEST_CASE("dotted keys and nested groups mean the same") {
  const Resolved r = resolve_text("cores.mmu.stlb: { entries: 96 }\ncores:\n  mmu.stlb.ways: 6\n");
  CHECK(r.machine.cores.mmu.stlb.entries == 96);
  CHECK(r.machine.cores.mmu.stlb.ways == 6);
}

TEST_CASE("each error names file, line, key, what was expected and the nearest name") {
  struct Row {
    std::string text;
    int line;
    std::string key;
    std::string problem;
    std::string expected;
    std::string nearest;
  };
  const Row rows[] = {
      {"memory: { size: 1G }\ncores:\n  cuont: 2\n", 3, "cores.cuont", "unknown parameter", "",
       "cores.count"},
      {"cores: { mmu: { slb: { entries: 4 } } }\n", 1, "cores.mmu.slb", "unknown parameter", "",
       "cores.mmu.stlb"},
      {"cores: { stlb: { entries: 4 } }\n", 1, "cores.stlb", "unknown parameter", "", ""},
      {"memroy: { size: 1G }\n", 1, "memroy", "unknown parameter", "", "memory"},
      {"cores:\n  count: many\n", 2, "cores.count", "'many' is not valid here",
       "an integer from 1 to 64", ""},
      {"cores:\n  count: 65\n", 2, "cores.count", "'65' is not valid here",
       "an integer from 1 to 64", ""},
      {"cores:\n  count: -1\n", 2, "cores.count", "'-1' is not valid here",
       "an integer from 1 to 64", ""},
      {"cores:\n  count:\n", 2, "cores.count", "nothing is not valid here",
       "an integer from 1 to 64", ""},
      {"cores:\n  count: [1, 2]\n", 2, "cores.count", "a list is not valid here",
       "an integer from 1 to 64", ""},
      {"memory: { size: 2 }\n", 1, "memory.size", "'2' is not valid here",
       "a size such as 2G or 512M from 4M to 1T", ""},
      {"quantum: 10\n", 1, "quantum", "'10' is not valid here",
       "a time with its unit such as 10s or 70ns from 1ns to 1s", ""},
      {"guest_clock: instruction\n", 1, "guest_clock", "'instruction' is not valid here",
       "one of instructions, cycles", "instructions"},
      {"chipset: { hpet: { present: maybe } }\n", 1, "chipset.hpet.present",
       "'maybe' is not valid here", "true or false", ""},
      {"cores: 4\n", 1, "cores", "this is a group of parameters", "name: value lines", ""},
      {"cores:\n  features: [fpu,\n    sse42]\n", 3, "cores.features.sse42", "unknown feature", "",
       "cores.features.sse4_2"},
      {"cores: { msr: { IA32_MISC_ENABEL: 1 } }\n", 1, "cores.msr.IA32_MISC_ENABEL",
       "unknown parameter", "", "cores.msr.IA32_MISC_ENABLE"},
      {"cores: { cpuid: { leaf: { 0x6: [1, 2, 3] } } }\n", 1, "cores.cpuid.leaf.0x6",
       "a list is not valid here", "a list of 4 integers up to 0xffffffff", ""},
      {"cores:\n  cpuid: { leaf: { 0x7: [0, 0, 0, 0] } }\n", 2, "cores.cpuid.leaf.0x7",
       "this leaf is composed from other parameters", "cores.features, cores.cpuid", ""},
      {"cores: { count: { valu: 1 } }\n", 1, "cores.count", "'valu' is not valid here",
       "a value, or {value: ..., source: \"...\"}", ""},
      {"cores: { count: { source: x } }\n", 1, "cores.count", "no value",
       "a value, or {value: ..., source: \"...\"}", ""},
      {"- a\n", 1, "", "not a platform file", "parameters: values", ""},
      {"extends: nowhere.yaml\n", 1, "extends", "there is no file 'nowhere.yaml'",
       "a YAML file beside this one or below platforms/", ""},
      {"\nextends: m.yaml\n", 2, "extends", "more than 16 files extend each other", "no circle",
       ""},
      {"cores:\n  preset: skylaek\n", 0, "", "there is no processor preset 'skylaek'",
       "a YAML file or one of haswell, icelake-sp, nehalem, penryn, skylake, skylake-sp",
       "skylake"},
      {"devices:\n  - { knd: x }\n", 2, "devices[0]", "no kind",
       "{kind: ..., bdf: \"bus:device.function\"}", ""},
      {"devices:\n  - { kind: pci-testdve }\n", 2, "devices[0].kind",
       "unknown kind of device 'pci-testdve'", "one of `vtsim list devices`", "pci-testdev"},
      {"devices:\n  - { kind: pci-testdev,\n      bfd: \"0:3.0\" }\n", 3, "devices[0].bfd",
       "a pci-testdev has no such option", "", "bdf"},
      {"devices: [{ kind: pci-testdev, bdf: \"0:32.0\" }]\n", 1, "devices[0].bdf",
       "'0:32.0' is not valid here", "bus:device.function in hexadecimal, such as 01:00.0", ""},
      {"devices: [{ kind: nvme }]\n", 1, "devices[0].kind",
       "the device 'nvme' is not yet available", "one of `vtsim list devices`", ""},
      {"devices:\n- { kind: pci-testdev, bdf: \"0:3.0\" }\n- { kind: pci-testdev, bdf: \"0:3.0\" "
       "}\n",
       3, "devices[1].bdf", "taken by pci-testdev", "another bus:device.function", ""},
      {"devices:\n  - { kind: pci-testdev, bdf: \"00:1f.6\" }\n", 2, "devices[0].bdf",
       "taken by the chipset", "another bus:device.function", ""},
      {"devices:\n  - { kind: pci-testdev, bdf: \"01:00.0\" }\n", 2, "devices[0].bdf",
       "this platform has bus 00 only", "another bus:device.function", ""},
      {"cores:\n  mmu:\n    stlb: { entries: 1000, ways: 12 }\n", 3, "cores.mmu.stlb.entries",
       "1000 entries in 12 ways", "a multiple of the number of ways", ""},
      {"cores:\n  vendor: Intel\n", 2, "cores.vendor", "5 characters", "12", ""},
      {"memory: { size: 8388609 }\n", 1, "memory.size", "not whole pages", "a multiple of 4K", ""},
      {"cores: { preset: penryn }\nmemory: { size: 64G }\n", 2, "memory.size",
       "beyond the processor's physical addresses", "what fits 36 bits", ""},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    const auto parts = error_of(row.text);
    if (row.line > 0) CHECK(parts.file == "m.yaml");
    CHECK(parts.line == row.line);
    CHECK(parts.key == row.key);
    CHECK(parts.problem == row.problem);
    CHECK(parts.expected == row.expected);
    CHECK(parts.nearest == row.nearest);
  }
}

TEST_CASE("an error's text holds all its parts") {
  const ConfigError error({.file = "a.yaml",
                           .line = 7,
                           .key = "cores.cuont",
                           .problem = "unknown parameter",
                           .expected = "this",
                           .nearest = "cores.count"});
  CHECK(std::string(error.what()) ==
        "a.yaml:7: cores.cuont: unknown parameter; expected this; did you mean 'cores.count'?");
}

TEST_CASE("errors of options name the option") {
  const auto wrong_key = error_of("{}", {parse_set("memory.siez=2G")});
  CHECK(wrong_key.file == "--set");
  CHECK(wrong_key.nearest == "memory.size");
  const auto wrong_value = error_of("{}", {{"--cpus", "cores.count", "0"}});
  CHECK(wrong_value.file == "--cpus");
  CHECK(wrong_value.key == "cores.count");
  CHECK(wrong_value.expected == "an integer from 1 to 64");
  const auto broken_list = error_of("{}", {{"--set", "devices", "[{kind: "}});
  CHECK(broken_list.file == "--set");
  CHECK(error_of("{}", {}, {"floppy"}).file == "--device");
  CHECK(error_of("{}", {}, {"pci-testdev,bdf"}).problem == "no value");
  CHECK_THROWS_AS(parse_set("nothing"), ConfigError);
  CHECK_THROWS_AS(parse_set("=1"), ConfigError);
}

TEST_CASE("devices of a platform and of options add up") {
  const Resolved r = resolve_text("devices: [{ kind: pci-testdev, bdf: \"00:04.0\" }]\n", {},
                                  {"pci-testdev,bdf=00:1e.7"});
  REQUIRE(r.machine.devices.size() == 2);
  CHECK(r.machine.devices[0].bdf == 4 << 3);
  CHECK(r.machine.devices[1].bdf == ((0x1e << 3) | 7));
}

TEST_CASE("what is offered is silicon and implemented, less what the user masks") {
  const Resolved r = resolve_text("cores: { preset: skylake, features: { sse4_2: false } }\n");
  const CoresConfig& cores = r.machine.cores;
  CHECK_FALSE(cores.offered[cpu::Feature::kSse42]);
  CHECK(cores.offered[cpu::Feature::kSse41]);
  CHECK_FALSE(cores.offered[cpu::Feature::kAvx512f]);
  const auto dropped = [&](const std::string& name) {
    return std::any_of(cores.dropped.begin(), cores.dropped.end(),
                       [&](const DroppedFeature& f) { return f.name == name; });
  };
  CHECK(dropped("avx512f"));
  CHECK(dropped("rtm"));
  CHECK(dropped("mpx"));
  CHECK(dropped("intel_pt"));
  CHECK_FALSE(dropped("sse4_2"));
  CHECK_FALSE(dropped("sse4_1"));
  for (const auto name : cores.offered.names()) CHECK_FALSE(dropped(std::string(name)));
}

TEST_CASE("an MSR bit of a feature that is not offered is cleared, the others stay") {
  const auto platform_info = [](const Resolved& r) {
    const auto& msrs = r.machine.cores.model.msrs;
    return std::find_if(msrs.begin(), msrs.end(), [](const auto& m) { return m.index == 0xce; })
        ->reset;
  };
  constexpr Flag kCpuidFaulting{31};
  const Resolved with = resolve({"q35-skylake", {}, {}}, source_platforms());
  CHECK((platform_info(with) & kCpuidFaulting.mask()) != 0);
  const Resolved without = resolve(
      {"q35-skylake", {{"--set", "cores.features.cpuid_fault", "false"}}, {}}, source_platforms());
  CHECK(platform_info(without) == (platform_info(with) & ~kCpuidFaulting.mask()));
  const Resolved nehalem = resolve({"q35-nehalem", {}, {}}, source_platforms());
  const auto& dropped = nehalem.machine.cores.dropped;
  CHECK(std::any_of(dropped.begin(), dropped.end(),
                    [](const DroppedFeature& f) { return f.name == "flexmigration_v2"; }));
}

TEST_CASE("a printed configuration resolves to the same machine") {
  for (const std::string& name : source_platforms().machines()) {
    INFO(name);
    const Resolved first = resolve(
        {name,
         {{"--set", "cores.features.sse4_2", "false"}, {"--set", "cores.msr.0x123", "[1, 2]"}},
         {"pci-testdev,bdf=00:05.0"}},
        source_platforms());
    const TemporaryFiles files;
    const Resolved second =
        resolve({files.write("again.yaml", to_yaml(first)), {}, {}}, source_platforms());
    CHECK(to_json(first).dump(1) == to_json(second).dump(1));
    CHECK(first.machine.cores.offered == second.machine.cores.offered);
    CHECK(first.machine.cores.model.msrs == second.machine.cores.model.msrs);
    CHECK(first.machine.cores.model.raw_leaves == second.machine.cores.model.raw_leaves);
  }
}

TEST_CASE("a platform is looked up by path and by name, with a suggestion") {
  const PlatformFiles platforms = source_platforms();
  CHECK(platforms.machine("q35-skylake").ends_with("machines/q35-skylake.yaml"));
  CHECK(platforms.machine("q35-skylake.yaml").ends_with("machines/q35-skylake.yaml"));
  const std::string path = std::string(VTSIM_TEST_PLATFORMS) + "/machines/q35-penryn.yaml";
  CHECK(platforms.machine(path) == path);
  try {
    platforms.machine("q35-skylaek");
    FAIL("found");
  } catch (const ConfigError& error) {
    CHECK(error.parts().nearest == "q35-skylake");
    CHECK(error.parts().expected.find("q35-icelake-sp") != std::string::npos);
  }
  CHECK_THROWS_AS(platforms.machine("no/such/file.yaml"), ConfigError);
  CHECK_THROWS_AS(platforms.machine(""), ConfigError);
}
