// Zsh: an autoloaded function over _arguments (zshcompsys(1)).
#include <fmt/core.h>

#include "cli/completion.h"
#include "cli/table.h"

namespace pier {
namespace {

// Text inside a spec of _arguments: brackets end a description, a colon ends a field.
std::string spec_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

// The action that offers words for one kind of value; a blank shows only what is expected.
std::string action(ValueKind kind, std::string_view choices) {
  switch (kind) {
    case ValueKind::file:
      return "_files";
    case ValueKind::host:
      return "_hosts";
    case ValueKind::choice: {
      std::string words;
      for (const std::string_view choice : split_words(choices, '|'))
        words += (words.empty() ? "" : " ") + std::string(choice);
      return "(" + words + ")";
    }
    default:
      return " ";
  }
}

// The specs of one flag. Both forms exclude each other, unless the flag may be repeated.
std::string specs_of(const Command& command, const Flag& flag) {
  const std::string name = "--" + std::string(flag.name);
  const char letter = letter_of(command, flag);
  std::string rest = "[" + spec_text(flag.brief) + "]";
  const bool valued = flag.kind != ValueKind::none;
  const bool alone = !flag.implied.empty();
  if (valued) rest += alone ? ":" : "";
  if (valued) rest += ":" + spec_text(flag.value) + ":" + action(flag.kind, flag.choices);
  std::string before;
  if (flag.repeats)
    before = "*";
  else if (letter != 0)
    before = fmt::format("(-{} {})", letter, name);
  std::string text;
  if (letter != 0)
    text +=
        "    " + shell_quoted(fmt::format("{}-{}{}{}", before, letter, valued ? "+" : "", rest)) + " \\\n";
  text += "    " + shell_quoted(before + name + (alone ? "=-" : valued ? "=" : "") + rest) + " \\\n";
  return text;
}

std::string delegation(const Command& command) {
  std::string entries, patterns;
  for (const Subcommand& sub : command.subcommands) {
    entries += "    " + shell_quoted(std::string(sub.name) + ":" + std::string(sub.brief)) + "\n";
    patterns += (patterns.empty() ? "" : "|") + std::string(sub.name);
  }
  return fmt::format(R"(local -a commands=(
{0})
if (( CURRENT > 2 )); then
  case $words[2] in
    {1})
      words=("{2}-$words[2]" "${{(@)words[3,-1]}}")
      (( CURRENT-- ))
      local call="_$words[1]"
      (( $+functions[$call] )) && $call "$@"
      return ;;
    help)
      (( CURRENT == 3 )) && _describe -t commands command commands
      return ;;
  esac
elif [[ $words[2] != -* ]]; then
  commands+=('help:show the man page of a command')
  _describe -t commands command commands
  return
fi
)",
                     entries, patterns, command.name);
}

// After "--" the words are a command line of their own.
constexpr std::string_view kCommandAfterDashes = R"(local at=${words[(i)--]}
if (( at < CURRENT )); then
  words=("${(@)words[at+1,-1]}")
  (( CURRENT -= at ))
  _normal
  return
fi
)";

}  // namespace

std::string zsh_completion(const Command& command) {
  std::string text = fmt::format("#compdef {}\n\n", command.name);
  if (!command.subcommands.empty()) text += delegation(command);
  if (command.runs_command) text += kCommandAfterDashes;
  text += "_arguments -s -S \\\n";
  for (const Flag* flag : flags_of(command)) text += specs_of(command, *flag);
  // A spec of operands with nothing to offer would keep an option from being completed to its end.
  const std::string operands = action(command.operand, {});
  if (operands != " ") return text + "    " + shell_quoted("*:operand:" + operands) + "\n";
  text.resize(text.size() - std::string_view(" \\\n").size());
  return text + "\n";
}

}  // namespace pier
