#include "cmd/nc/help.h"

#include "cmd/nc/letters.h"

namespace pier::nc {
namespace {

constexpr std::size_t kWidth = 80;

// `text` and then `word`, on a new line where it does not fit.
void add_word(std::string& text, std::string_view word) {
  const std::size_t line = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
  text += text.size() - line + 1 + word.size() > kWidth ? "\n          " : " ";
  text += word;
}

std::string flag_lines() {
  std::string text;
  for (const Letter& one : kLetters)
    text += std::string("\t-") + one.letter + "\t" + std::string(one.value) + "\n";
  return text;
}

std::string bash() {
  std::string words;
  for (const Letter& one : kLetters) words += std::string(words.empty() ? "-" : " -") + one.letter;
  return "complete -o default -A hostname -W '" + words + "' pier-nc\n";
}

// A brief has neither brackets nor quotes that these shells read.
std::string zsh() {
  std::string text = "#compdef pier-nc\n_arguments -s";
  for (const Letter& one : kLetters) {
    std::string brief;
    for (const char c : one.brief) brief += c == '\'' ? std::string("'\\''") : std::string(1, c);
    const std::string value =
        one.value.empty() ? "" : ":" + std::string(one.value.substr(0, one.value.find('['))) + ":";
    text += std::string(" \\\n  '-") + one.letter + "[" + brief + "]" + value + "'";
  }
  return text + " \\\n  '*:host or port:_hosts'\n";
}

std::string fish() {
  std::string text;
  for (const Letter& one : kLetters) {
    std::string brief;
    for (const char c : one.brief) brief += c == '\'' ? std::string("\\'") : std::string(1, c);
    text += std::string("complete -c pier-nc -s ") + one.letter + (one.value.empty() ? "" : " -x") + " -d '" +
            brief + "'\n";
  }
  return text;
}

}  // namespace

std::string usage_text(std::string_view program) {
  std::string plain;
  for (const Letter& one : kLetters)
    if (one.value.empty()) plain += one.letter;
  std::string text = "usage: " + std::string(program) + " [-" + plain + "]";
  for (const Letter& one : kLetters)
    if (!one.value.empty())
      add_word(text, std::string("[-") + one.letter + " " + std::string(one.value) + "]");
  add_word(text, "[destination]");
  add_word(text, "[port]");
  return text + "\n";
}

std::string help_text(std::string_view program) {
  constexpr std::size_t kColumn = 20;
  std::string text = "pier-nc: " + std::string(kBrief) + "\n\n" + usage_text(program) + "\n";
  for (const Letter& one : kLetters) {
    std::string line = std::string("  -") + one.letter + " " + std::string(one.value);
    line.resize(kColumn, ' ');
    text += line + std::string(one.brief) + "\n";
  }
  return text +
         "\nPorts are numbers, service names, or ranges such as 20-30. man pier-nc says more.\n"
         "pier-nc " PIER_VERSION "\n";
}

std::optional<std::string> answer_for_build(std::span<char* const> words) {
  if (words.size() == 1 && words[0] == std::string_view("--print-flags")) return flag_lines();
  if (words.size() != 2 || words[0] != std::string_view("--print-completion")) return std::nullopt;
  const std::string_view shell = words[1];
  if (shell == "bash") return bash();
  if (shell == "zsh") return zsh();
  return shell == "fish" ? std::optional(fish()) : std::nullopt;
}

}  // namespace pier::nc
