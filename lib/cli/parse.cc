// The only file that includes CLI11. It splits words into options, values and operands; what a value means is
// decided here, by base/number.
//
// CLI11 reinterprets some words: "[a,b]" may become two values, "--name=" takes the next word, "--switch=0"
// counts. So each word that can only be data is handed over behind a NUL byte, which no argument of a program
// can contain, and the NUL is taken off what comes back.

// Nothing here prints by iostreams, but CLI11 includes <iostream>, and whatever links that sets up eight
// streams before main: a third of the page faults of a run of pier-classify-port. With libstdc++'s include
// guard defined, CLI11 sees declarations of the streams and nothing more; elsewhere this changes nothing.
#define _GLIBCXX_IOSTREAM 1
#include <istream>
#include <ostream>
namespace std {
extern istream cin;
extern ostream cout;
extern ostream cerr;
}  // namespace std

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>

#include "base/number.h"
#include "base/suggest.h"
#include "cli/flags.h"
#include "cli/table.h"

namespace pier {
namespace {

constexpr char kMark = '\0';

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string long_form(const Flag& flag) {
  return "--" + std::string(flag.name);
}

bool is_operand(const Command& command, std::string_view word) {
  if (!word.starts_with('-') || word == "-") return true;
  if (!command.dashed_operands || !is_digit(word[1])) return false;
  return std::ranges::none_of(command.flags, [&](const Flag& flag) { return flag.letter == word[1]; });
}

// Whether one of the words may be the flag. An option costs CLI11 some microseconds to set up, so those that
// nobody can have meant are left out.
bool may_name(std::span<const char* const> words, const Command& command, const Flag& flag) {
  const char letter = letter_of(command, flag);
  return std::ranges::any_of(words, [&](std::string_view word) {
    if (word.size() < 2 || word[0] != '-') return false;
    return word[1] == '-' ? word.substr(2).starts_with(flag.name)
                          : letter != 0 && word.find(letter, 1) != std::string_view::npos;
  });
}

// CLI11's parser for one command, and which record each of its options stands for.
class Splitter {
 public:
  Splitter(const Command& command, std::span<const char* const> words) : command_(command) {
    app_.set_help_flag();
    app_.allow_extras();
    for (const Flag* flag : flags_of(command)) {
      if (!may_name(words, command, *flag)) continue;
      std::string names = long_form(*flag);
      if (const char letter = letter_of(command, *flag)) names = std::string("-") + letter + "," + names;
      const bool may_stand_alone = flag->kind == ValueKind::none || !flag->implied.empty();
      CLI::Option* option = may_stand_alone ? app_.add_flag(names) : app_.add_option(names);
      option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->allow_extra_args(false);
      flags_[option] = flag;
    }
  }

  // False when the words end where an option's value was expected.
  bool split(std::span<const char* const> words) {
    std::vector<std::string> reversed;
    for (auto word = words.rbegin(); word != words.rend(); ++word) reversed.push_back(marked(*word));
    try {
      app_.parse(std::move(reversed));
    } catch (const CLI::ParseError&) {
      return false;
    }
    return true;
  }

  // Calls f(flag, value, marked) for each option in the order given. A switch that was given a value has it
  // marked.
  template <class F>
  void each_given(F f) const {
    std::map<const CLI::Option*, std::size_t> seen;
    for (const CLI::Option* option : app_.parse_order()) {
      const auto& results = option->results();
      const std::size_t at = seen[option]++;
      if (at >= results.size()) continue;
      f(*flags_.at(option), unmarked(results[at]), results[at].starts_with(kMark));
    }
  }

  // What was not an option, in order, still marked; "--" is among them.
  [[nodiscard]] std::vector<std::string> rest() const { return app_.remaining(); }

  static std::string unmarked(std::string word) {
    std::erase(word, kMark);
    return word;
  }

 private:
  [[nodiscard]] std::string marked(std::string word) const {
    const std::size_t equals = word.starts_with("--") ? word.find('=') : std::string::npos;
    if (is_operand(command_, word))
      word.insert(word.begin(), kMark);
    else if (equals != std::string::npos)
      word.insert(equals + 1, 1, kMark);
    return word;
  }

  const Command& command_;
  CLI::App app_;
  std::map<const CLI::Option*, const Flag*> flags_;
};

Error missing_value(const Command& command, std::string_view last) {
  for (const Flag* flag : flags_of(command)) {
    const bool is_last = last.starts_with("--") ? last.substr(2) == flag->name
                                                : !last.empty() && last.back() == letter_of(command, *flag);
    if (is_last && flag->kind != ValueKind::none && flag->implied.empty())
      return Error{ErrorKind::usage, std::string(last), {}, 0, "needs a value: " + std::string(flag->value)};
  }
  return Error{ErrorKind::usage, std::string(last), {}, 0, "needs a value"};
}

Error unknown_option(const Command& command, const std::string& word) {
  const std::string typed = word.substr(0, word.starts_with("--") ? word.find('=') : std::string::npos);
  std::vector<std::string> names;
  for (const Flag* flag : flags_of(command)) names.push_back(long_form(*flag));
  const std::vector<std::string_view> views(names.begin(), names.end());
  const std::string near(nearest(typed, views));
  const std::string why =
      near.empty() ? "see " + std::string(command.name) + " --help" : "did you mean " + near + "?";
  return usage_error("unknown option", typed, why).error();
}

Result<void> check_choice(const Flag& flag, const std::string& value) {
  std::string all;
  for (const std::string_view choice : split_words(flag.choices, '|')) {
    if (value == choice) return {};
    all += (all.empty() ? "" : ", ") + std::string(choice);
  }
  return usage_error(long_form(flag), value, "not one of " + all);
}

template <class T>
Result<void> without_value(const Result<T>& result) {
  if (!result) return std::unexpected(result.error());
  return {};
}

Result<void> check_value(const Flag& flag, const std::string& value) {
  const std::string what = long_form(flag);
  switch (flag.kind) {
    case ValueKind::number:
      return without_value(parse_unsigned(value, flag.min, flag.max, what));
    case ValueKind::port:
      return without_value(parse_unsigned(value, 0, 65535, what));
    case ValueKind::duration:
      return without_value(parse_duration(value, what));
    case ValueKind::size:
      return without_value(parse_size(value, what));
    case ValueKind::rate:
      return without_value(parse_rate(value, what));
    case ValueKind::choice:
      return check_choice(flag, value);
    default:
      return {};
  }
}

Result<void> check_conflicts(const Command& command, const Parsed& parsed) {
  for (const std::string_view names : command.conflicts) {
    std::string_view first;
    for (const std::string_view name : split_words(names, ' ')) {
      if (!parsed.has(name)) continue;
      if (!first.empty())
        return fail(ErrorKind::usage, "--" + std::string(first) + " and --" + std::string(name), "",
                    "cannot be used together");
      first = name;
    }
  }
  return {};
}

// Sorts what is left into operands and the command's words.
Result<void> take_rest(const Command& command, std::vector<std::string> rest, Parsed& parsed) {
  bool ended = false;
  for (std::string& word : rest) {
    if (!ended && word == "--") {
      ended = true;
      parsed.command_given = command.runs_command;
    } else if (!ended && word.starts_with('-')) {
      return std::unexpected(unknown_option(command, Splitter::unmarked(word)));
    } else {
      auto& where = ended && command.runs_command ? parsed.command : parsed.operands;
      where.push_back(Splitter::unmarked(std::move(word)));
    }
  }
  return {};
}

// --help and --version answer whatever else was typed.
bool wants_no_run(const Parsed& parsed) {
  return parsed.has("help") || parsed.has("version");
}

// What CLI11 makes of the words, with the values not yet checked.
Result<Parsed> split(const Command& command, std::span<const char* const> words) {
  Splitter splitter(command, words);
  const bool complete = splitter.split(words);
  Parsed parsed;
  const Flag* valued_switch = nullptr;
  splitter.each_given([&](const Flag& flag, std::string value, bool marked) {
    const bool is_switch = flag.kind == ValueKind::none;
    if (is_switch && marked && valued_switch == nullptr) valued_switch = &flag;
    if (is_switch)
      value.clear();
    else if (!flag.implied.empty() && !marked)
      value = flag.implied;
    parsed.given.push_back({&flag, std::move(value)});
  });
  if (wants_no_run(parsed)) return parsed;
  if (const auto taken = take_rest(command, splitter.rest(), parsed); !taken)
    return std::unexpected(taken.error());
  if (valued_switch != nullptr)
    return fail(ErrorKind::usage, long_form(*valued_switch), "", "takes no value");
  if (!complete) return std::unexpected(missing_value(command, words.back()));
  return parsed;
}

}  // namespace

Result<Parsed> parse(const Command& command, std::span<const char* const> words) {
  if (std::ranges::all_of(words, [&](std::string_view word) { return is_operand(command, word); })) {
    Parsed parsed;  // CLI11 is a tenth of a short run's time, and there is nothing for it to do
    parsed.operands.assign(words.begin(), words.end());
    return parsed;
  }
  auto parsed = split(command, words);
  if (!parsed || wants_no_run(*parsed)) return parsed;
  for (const auto& [flag, value] : parsed->given)
    if (const auto fits = check_value(*flag, value); !fits) return std::unexpected(fits.error());
  if (const auto fits = check_conflicts(command, *parsed); !fits) return std::unexpected(fits.error());
  return parsed;
}

std::string parser_version() {
  return "CLI11 " CLI11_VERSION;
}

}  // namespace pier
