#include <algorithm>

#include "cli/exit_code.h"
#include "cli/flags.h"
#include "cli/table.h"

namespace pier {
namespace {

constexpr std::size_t kMostLeft = 30;  // a longer left column leaves too little for the text

constexpr ExitNote kExits[] = {
    {"0", "yes: it worked"},
    {"1", "no: refused, reset, nothing found"},
    {"2", "wrong usage, or a fault of this host"},
    {"3", "cannot tell"},
    {"124", "a deadline given here passed"},
    {"128+N", "ended by signal N; 141: the reader of stdout has gone"},
};

struct Line {
  std::string left;
  std::string_view right;
};

// "-k, --keep-open", "    --backlog N"
std::string forms_of(const Command& command, const Flag& flag) {
  const char letter = letter_of(command, flag);
  std::string text = letter != 0 ? std::string("-") + letter + ", " : "    ";
  text += "--" + std::string(flag.name);
  if (!flag.implied.empty())
    text += "[=" + std::string(flag.value) + "]";
  else if (flag.kind != ValueKind::none)
    text += " " + std::string(flag.value);
  return text;
}

// `text` broken at blanks so that it fits, every line but the first behind `indent` blanks.
void append_wrapped(std::string& out, std::string_view text, std::size_t indent, std::size_t width) {
  const std::size_t room = width > indent + 20 ? width - indent : 20;
  std::size_t used = 0;
  for (const std::string_view word : split_words(text, ' ')) {
    if (used > 0 && used + 1 + word.size() > room) {
      out += '\n';
      out.append(indent, ' ');
      used = 0;
    } else if (used > 0) {
      out += ' ';
      ++used;
    }
    out += word;
    used += word.size();
  }
  out += '\n';
}

void append_lines(std::string& out, const std::vector<Line>& lines, std::size_t width) {
  std::size_t left = 0;
  for (const Line& line : lines)
    if (line.left.size() <= kMostLeft) left = std::max(left, line.left.size());
  for (const Line& line : lines) {
    out += "  " + line.left;
    if (line.left.size() > left) {
      out += '\n';
      out.append(left + 4, ' ');
    } else {
      out.append(left - line.left.size() + 2, ' ');
    }
    append_wrapped(out, line.right, left + 4, width);
  }
}

void append_flags(std::string& out, const Command& command, std::size_t width) {
  const auto flags = flags_of(command);
  std::vector<std::string_view> groups;
  for (const Flag* flag : flags)
    if (std::ranges::find(groups, flag->group) == groups.end()) groups.push_back(flag->group);
  for (const std::string_view group : groups) {
    std::vector<Line> lines;
    for (const Flag* flag : flags)
      if (flag->group == group) lines.push_back({forms_of(command, *flag), flag->brief});
    out += "\n" + std::string(group.empty() ? "Options" : group) + ":\n";
    append_lines(out, lines, width);
  }
}

void append_subcommands(std::string& out, const Command& command, std::size_t width) {
  std::vector<Line> lines;
  for (const Subcommand& sub : command.subcommands) lines.push_back({std::string(sub.name), sub.brief});
  out += "\nCommands:\n";
  append_lines(out, lines, width);
}

// The codes of every command, in the command's own words where it has some.
void append_exits(std::string& out, const Command& command, std::size_t width) {
  std::vector<Line> lines;
  for (const ExitNote& note : kExits) lines.push_back({std::string(note.code), note.meaning});
  for (const ExitNote& own : command.exits) {
    const auto same = std::ranges::find(lines, own.code, &Line::left);
    if (same != lines.end())
      same->right = own.meaning;
    else
      lines.insert(lines.end() - 1, {std::string(own.code), own.meaning});
  }
  out += "\nExit codes:\n";
  append_lines(out, lines, width);
}

}  // namespace

std::string help_text(const Command& command, unsigned width) {
  std::string out = std::string(command.name) + ": ";
  append_wrapped(out, command.brief, command.name.size() + 2, width);
  if (!command.examples.empty()) out += "\nExamples:\n";
  for (const Example& example : command.examples) {
    out += "  " + std::string(example.line) + "\n      ";
    append_wrapped(out, example.meaning, 6, width);
  }
  out += "\nUsage:\n";
  for (const std::string_view form : command.forms)
    out += "  " + std::string(command.name) + (form.empty() ? "" : " ") + std::string(form) + "\n";
  if (!command.subcommands.empty()) append_subcommands(out, command, width);
  append_flags(out, command, width);
  append_exits(out, command, width);
  return out;
}

}  // namespace pier
