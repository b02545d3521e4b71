// A flag is one record. Parsing, --help, the check against the man page and the shell completions all read
// it.
//
// A command is a constant table of flags beside its name, its forms and its examples:
//
//   constexpr Flag kFlags[] = {
//       {.name = "keep-open", .letter = 'k', .group = "Serving", .brief = "serve one client after another"},
//       {.name = "accept-timeout", .value = "D", .kind = ValueKind::duration, .group = "Serving",
//        .brief = "end when nobody has come after D"},
//   };
//   constexpr Command kCommand{.name = "pier-listen", .brief = "wait to be contacted", …, .flags = kFlags};
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace pier {

// What a flag's value is: checked while parsing, and what a shell completes it with.
enum class ValueKind : unsigned char {
  none,      // a switch
  text,      // anything
  number,    // whole, from 0 up; `min` and `max` below
  port,      // 0 to 65535
  duration,  // base/number: 250ms, 1.5s, 2m
  size,      // 64k
  rate,      // 10k
  file,      // a path, or "-"
  host,      // completed from /etc/hosts
  choice,    // one of `choices`, separated by "|"
};

struct Flag {
  std::string_view name;        // long form without the dashes
  char letter = 0;              // short form, or 0
  std::string_view value = {};  // what --help calls the value: "D", "FILE"; empty for a switch
  ValueKind kind = ValueKind::none;
  std::string_view group = {};    // the heading it stands under in --help
  std::string_view brief = {};    // one line; no full stop
  std::string_view choices = {};  // for ValueKind::choice: "auto|always|never"
  std::string_view implied =
      {};                 // the value of the flag given alone; another one follows "=" in the same word
  std::uint64_t min = 0;  // for ValueKind::number
  std::uint64_t max = UINT64_MAX;
  bool repeats = false;  // may be given more than once; otherwise the last one counts
};

struct Example {
  std::string_view line;  // "pier listen 0 > report.pdf"
  std::string_view meaning;
};

struct ExitNote {
  std::string_view code;
  std::string_view meaning;
};

// A command that another one runs: `pier listen` is pier-listen.
struct Subcommand {
  std::string_view name;  // "listen"
  std::string_view brief;
};

struct Command {
  std::string_view name;                    // "pier-listen"
  std::string_view brief;                   // one line, as in the man page's NAME
  std::span<const std::string_view> forms;  // "[OPTIONS] [ADDRESS] PORT"
  std::span<const Example> examples;
  std::span<const Flag> flags;           // its own; common_flags() are added to every command
  std::span<const ExitNote> exits = {};  // what the codes mean here, where it adds to exit_code.h
  // For every two or more of these in one line of words separated by blanks ("udp tls"), giving both is
  // refused.
  std::span<const std::string_view> conflicts = {};
  bool runs_command = false;     // words after "--" are a command to run, not operands
  bool dashed_operands = false;  // "-100" and "-" are operands (port sets), not options
  // Further linked libraries for --version, each "NAME VERSION"; fmt, CLI11 and the C library are always
  // there.
  std::vector<std::string> (*libraries)() = nullptr;
  std::span<const Subcommand> subcommands = {};  // of the front door
  ValueKind operand = ValueKind::text;           // what a shell completes operands with: text is nothing
};

// -h --help, --version, -q --quiet, -v --verbose (repeats), --color auto|always|never. A command's own flag
// of the same name or letter takes its place. --explain and --json are a command's own to list, by
// kExplainFlag and kJsonFlag.
[[nodiscard]] std::span<const Flag> common_flags();
inline constexpr Flag kExplainFlag{
    .name = "explain", .group = "Output", .brief = "tell each step of the socket's life on stderr"};
inline constexpr Flag kJsonFlag{
    .name = "json", .group = "Output", .brief = "one JSON object a line (NDJSON)"};

// What was typed, checked against the flags' kinds. The typed getters do not fail: parse() has refused what
// does not fit.
class Parsed {
 public:
  [[nodiscard]] bool has(std::string_view flag) const { return count(flag) > 0; }
  [[nodiscard]] int count(std::string_view flag) const;
  // The last value given, or nullopt.
  [[nodiscard]] std::optional<std::string> text(std::string_view flag) const;
  [[nodiscard]] std::vector<std::string> texts(std::string_view flag) const;
  [[nodiscard]] std::optional<std::uint64_t> number(std::string_view flag) const;  // number, port, size, rate
  [[nodiscard]] std::optional<Duration> duration(std::string_view flag) const;

  std::vector<std::string> operands;  // what is not a flag, in order
  std::vector<std::string> command;   // the words after "--" where the command runs one
  bool command_given = false;         // "--" was there, though perhaps nothing after it

  struct Given {
    const Flag* flag;
    std::string value;  // empty for a switch
  };
  std::vector<Given> given;  // in order
};

// A usage error for: an unknown option (with the nearest), a missing or malformed value, a conflict of
// Command::conflicts.
// --help and --version are in the result like any flag, and when one is given nothing else is checked.
[[nodiscard]] Result<Parsed> parse(const Command& command, std::span<const char* const> words);

// The text of --help: examples first, then the forms, the flags by group, the exit codes. `width` in columns.
[[nodiscard]] std::string help_text(const Command& command, unsigned width = 80);

// A completion script for one shell, from the same records. A command with subcommands completes their names,
// and leaves the words after one to the script of the command that it runs, which is looked for beside it.
enum class Shell { bash, zsh, fish };
[[nodiscard]] std::string completion_script(Shell shell, const Command& command);

}  // namespace pier
