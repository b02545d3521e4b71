// Bash: a function that fills COMPREPLY (bash(1), "Programmable Completion"). Works with and without the
// bash-completion package.
#include <fmt/core.h>

#include "cli/completion.h"
#include "cli/table.h"

namespace pier {
namespace {

std::string words_of(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::vector<std::string> forms_of(const Command& command, const Flag& flag) {
  std::vector<std::string> forms{"--" + std::string(flag.name)};
  if (const char letter = letter_of(command, flag)) forms.push_back(std::string("-") + letter);
  return forms;
}

// The command that offers words for one kind of value; empty where nothing can be offered.
std::string offer(ValueKind kind, std::string_view choices) {
  switch (kind) {
    case ValueKind::file:
      return "compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")";
    case ValueKind::host:
      return "mapfile -t COMPREPLY < <(compgen -A hostname -- \"$cur\")";
    case ValueKind::choice: {
      std::string words;
      for (const std::string_view choice : split_words(choices, '|'))
        words += (words.empty() ? "" : " ") + std::string(choice);
      return fmt::format("mapfile -t COMPREPLY < <(compgen -W {} -- \"$cur\")", shell_quoted(words));
    }
    default:
      return {};
  }
}

// The branches of `case "$prev"`: what follows an option that takes a value.
std::string value_cases(const Command& command) {
  std::string text;
  for (const Flag* flag : flags_of(command)) {
    if (flag->kind == ValueKind::none || !flag->implied.empty()) continue;
    std::string pattern;
    for (const std::string& form : forms_of(command, *flag)) pattern += (pattern.empty() ? "" : "|") + form;
    const std::string words = offer(flag->kind, flag->choices);
    text += fmt::format("        {}) {}{}return ;;\n", pattern, words, words.empty() ? "" : "; ");
  }
  return text;
}

// The words after `pier listen` belong to pier-listen, whose script lies beside this one.
std::string delegation(const Command& command) {
  std::string names;
  for (const Subcommand& sub : command.subcommands)
    names += (names.empty() ? "" : "|") + std::string(sub.name);
  return fmt::format(R"(    case "${{COMP_WORDS[1]}}" in
        {0})
            if (( COMP_CWORD > 1 )); then
                local run="{1}-${{COMP_WORDS[1]}}"
                local call="_${{run//-/_}}"
                declare -F "$call" >/dev/null || source "${{BASH_SOURCE[0]%/*}}/$run" 2>/dev/null || return
                local -a rest=("$run" "${{COMP_WORDS[@]:2}}")
                local -a COMP_WORDS=("${{rest[@]}}")
                local COMP_CWORD=$((COMP_CWORD - 1))
                "$call"
                return
            fi ;;
    esac
)",
                     names, command.name);
}

}  // namespace

std::string bash_completion(const Command& command) {
  const std::string function = function_name(command);
  std::vector<std::string> options;
  for (const Flag* flag : flags_of(command))
    for (std::string& form : forms_of(command, *flag)) options.push_back(std::move(form));
  std::vector<std::string> names;
  for (const Subcommand& sub : command.subcommands) names.emplace_back(sub.name);

  std::string text =
      fmt::format("# bash completion for {}\n\n{}() {{\n    COMPREPLY=()\n", command.name, function);
  if (!names.empty()) text += delegation(command);
  text += R"(    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" i
    # "=" is a word of its own: --option=value comes as three.
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]] && (( COMP_CWORD > 1 )); then
        prev="${COMP_WORDS[COMP_CWORD-2]}"
    fi
    for (( i = 1; i < COMP_CWORD; ++i )); do
        if [[ ${COMP_WORDS[i]} == -- ]]; then
)";
  if (command.runs_command)
    text += R"(            if (( COMP_CWORD == i + 1 )); then
                mapfile -t COMPREPLY < <(compgen -c -- "$cur")
            else
                compopt -o default 2>/dev/null
            fi
)";
  text += "            return\n        fi\n    done\n";
  text += "    case \"$prev\" in\n" + value_cases(command) + "    esac\n";
  text += fmt::format(R"(    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W {} -- "$cur")
        return
    fi
)",
                      shell_quoted(words_of(options)));
  if (!names.empty()) {
    const std::string list = words_of(names);
    text += fmt::format(R"(    if (( COMP_CWORD == 1 )); then
        mapfile -t COMPREPLY < <(compgen -W {} -- "$cur")
    elif (( COMP_CWORD == 2 )) && [[ $prev == help ]]; then
        mapfile -t COMPREPLY < <(compgen -W {} -- "$cur")
    fi
)",
                        shell_quoted(list + " help"), shell_quoted(list));
  } else if (const std::string words = offer(command.operand, {}); !words.empty()) {
    text += "    " + words + "\n";
  }
  text += fmt::format("    return 0\n}}\n\ncomplete -F {} {}\n", function, command.name);
  return text;
}

}  // namespace pier
