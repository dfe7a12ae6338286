#pragma once
// The declaration of every command and option. Help texts, error suggestions and the manual page
// are read from it.

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vtsim::cli {

// What the words of a command line say, before they are looked at more closely.
struct RawOptions {
  std::string platform;
  std::vector<std::string> set;
  std::vector<std::string> devices;
  std::string memory;
  std::string cpus;

  std::string kernel, initrd, append, load_at;
  std::string mode = "functional";
  std::string max_instructions, max_cycles, max_time, timeout;
  std::string console = "stdio";
  std::vector<std::string> expect, fail_on;
  bool no_reboot = false;
  std::vector<std::string> stats;
  std::string trace, trace_file, trace_window;
  std::string commit_log, commit_log_window;
  bool disassemble = false;
  std::string progress = "auto";

  bool json = false;
  std::string subject;
};

struct Application {
  Application();

  RawOptions raw;
  CLI::App app;
  CLI::App* run = nullptr;
  CLI::App* config = nullptr;
  CLI::App* list = nullptr;
  CLI::App* manual = nullptr;  // prints the manual page; not listed
  std::vector<CLI::App*> unavailable_commands;
  std::vector<CLI::Option*> unavailable_options;  // of run
};

// Values of `vtsim list`, in the order of enum ListSubject after kAll.
const std::vector<std::string>& list_subjects();

}  // namespace vtsim::cli
