#include "tests/fuzz/harness/campaign.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <limits>

#include "tests/fuzz/harness/isolate.h"
#include "tests/fuzz/harness/shrink.h"

namespace vtsim::fuzz {

namespace {

constexpr u64 kDefaultSeed = 20261122;
constexpr unsigned kShrinkBudget = 3000;

struct Options {
  u64 seed = kDefaultSeed;
  u64 iterations = 0;
  double seconds = std::numeric_limits<double>::infinity();
  std::string kept, keep, replay;
};

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::make_optional<std::string>(value);
}

// A campaign that is bounded by time alone has no other bound.
void set_seconds(Options& options, const std::string& value) {
  options.seconds = std::stod(value);
  options.iterations = std::numeric_limits<u64>::max();
}

Options parse(const Fuzzer& fuzzer, int argc, char** argv) {
  Options options;
  options.iterations = fuzzer.iterations;
  if (const auto seed = environment("VTSIM_FUZZ_SEED")) options.seed = std::stoull(*seed, nullptr, 0);
  if (const auto seconds = environment("VTSIM_FUZZ_SECONDS")) set_seconds(options, *seconds);
  for (int n = 1; n < argc; n += 2) {
    const std::string name = argv[n];
    if (n + 1 == argc) throw std::invalid_argument(name + " needs a value");
    const std::string value = argv[n + 1];
    if (name == "--seed") {
      options.seed = std::stoull(value, nullptr, 0);
    } else if (name == "--iterations") {
      options.iterations = std::stoull(value, nullptr, 0);
    } else if (name == "--seconds") {
      set_seconds(options, value);
    } else if (name == "--kept") {
      options.kept = value;
    } else if (name == "--keep") {
      options.keep = value;
    } else if (name == "--replay") {
      options.replay = value;
    } else {
      throw std::invalid_argument("unknown option " + name);
    }
  }
  return options;
}

// ---- kept cases: lines of hexadecimal bytes; '#' begins a remark

Bytes read_case(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) throw std::invalid_argument("cannot read " + path.string());
  Bytes bytes;
  for (std::string line; std::getline(file, line);) {
    line = line.substr(0, line.find('#'));
    std::erase_if(line, [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; });
    for (std::size_t at = 0; at + 1 < line.size(); at += 2)
      bytes.push_back(static_cast<u8>(std::stoul(line.substr(at, 2), nullptr, 16)));
  }
  return bytes;
}

std::string hex_lines(const Bytes& bytes) {
  std::string text;
  for (std::size_t n = 0; n < bytes.size(); ++n)
    text += fmt::format("{:02x}{}", bytes[n], n % 32 == 31 || n + 1 == bytes.size() ? "\n" : "");
  return text;
}

void keep(const Fuzzer& fuzzer, const std::string& folder, const Failure& failure) {
  Digest digest;
  digest.add(failure.tape);
  const auto path =
      std::filesystem::path(folder) / fmt::format("{}-{:08x}.hex", fuzzer.name,
                                                  digest.value() & 0xFFFF'FFFF);
  std::ofstream(path) << "# " << failure.message.substr(0, failure.message.find('\n')) << "\n"
                      << hex_lines(failure.tape);
  fmt::print("kept as {}\n", path.string());
}

// ---- the campaign

void report(const Fuzzer& fuzzer, const Options& options, const Failure& found) {
  fmt::print("{}: FAILED: {}\nshrinking {} bytes...\n", fuzzer.name, found.message,
             found.tape.size());
  std::fflush(stdout);
  Failure smallest = found;
  shrink(found.tape, kShrinkBudget, [&](const Bytes& candidate) {
    const auto failure = judge_isolated(fuzzer, candidate);
    if (!failure || failure->kind != found.kind) return false;
    smallest = *failure;
    smallest.tape = candidate;
    return true;
  });
  fmt::print("smallest case, {} bytes: {}\n{}{}", smallest.tape.size(), smallest.message,
             hex_lines(smallest.tape), describe_isolated(fuzzer, smallest.tape));
  if (!options.keep.empty()) keep(fuzzer, options.keep, smallest);
}

bool replay_kept(const Fuzzer& fuzzer, const Options& options) {
  if (options.kept.empty()) return true;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(options.kept))
    if (entry.path().extension() == ".hex" &&
        entry.path().filename().string().starts_with(fuzzer.name + "-"))
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  bool good = true;
  for (const auto& file : files) {
    const auto failure = judge_isolated(fuzzer, read_case(file));
    if (!failure) continue;
    good = false;
    fmt::print("{}: kept case {} FAILED: {}\n", fuzzer.name, file.string(), failure->message);
  }
  fmt::print("{}: {} kept cases\n", fuzzer.name, files.size());
  return good;
}

bool run_campaign(const Fuzzer& fuzzer, const Options& options) {
  fmt::print("{}: seed {}\n", fuzzer.name, options.seed);
  std::fflush(stdout);
  const auto start = std::chrono::steady_clock::now();
  const auto left = [&] {
    return options.seconds -
           std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  u64 done = 0;
  while (done < options.iterations && left() > 0) {
    const Stretch stretch = judge_stretch(fuzzer, options.seed, done, options.iterations, left());
    if (stretch.failure) {
      fmt::print("{}: iteration {}\n", fuzzer.name, stretch.next);
      report(fuzzer, options, *stretch.failure);
      return false;
    }
    done = stretch.next;
  }
  fmt::print("{}: {} cases were good\n", fuzzer.name, done);
  return true;
}

int replay(const Fuzzer& fuzzer, const std::string& file) {
  const Bytes bytes = read_case(file);
  if (fuzzer.describe) {
    Tape tape(bytes);
    fmt::print("{}", fuzzer.describe(tape));
    std::fflush(stdout);
  }
  Tape tape(bytes);
  const std::string verdict = fuzzer.judge(tape);
  fmt::print("{}\n", verdict.empty() ? "good" : verdict);
  return verdict.empty() ? 0 : 1;
}

}  // namespace

int run_fuzzer(const Fuzzer& fuzzer, int argc, char** argv) {
  try {
    const Options options = parse(fuzzer, argc, argv);
    if (!options.replay.empty()) return replay(fuzzer, options.replay);
    const bool kept_are_good = replay_kept(fuzzer, options);
    return run_campaign(fuzzer, options) && kept_are_good ? 0 : 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", fuzzer.name, error.what());
    return 2;
  }
}

}  // namespace vtsim::fuzz
