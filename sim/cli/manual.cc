// The manual page: composed from the declarations of commands, options, parameters, statistics,
// events and markers. docs/vtsim.1 is its output, and a test keeps it so.

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "sim/cli/application.h"
#include "sim/cli/command_line.h"
#include "sim/config/declarations.h"
#include "sim/config/print.h"
#include "sim/observe/markers.h"
#include "sim/observe/trace_writer.h"
#include "sim/stats/declarations.h"
#include "sim/stats/version.h"

namespace vtsim::cli {
namespace {

// Text as troff takes it literally.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) {
      out += "\\&";
      out += c;
    } else {
      out += c;
    }
  }
  return out;
}

std::string preformatted(const std::string& text) {
  return ".PP\n.nf\n.ft CW\n" + escaped(text) + ".ft\n.fi\n";
}

std::string option_entry(const CLI::Option& option) {
  std::string type = option.get_type_name();
  const bool positional = option.get_positional();
  std::string head = positional ? std::string() : "\\fB" + escaped(option.get_name()) + "\\fR";
  if (!type.empty()) head += (head.empty() ? "\\fI" : " \\fI") + escaped(type) + "\\fR";
  const std::string help = option.get_description();
  return ".TP\n" + head + "\n" + escaped(help) + "\n";
}

// The options of a command by their groups, in the order of their declaration.
std::string options_text(const CLI::App& command) {
  std::vector<std::string> groups;
  std::map<std::string, std::string> entries;
  for (const CLI::Option* option : command.get_options()) {
    const std::string& group = option->get_group();
    if (group.empty()) continue;
    if (!entries.contains(group)) groups.push_back(group);
    entries[group] += option_entry(*option);
  }
  std::string text;
  for (const std::string& group : groups) {
    text += ".PP\n\\fI" + escaped(group) + "\\fR\n" + entries[group];
  }
  return text;
}

std::string command_text(const CLI::App& command) {
  std::string text =
      ".SS vtsim " + command.get_name() + "\n" + escaped(command.get_description()) + "\n";
  text += options_text(command);
  if (!command.get_footer().empty()) text += preformatted(command.get_footer() + "\n");
  return text;
}

constexpr std::string_view kPlatforms =
    R"(A platform is a YAML file of groups and parameters, for example:

  extends: chipsets/q35.yaml
  cores:
    count: 2
    preset: skylake-sp
    mmu: { stlb: { entries: 1536, ways: 12, latency_cycles: { value: 9, source: "TMA" } } }
  memory: { size: 2G }

extends names a file beside this one or below the platforms directory, or a list of them; what is
given later wins. cores.preset names a file of platforms/cores, which lies below everything else.
A value is written plainly or as {value: ..., source: "..."}; `source` in a group holds for all its
values, and one that begins with "estimate" marks a guess. cores.features takes a list of names, or
name: true|false. Sizes are written 2G, times 10s or 70ns, frequencies 2.6GHz, numbers decimal or 0x.
Keys may be written with dots. Unknown keys are errors. There are no anchors and aliases.
)";

}  // namespace

std::string manual_page() {
  const Application application;
  std::string text = fmt::format(
      ".\\\" Printed by `vtsim manual`.\n.TH VTSIM 1 \"\" \"vtsim {}\" \"User Commands\"\n",
      stats::version());
  text += ".SH NAME\nvtsim \\- simulate an x86\\-64 machine\n.SH SYNOPSIS\n";
  text += ".B vtsim\n.I COMMAND\n[\\fIarguments\\fR]\n.SH DESCRIPTION\n";
  text += escaped(application.app.get_description()) + ".\n.SH COMMANDS\n";
  for (const CLI::App* command : application.app.get_subcommands(nullptr)) {
    if (!command->get_group().empty()) text += command_text(*command);
  }
  text += ".SH PLATFORM FILES\n" + preformatted(std::string(kPlatforms));
  text += ".SH PARAMETERS\n" + preformatted(config::list_parameters());
  text += ".SH DEVICES\n" + preformatted(config::list_devices());
  text += ".SH STATISTICS\n" + preformatted(stats::list_statistics());
  text += ".SH EVENTS\n" + preformatted(observe::list_events());
  text +=
      ".SH MARKERS\nA guest executes 0F 1F 80 disp32 with disp32 = 56540000H + code; RAX and RDX "
      "are arguments.\n" +
      preformatted(observe::list_markers());
  text +=
      ".SH ENVIRONMENT\n.TP\n.B VTSIM_PLATFORMS\n"
      "directories with cores/, chipsets/ and machines/, separated by colons, in place of the "
      "installed ones\n";
  return text;
}

}  // namespace vtsim::cli
