#include "stream/handover_text.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace pier {
namespace {

using Kind = HandoverLine::Kind;

constexpr std::string_view kVersion = "PIER/1";
constexpr std::size_t kDigest = 64;

struct Word {
  Kind kind;
  std::string_view word;
  std::size_t words;  // after it, at least
};
constexpr Word kWords[] = {
    {Kind::handover, "HANDOVER", 3}, {Kind::claim, "CLAIM", 1}, {Kind::taken, "TAKEN", 1},
    {Kind::block, "BLOCK", 1},       {Kind::end, "END", 1},     {Kind::done, "DONE", 1},
};

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> words;
  for (;;) {
    const std::size_t space = line.find(' ');
    words.push_back(line.substr(0, space));
    if (space == std::string_view::npos) return words;
    line.remove_prefix(space + 1);
  }
}

bool is_hex(std::string_view text, std::size_t size) {
  return text.size() == size && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::optional<std::uint64_t> number_in(std::string_view text, std::uint64_t least, std::uint64_t most) {
  if (text.empty() || text.size() > 9 || text.front() == '0') return std::nullopt;
  std::uint64_t value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  if (value < least || value > most) return std::nullopt;
  return value;
}

bool take_streams(std::string_view text, HandoverLine& line) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  const auto count = number_in(text.substr(slash + 1), 1, kMostStreams);
  const auto index = count ? number_in(text.substr(0, slash), 1, *count) : std::nullopt;
  if (!index) return false;
  line.index = static_cast<std::uint32_t>(*index);
  line.count = static_cast<std::uint32_t>(*count);
  return true;
}

// What stands after the word; false where it does not fit.
bool take_rest(const std::vector<std::string_view>& words, HandoverLine& line) {
  switch (line.kind) {
    case Kind::handover: {
      const auto port = number_in(words[2], 1, 65535);
      if (!port || !is_hex(words[3], kHandoverToken) || !is_hex(words[4], kHandoverToken)) return false;
      line.port = static_cast<std::uint16_t>(*port);
      line.claim = words[3];
      line.proof = words[4];
      return words.size() == 5;
    }
    case Kind::claim:
      if (!is_hex(words[2], kHandoverToken)) return false;
      line.claim = words[2];
      return words.size() == 3 || (words.size() == 4 && take_streams(words[3], line));
    case Kind::taken:
      line.proof = words[2];
      return words.size() == 3 && is_hex(line.proof, kHandoverToken);
    case Kind::block: {
      const auto size = number_in(words[2], 1, kMostBlock);
      line.size = size.value_or(0);
      return words.size() == 3 && size;
    }
    case Kind::end:
    case Kind::done:
      line.digest = words[2];
      return words.size() == 3 && is_hex(line.digest, kDigest);
  }
  return false;
}

}  // namespace

std::string HandoverLine::to_string() const {
  const auto word = std::ranges::find(kWords, kind, &Word::kind)->word;
  std::string text = std::string(kVersion) + " " + std::string(word) + " ";
  switch (kind) {
    case Kind::handover:
      text += std::to_string(port) + " " + claim + " " + proof;
      break;
    case Kind::claim:
      text += claim;
      if (count != 0) text += " " + std::to_string(index) + "/" + std::to_string(count);
      break;
    case Kind::taken:
      text += proof;
      break;
    case Kind::block:
      text += std::to_string(size);
      break;
    case Kind::end:
    case Kind::done:
      text += digest;
      break;
  }
  return text + "\n";
}

Result<HandoverLine> parse_handover_line(std::string_view line) {
  const std::string_view whole = line;
  if (line.ends_with('\r')) line.remove_suffix(1);
  const std::vector<std::string_view> words = split(line);
  HandoverLine parsed;
  if (words.size() >= 2 && words[0] == kVersion) {
    const auto* const word = std::ranges::find(kWords, words[1], &Word::word);
    if (word != std::end(kWords) && words.size() >= 2 + word->words) {
      parsed.kind = word->kind;
      if (take_rest(words, parsed)) return parsed;
    }
  }
  constexpr std::size_t kShown = 60;
  return fail(ErrorKind::failed, "handover", quoted(std::string(whole.substr(0, kShown))),
              "not a line of a handover");
}

}  // namespace pier
