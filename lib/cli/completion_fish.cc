// Fish: a list of `complete` commands (complete(1) of fish).
#include <fmt/core.h>

#include "cli/completion.h"
#include "cli/table.h"

namespace pier {
namespace {

// The text as one word of fish: in single quotes, only the quote and the backslash are special.
std::string fish_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

constexpr std::string_view kHosts = "'(__fish_print_hostnames)'";

// The options of `complete` for one kind of value.
std::string value_options(ValueKind kind, std::string_view choices) {
  switch (kind) {
    case ValueKind::none:
      return {};
    case ValueKind::file:
      return " -r -F";
    case ValueKind::host:
      return " -x -a " + std::string(kHosts);
    case ValueKind::choice: {
      std::string words;
      for (const std::string_view choice : split_words(choices, '|'))
        words += (words.empty() ? "" : " ") + std::string(choice);
      return " -x -a " + fish_quoted(words);
    }
    default:
      return " -x";
  }
}

// Completes the rest of a command line that begins at a given word, as if it had been typed alone.
std::string rest_function(const std::string& function, std::string_view begin) {
  return fmt::format(R"(function {}
    set -l words (commandline -opc)
    set -l at {}
    complete -C (string join ' ' -- (string escape -- $words[$at..-1]) (commandline -ct))
end
)",
                     function, begin);
}

}  // namespace

std::string fish_completion(const Command& command) {
  const std::string function = "_" + function_name(command);
  std::string when;  // the condition of what belongs to the command itself
  std::string text = fmt::format("# fish completion for {}\n\n", command.name);
  if (!command.subcommands.empty()) {
    std::string names;
    for (const Subcommand& sub : command.subcommands)
      names += (names.empty() ? "" : " ") + std::string(sub.name);
    text += fmt::format("function {0}_rest\n    set -l words (commandline -opc)\n", function);
    text += fmt::format(
        "    complete -C (string join ' ' -- {}-$words[2] (string escape -- $words[3..-1]) (commandline "
        "-ct))\nend\n",
        command.name);
    text += fmt::format(
        "complete -c {0} -f\ncomplete -c {0} -n '__fish_seen_subcommand_from {1}; and not "
        "__fish_seen_subcommand_from help' -a '({2}_rest)'\n",
        command.name, names, function);
    when = " -n __fish_use_subcommand";
    for (const Subcommand& sub : command.subcommands)
      text +=
          fmt::format("complete -c {}{} -a {} -d {}\n", command.name, when, sub.name, fish_quoted(sub.brief));
    text += fmt::format(
        "complete -c {0}{1} -a help -d 'show the man page of a command'\ncomplete -c {0} -n "
        "'__fish_seen_subcommand_from help' -a '{2}'\n",
        command.name, when, names);
  } else {
    text += fmt::format("complete -c {} -f\n", command.name);
    if (command.runs_command) {
      when = " -n 'not contains -- -- (commandline -opc)'";
      text += rest_function(function + "_command", "(math (contains -i -- -- $words) + 1)");
      text += fmt::format("complete -c {} -n 'contains -- -- (commandline -opc)' -a '({}_command)'\n",
                          command.name, function);
    }
    if (command.operand == ValueKind::host)
      text += fmt::format("complete -c {}{} -a {}\n", command.name, when, kHosts);
    if (command.operand == ValueKind::file) text += fmt::format("complete -c {}{} -F\n", command.name, when);
  }
  for (const Flag* flag : flags_of(command)) {
    const char letter = letter_of(command, *flag);
    const std::string short_form = letter != 0 ? std::string(" -s ") + letter : std::string();
    text += fmt::format("complete -c {}{}{} -l {} -d {}{}\n", command.name, when, short_form, flag->name,
                        fish_quoted(flag->brief),
                        flag->implied.empty() ? value_options(flag->kind, flag->choices) : "");
  }
  return text;
}

}  // namespace pier
