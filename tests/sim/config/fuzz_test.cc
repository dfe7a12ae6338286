// Random YAML: seeded mutations of real platform files, and random text. Whatever it is, resolving
// it ends soon, either well or with a ConfigError; nothing crashes.

#include <catch2/catch.hpp>
#include <chrono>
#include <random>

#include "sim/config/print.h"
#include "sim/config/resolve.h"
#include "tests/sim/support/temporary_files.h"

using namespace vtsim;
using namespace vtsim::config;
using vtsim::test::TemporaryFiles;

namespace {

constexpr u64 kSeed = 20240229;
constexpr int kRounds = 1500;

using Random = std::mt19937_64;

std::size_t below(Random& random, std::size_t limit) { return random() % limit; }

const std::vector<std::string>& fragments() {
  static const std::vector<std::string> list = {":",
                                                ": ",
                                                "- ",
                                                "\n",
                                                "\n  ",
                                                "{",
                                                "}",
                                                "[",
                                                "]",
                                                ",",
                                                "#",
                                                "\"",
                                                "'",
                                                "&a ",
                                                "*a",
                                                "<<: ",
                                                "!!int",
                                                "|\n",
                                                ">\n",
                                                "? ",
                                                "---\n",
                                                "...\n",
                                                "%TAG ",
                                                "\t",
                                                "\\x",
                                                "null",
                                                "~",
                                                "true",
                                                "-1",
                                                "0x",
                                                "1e99",
                                                ".inf",
                                                "99999999999999999999",
                                                "cores",
                                                "cores.count: ",
                                                "extends: ",
                                                "devices: ",
                                                "value: ",
                                                "source: ",
                                                "features: ",
                                                "preset: ",
                                                "\xff\xfe",
                                                std::string(1, '\0'),
                                                "\r\n",
                                                "\u2028",
                                                "[[[[[[[[[[[[",
                                                "{{{{{{{{",
                                                "kind: pci-testdev",
                                                "size: ",
                                                "\xef\xbb\xbf",
                                                "@",
                                                "`"};
  return list;
}

std::string mutated(std::string text, Random& random) {
  const std::size_t changes = 1 + below(random, 6);
  for (std::size_t i = 0; i < changes; ++i) {
    const std::size_t at = below(random, text.size() + 1);
    const std::size_t length = std::min(below(random, 40), text.size() - at);
    switch (below(random, 6)) {
      case 0:
        text.erase(at, length);
        break;
      case 1:
        text.insert(at, fragments()[below(random, fragments().size())]);
        break;
      case 2:
        text.insert(at, text.substr(at, length));
        break;
      case 3:
        text = text.substr(0, at);
        break;
      case 4:
        if (at < text.size()) text[at] = static_cast<char>(random());
        break;
      default: {
        const std::size_t from = below(random, text.size() + 1);
        text.insert(at, text.substr(from, below(random, 60)));
      }
    }
  }
  return text;
}

std::string random_text(Random& random) {
  std::string text;
  const std::size_t parts = below(random, 200);
  for (std::size_t i = 0; i < parts; ++i) text += fragments()[below(random, fragments().size())];
  return text;
}

// Every failure is a ConfigError with something to say.
void resolve_or_refuse(const std::string& name, const PlatformFiles& platforms) {
  try {
    const Resolved resolved = resolve({name, {}, {}}, platforms);
    CHECK_FALSE(to_yaml(resolved).empty());
  } catch (const ConfigError& error) {
    if (error.parts().problem.empty()) FAIL("an error without a problem");
  }
}

}  // namespace

TEST_CASE("mutated platform files and presets are resolved or refused") {
  INFO("seed " << kSeed);
  Random random(kSeed);
  const PlatformFiles originals({VTSIM_TEST_PLATFORMS});
  const TemporaryFiles files;
  for (const std::string name : {"machines/q35-skylake-sp.yaml", "cores/nehalem.yaml",
                                 "chipsets/q35.yaml", "cores/penryn.yaml"}) {
    std::filesystem::create_directories(files.path("x"));
    std::filesystem::copy(VTSIM_TEST_PLATFORMS, files.root(),
                          std::filesystem::copy_options::recursive |
                              std::filesystem::copy_options::overwrite_existing);
    const std::string original = files.read(name);
    const PlatformFiles platforms({files.root()});
    const std::string machine = name.find("penryn") != std::string::npos    ? "q35-penryn"
                                : name.find("nehalem") != std::string::npos ? "q35-nehalem"
                                                                            : "q35-skylake-sp";
    for (int round = 0; round < kRounds / 4; ++round) {
      files.write(name, mutated(original, random));
      resolve_or_refuse(machine, platforms);
    }
  }
}

TEST_CASE("random text is resolved or refused") {
  INFO("seed " << kSeed);
  Random random(kSeed + 1);
  const TemporaryFiles files;
  const PlatformFiles platforms({VTSIM_TEST_PLATFORMS});
  for (int round = 0; round < kRounds; ++round) {
    resolve_or_refuse(files.write("m.yaml", random_text(random)), platforms);
  }
}

TEST_CASE("random --set arguments are taken or refused") {
  INFO("seed " << kSeed);
  Random random(kSeed + 2);
  const TemporaryFiles files;
  const std::string machine = files.write("m.yaml", "");
  const PlatformFiles platforms({VTSIM_TEST_PLATFORMS});
  for (int round = 0; round < kRounds / 4; ++round) {
    try {
      const Override option = parse_set(mutated("cores.mmu.stlb.entries=1536", random));
      resolve({machine, {option}, {mutated("pci-testdev,bdf=00:03.0", random)}}, platforms);
    } catch (const ConfigError& error) {
      if (error.parts().problem.empty()) FAIL("an error without a problem");
    }
  }
}

TEST_CASE("the largest file that is read at all is refused or resolved within seconds") {
  const TemporaryFiles files;
  const PlatformFiles platforms({VTSIM_TEST_PLATFORMS});
  const std::string filler(900'000, ' ');
  std::vector<std::string> texts = {
      std::string(900'000, '['),
      std::string(900'000, '{'),
      std::string(900'000, '-'),
      std::string(900'000, '?'),
      std::string(900'000, '"'),
      std::string(900'000, '!'),
      "a: \"" + filler,
      "a: |\n" + filler,
      std::string(900'000, 'a') + ": 1\n",
      std::string(900'000, '\t'),
      "cores: {" + std::string(899'000, ',') + "}",
  };
  std::string keys;
  std::string dashes;
  std::string nested;
  for (int i = 0; i < 60'000; ++i) {
    keys += "k" + std::to_string(i) + ": 1\n";
    dashes += "- - ";
    nested += "? ";
  }
  texts.insert(texts.end(), {keys, dashes, nested});
  for (const std::string& text : texts) {
    INFO(text.substr(0, 20));
    const auto start = std::chrono::steady_clock::now();
    resolve_or_refuse(files.write("m.yaml", text), platforms);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
  }
}
