#include "sim/stats/result.h"

#include <fmt/format.h>

#include "sim/stats/atomic_file.h"
#include "sim/stats/version.h"

namespace vtsim::stats {
namespace {

using nlohmann::ordered_json;

std::string hash_text(u64 hash) { return fmt::format("{:016x}", hash); }

std::string end_text(const Result& result) {
  return result.ended ? fmt::format("{} (exit status {})", result.end_reason, result.exit_status)
                      : "not yet";
}

// A word of a command line as a shell would need it.
std::string quoted(const std::string& word) {
  static constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=,:+@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

std::string command_text(const Result& result) {
  std::vector<std::string> words;
  for (const std::string& word : result.command) words.push_back(quoted(word));
  std::string text = fmt::format("{}", fmt::join(words, " "));
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

ordered_json snapshot_json(const Snapshot& snapshot) {
  ordered_json values = ordered_json::object();
  for (const auto& entry : snapshot.entries) values[entry.name] = entry.value;
  return {{"label", snapshot.label}, {"statistics", std::move(values)}};
}

std::string json_text(const Result& result) {
  ordered_json root;
  root["vtsim"] = version();
  root["command"] = result.command;
  root["images"] = ordered_json::array();
  for (const Image& image : result.images) {
    root["images"].push_back({{"role", image.role},
                              {"path", image.path},
                              {"bytes", image.bytes},
                              {"sha256", image.sha256}});
  }
  root["ended"] = result.ended;
  if (result.ended) {
    root["exit_status"] = result.exit_status;
    root["end_reason"] = result.end_reason;
  }
  if (result.commit_log_hash) root["commit_log_hash"] = hash_text(*result.commit_log_hash);
  root["snapshots"] = ordered_json::array();
  for (const Snapshot& snapshot : result.snapshots)
    root["snapshots"].push_back(snapshot_json(snapshot));
  root["units"] = ordered_json::object();
  if (!result.snapshots.empty()) {
    for (const auto& entry : result.snapshots.back().entries)
      root["units"][entry.name] = entry.unit;
  }
  root["configuration"] = result.configuration;
  // Paths may hold any byte; a result file is valid UTF-8 all the same.
  return root.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

// The lines that stand before the numbers of a .csv or .txt file.
std::string preamble(const Result& result) {
  std::string text = fmt::format("# vtsim {}\n# command: {}\n", version(), command_text(result));
  for (const Image& image : result.images) {
    text += fmt::format("# {}: {} ({} bytes, sha256 {})\n", image.role, quoted(image.path),
                        image.bytes, image.sha256);
  }
  text += fmt::format("# end: {}\n", end_text(result));
  if (result.commit_log_hash) {
    text += fmt::format("# commit_log_hash: {}\n", hash_text(*result.commit_log_hash));
  }
  text += "# configuration: " +
          result.configuration.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
  return text;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string field = "\"";
  for (const char c : text) field += c == '"' ? std::string("\"\"") : std::string(1, c);
  return field + "\"";
}

std::string csv_text(const Result& result) {
  std::string text = preamble(result) + "snapshot,label,statistic,value,unit\n";
  for (std::size_t i = 0; i < result.snapshots.size(); ++i) {
    for (const auto& entry : result.snapshots[i].entries) {
      text += fmt::format("{},{},{},{},{}\n", i, csv_field(result.snapshots[i].label), entry.name,
                          entry.value, entry.unit);
    }
  }
  return text;
}

std::string plain_text(const Result& result) {
  std::string text = preamble(result);
  for (const Snapshot& snapshot : result.snapshots) {
    text += fmt::format("\n---------- {}\n", snapshot.label);
    for (const auto& entry : snapshot.entries) {
      text += fmt::format("{:<36} {:>20} {:<13} # {}\n", entry.name, entry.value, entry.unit,
                          entry.help);
    }
  }
  return text;
}

}  // namespace

std::optional<Format> format_of(const std::string& path) {
  if (path.ends_with(".json")) return Format::kJson;
  if (path.ends_with(".csv")) return Format::kCsv;
  if (path.ends_with(".txt")) return Format::kText;
  return std::nullopt;
}

std::string to_text(const Result& result, Format format) {
  switch (format) {
    case Format::kJson:
      return json_text(result);
    case Format::kCsv:
      return csv_text(result);
    case Format::kText:
      return plain_text(result);
  }
  return {};
}

std::string write_result(const Result& result, const std::string& path) {
  const auto format = format_of(path);
  if (!format) return path + ": not a result file; expected a name in .json, .csv or .txt";
  return write_atomically(path, to_text(result, *format));
}

}  // namespace vtsim::stats
