#include "net/target_grammar.h"

#include <array>
#include <optional>

#include "base/number.h"
#include "net/host_name.h"

namespace pier {
namespace {

constexpr std::string_view kNoPort = "has a port: a host stands here alone; a scan's ports are given by -p";
constexpr std::string_view kBlanks = " \t\r\n\v\f";
// A list of more runs than this takes more memory than a set is worth.
constexpr std::uint64_t kMostRuns = 1U << 20;

std::unexpected<Error> bad(std::string_view item, std::string_view why) {
  return usage_error("target", item, why);
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// --- octet ranges: 10.0.0-3.1-254 --------------------------------------------------------------------

struct Octets {
  std::uint8_t first = 0;
  std::uint8_t last = 255;
};
using OctetRanges = std::array<Octets, 4>;

std::optional<std::uint8_t> parse_octet(std::string_view text) {
  // A leading zero meant octal to some programs and decimal to others.
  if (text.size() > 1 && text[0] == '0') return std::nullopt;
  const auto value = parse_unsigned(text, 0, 255, "octet");
  return value ? std::optional(static_cast<std::uint8_t>(*value)) : std::nullopt;
}

constexpr std::string_view kOctetsFit =
    "looks like an IPv4 address and is none: that is four numbers from 0 to 255, or ranges of them, with "
    "dots between";

Result<OctetRanges> parse_octets(std::string_view item) {
  OctetRanges octets;
  std::string_view rest = item;
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t dot = rest.find('.');
    if ((dot == std::string_view::npos) != (i == 3)) return bad(item, kOctetsFit);
    const std::string_view part = rest.substr(0, dot);
    const std::size_t dash = part.find('-');
    const auto first = parse_octet(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_octet(part.substr(dash + 1));
    if (!first || !last) return bad(item, kOctetsFit);
    if (*first > *last) {
      const std::string before(item.substr(0, item.size() - rest.size()));
      const std::string after(dot == std::string_view::npos ? "" : rest.substr(dot));
      return bad(item, "the range is backwards: did you mean " + before + std::to_string(*last) + "-" +
                           std::to_string(*first) + after + "?");
    }
    octets[i] = {*first, *last};
    if (i < 3) rest.remove_prefix(dot + 1);
  }
  return octets;
}

// Turns the octets' product into runs of consecutive addresses: all that follow the last octet which is not
// 0-255 are one run with it.
Result<void> add_octets(std::string_view item, const OctetRanges& octets, TargetSpec& into) {
  std::size_t pivot = 3;
  while (pivot > 0 && octets[pivot].first == 0 && octets[pivot].last == 255) --pivot;
  std::uint64_t runs = 1;
  for (std::size_t i = 0; i < pivot; ++i) runs *= octets[i].last - octets[i].first + 1U;
  if (runs > kMostRuns)
    return bad(item, "falls apart into " + format_count(runs) + " runs of addresses, and " +
                         format_count(kMostRuns) + " is the most: write it as prefixes or A-B ranges");
  for (std::uint64_t run = 0; run < runs; ++run) {
    AddressRange range;
    std::uint64_t left = run;
    for (std::size_t i = 4; i-- > 0;) {
      const unsigned shift = 8 * (3 - static_cast<unsigned>(i));
      std::uint64_t low = octets[i].first;
      std::uint64_t high = octets[i].last;
      if (i < pivot) {
        const std::uint64_t count = octets[i].last - octets[i].first + 1U;
        low = high = octets[i].first + left % count;
        left /= count;
      }
      range.first |= low << shift;
      range.last |= high << shift;
    }
    into.ranges.push_back(range);
  }
  return {};
}

// --- the other forms ----------------------------------------------------------------------------------

Result<void> add_block(std::string_view item, std::string_view text, TargetSpec& into) {
  bool had_host_bits = false;
  const auto block = Cidr::parse(text, &had_host_bits);
  if (!block) {
    if (!IpAddress::parse(text.substr(0, text.find('/'))))
      return bad(item, "a prefix follows an address, as in 10.0.0.0/24");
    return bad(item, block.error().why);
  }
  if (had_host_bits)
    into.notes.push_back(std::string(text) + " is taken as " + block->to_string() +
                         ": bits of the address beyond the prefix do not count");
  into.ranges.push_back(AddressRange::of(*block));
  return {};
}

Result<void> add_ends(std::string_view item, const IpAddress& first, const IpAddress& last,
                      TargetSpec& into) {
  if (first.family() != last.family()) return bad(item, "a range has both ends in one family");
  if (first.zone() != last.zone()) return bad(item, "a range has both ends in one %zone");
  if (to_number(first) > to_number(last)) {
    const bool v6 = first.family() == Family::ipv6;
    const auto shown = [&](const IpAddress& a) { return v6 ? "[" + a.to_string() + "]" : a.to_string(); };
    return bad(item, "the range is backwards: did you mean " + shown(last) + "-" + shown(first) + "?");
  }
  into.ranges.push_back({first.family(), first.zone(), to_number(first), to_number(last)});
  return {};
}

// [A], [A]/PREFIX or [A]-[B].
Result<void> add_bracketed(std::string_view item, TargetSpec& into) {
  constexpr std::string_view kFits = "brackets hold an IPv6 address: [ADDRESS], [ADDRESS]/PREFIX or [A]-[B]";
  const auto inner = [](std::string_view text) -> std::optional<IpAddress> {
    if (text.size() < 2 || text.front() != '[' || text.back() != ']') return std::nullopt;
    const auto address = IpAddress::parse(text.substr(1, text.size() - 2));
    return address && address->family() == Family::ipv6 ? std::optional(*address) : std::nullopt;
  };
  const std::size_t close = item.find(']');
  if (close == std::string_view::npos) return bad(item, kFits);
  const auto first = inner(item.substr(0, close + 1));
  if (!first) return bad(item, kFits);
  const std::string_view rest = item.substr(close + 1);
  if (rest.empty()) return add_ends(item, *first, *first, into);
  if (rest.front() == '/')
    return add_block(item, std::string(item.substr(1, close - 1)) + std::string(rest), into);
  if (rest.front() == ':') return bad(item, kNoPort);
  const auto last = rest.front() == '-' ? inner(rest.substr(1)) : std::nullopt;
  if (!last) return bad(item, kFits);
  return add_ends(item, *first, *last, into);
}

// A-B of two whole addresses, or nullopt. The name of a zone may have a "-" in it, so each is tried.
std::optional<std::array<IpAddress, 2>> split_range(std::string_view item) {
  for (std::size_t dash = item.find('-'); dash != std::string_view::npos; dash = item.find('-', dash + 1)) {
    const auto first = IpAddress::parse(item.substr(0, dash));
    if (!first) continue;
    const auto last = IpAddress::parse(item.substr(dash + 1));
    if (last) return std::array{*first, *last};
  }
  return std::nullopt;
}

Result<void> add_name(std::string_view item, TargetSpec& into) {
  if (const auto fits = check_host(item); !fits) return bad(item, fits.error().why);
  into.names.emplace_back(item);
  return {};
}

Error at_line(const Error& error, std::string_view where, std::size_t line) {
  Error located = error;
  located.op = std::string(where) + ":" + std::to_string(line) + ": " + error.op;
  return located;
}

}  // namespace

Result<void> parse_target(std::string_view item, TargetSpec& into) {
  if (item.empty()) return bad(item, "empty: a name, an address or a range of addresses is needed");
  if (item == "-" || item.front() == '@') return bad(item, "a list cannot name another list");
  if (item.front() == '[') return add_bracketed(item, into);
  if (item.find("://") != std::string_view::npos)
    return bad(item, "an URL: a host stands here alone; a scan's ports are given by -p");
  if (item.find('/') != std::string_view::npos) return add_block(item, item, into);
  if (const auto address = IpAddress::parse(item)) return add_ends(item, *address, *address, into);
  if (const auto ends = split_range(item)) return add_ends(item, ends->front(), ends->back(), into);
  const std::size_t colon = item.find(':');
  if (colon != std::string_view::npos) {
    const bool one = item.find(':', colon + 1) == std::string_view::npos;
    return bad(item, one ? kNoPort : std::string_view("not an IPv6 address, or a range A-B of them"));
  }
  if (item.find_first_not_of("0123456789.-") == std::string_view::npos) {
    const auto octets = parse_octets(item);
    return octets ? add_octets(item, *octets, into) : std::unexpected(octets.error());
  }
  return add_name(item, into);
}

Result<void> parse_target_words(std::string_view words, TargetSpec& into) {
  for (std::string_view rest = words;;) {
    const std::size_t comma = rest.find(',');
    std::string_view field = trimmed(rest.substr(0, comma));
    if (field.empty())
      return bad(trimmed(words), "has an empty item: names and addresses are separated by single commas");
    while (!field.empty()) {
      const std::size_t end = field.find_first_of(kBlanks);
      if (const auto parsed = parse_target(field.substr(0, end), into); !parsed) return parsed;
      field = end == std::string_view::npos ? std::string_view() : trimmed(field.substr(end));
    }
    if (comma == std::string_view::npos) return {};
    rest.remove_prefix(comma + 1);
  }
}

Result<void> parse_target_file(std::string_view text, std::string_view where, TargetSpec& into) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // the byte order mark of some editors
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    const std::string_view items = trimmed(line.substr(0, line.find('#')));
    if (!items.empty()) {
      const auto parsed = parse_target_words(items, into);
      if (!parsed) return std::unexpected(at_line(parsed.error(), where, number));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return {};
}

}  // namespace pier
