#include "cli/flags.h"

#include <algorithm>

#include "base/number.h"
#include "cli/table.h"

namespace pier {
namespace {

constexpr Flag kCommonFlags[] = {
    {.name = "quiet", .letter = 'q', .group = "General", .brief = "say nothing on stderr but errors"},
    {.name = "verbose", .letter = 'v', .group = "General", .brief = "say more on stderr", .repeats = true},
    {.name = "color",
     .value = "WHEN",
     .kind = ValueKind::choice,
     .group = "General",
     .brief = "colours: auto, always or never",
     .choices = "auto|always|never"},
    {.name = "help", .letter = 'h', .group = "General", .brief = "show this help and exit"},
    {.name = "version", .group = "General", .brief = "show the version and exit"},
};

}  // namespace

std::span<const Flag> common_flags() {
  return kCommonFlags;
}

std::vector<const Flag*> flags_of(const Command& command) {
  std::vector<const Flag*> all;
  for (const Flag& flag : command.flags) all.push_back(&flag);
  for (const Flag& flag : kCommonFlags)
    if (std::ranges::none_of(command.flags, [&](const Flag& own) { return own.name == flag.name; }))
      all.push_back(&flag);
  return all;
}

char letter_of(const Command& command, const Flag& flag) {
  const bool taken = std::ranges::any_of(
      command.flags, [&](const Flag& own) { return &own != &flag && own.letter == flag.letter; });
  return taken ? char{0} : flag.letter;
}

std::vector<std::string_view> split_words(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::string flag_lines(const Command& command) {
  std::string text;
  for (const Flag* flag : flags_of(command)) {
    text += "--" + std::string(flag->name) + "\t";
    if (const char letter = letter_of(command, *flag)) text += std::string("-") + letter;
    text += "\t" + std::string(flag->value) + "\n";
  }
  return text;
}

int Parsed::count(std::string_view flag) const {
  return static_cast<int>(std::ranges::count_if(given, [&](const Given& g) { return g.flag->name == flag; }));
}

std::optional<std::string> Parsed::text(std::string_view flag) const {
  for (auto g = given.rbegin(); g != given.rend(); ++g)
    if (g->flag->name == flag) return g->value;
  return std::nullopt;
}

std::vector<std::string> Parsed::texts(std::string_view flag) const {
  std::vector<std::string> values;
  for (const Given& g : given)
    if (g.flag->name == flag) values.push_back(g.value);
  return values;
}

std::optional<std::uint64_t> Parsed::number(std::string_view flag) const {
  for (auto g = given.rbegin(); g != given.rend(); ++g) {
    if (g->flag->name != flag) continue;
    if (g->flag->kind == ValueKind::size) return parse_size(g->value).value();
    if (g->flag->kind == ValueKind::rate) return parse_rate(g->value).value();
    return parse_unsigned(g->value, 0, UINT64_MAX, flag).value();
  }
  return std::nullopt;
}

std::optional<Duration> Parsed::duration(std::string_view flag) const {
  const auto value = text(flag);
  if (!value) return std::nullopt;
  return parse_duration(*value).value();
}

}  // namespace pier
