#pragma once
// What a run leaves behind: where it came from, how it ended, and its statistics. Nothing in it
// depends on the host or on the time of day: two equal runs leave equal files.

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "sim/stats/registry.h"

namespace vtsim::stats {

struct Image {
  std::string role;  // "kernel", "initrd"
  std::string path;
  u64 bytes = 0;
  std::string sha256;
};

struct Result {
  std::vector<std::string> command;
  nlohmann::ordered_json configuration;  // config::to_json
  std::vector<Image> images;
  bool ended = false;  // false: what is here was written on the way
  int exit_status = 0;
  std::string end_reason;
  std::optional<u64> commit_log_hash;
  std::vector<Snapshot> snapshots;  // at markers, and at the end
};

enum class Format { kJson, kCsv, kText };

// By the path's end: .json, .csv, .txt; std::nullopt: none of them.
std::optional<Format> format_of(const std::string& path);

std::string to_text(const Result& result, Format format);

// Writes the file as a whole or not at all. Returns what went wrong, or nothing.
std::string write_result(const Result& result, const std::string& path);

}  // namespace vtsim::stats
