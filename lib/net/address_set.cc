#include "net/address_set.h"

#include <algorithm>
#include <tuple>

namespace pier {
namespace {

// ::ffff:0:0/96 (RFC 4291, section 2.5.5.2).
constexpr Uint128 kMappedFirst = Uint128{0xffff} << 32;
constexpr Uint128 kMappedLast = kMappedFirst | UINT32_MAX;

bool same_line(const AddressRange& a, const AddressRange& b) {
  return a.family == b.family && a.zone == b.zone;
}

bool before(const AddressRange& a, const AddressRange& b) {
  return std::tie(a.family, a.zone, a.first) < std::tie(b.family, b.zone, b.first);
}

// Appends the range with its IPv4-mapped part as IPv4.
void append_unmapped(std::vector<AddressRange>& ranges, const AddressRange& range) {
  if (range.family == Family::ipv4 || range.last < kMappedFirst || range.first > kMappedLast) {
    ranges.push_back(range);
    return;
  }
  if (range.first < kMappedFirst) ranges.push_back({Family::ipv6, range.zone, range.first, kMappedFirst - 1});
  ranges.push_back({Family::ipv4, 0, std::max(range.first, kMappedFirst) & UINT32_MAX,
                    std::min(range.last, kMappedLast) & UINT32_MAX});
  if (range.last > kMappedLast) ranges.push_back({Family::ipv6, range.zone, kMappedLast + 1, range.last});
}

// The ranges of `all`, which is sorted and without overlap, on one family and zone.
std::span<const AddressRange> line_of(std::span<const AddressRange> all, Family family, std::uint32_t zone) {
  const auto key = [](const AddressRange& r) { return std::make_tuple(r.family, r.zone); };
  const auto found = std::ranges::equal_range(all, std::make_tuple(family, zone), {}, key);
  return {found.begin(), found.end()};
}

// Appends what is left of `range` when `holes`, sorted and without overlap, are taken out.
void append_rest(std::vector<AddressRange>& rest, AddressRange range, std::span<const AddressRange> holes) {
  auto hole = std::ranges::lower_bound(holes, range.first, {}, &AddressRange::last);
  for (; hole != holes.end() && hole->first <= range.last; ++hole) {
    if (hole->first > range.first) rest.push_back({range.family, range.zone, range.first, hole->first - 1});
    if (hole->last >= range.last) return;
    range.first = hole->last + 1;
  }
  rest.push_back(range);
}

}  // namespace

AddressRange AddressRange::of(const IpAddress& address) {
  return {address.family(), address.zone(), to_number(address), to_number(address)};
}

AddressRange AddressRange::of(const Cidr& block) {
  const IpAddress& network = block.network();
  return {network.family(), network.zone(), to_number(network), to_number(block.last())};
}

AddressSet::AddressSet(std::vector<AddressRange> given) {
  std::vector<AddressRange> sorted;
  sorted.reserve(given.size());
  for (const AddressRange& range : given) append_unmapped(sorted, range);
  std::ranges::sort(sorted, before);
  for (const AddressRange& range : sorted) {
    // "first - 1" cannot wrap: a first of 0 is never above a `last` before it.
    const bool joins = !ranges_.empty() && same_line(ranges_.back(), range) &&
                       (range.first <= ranges_.back().last || range.first - 1 == ranges_.back().last);
    if (joins)
      ranges_.back().last = std::max(ranges_.back().last, range.last);
    else
      ranges_.push_back(range);
  }
  ends_.reserve(ranges_.size());
  for (const AddressRange& range : ranges_) {
    const Uint128 steps = range.last - range.first;  // one less than its size
    const bool full = steps == ~Uint128{0} || size() > ~Uint128{0} - (steps + 1);
    ends_.push_back(full ? ~Uint128{0} : size() + steps + 1);
  }
}

AddressSet AddressSet::without(const AddressSet& other) const {
  std::vector<AddressRange> rest;
  for (const AddressRange& range : ranges_) {
    std::vector<AddressRange> parts;
    append_rest(parts, range, line_of(other.ranges_, range.family, 0));
    for (const AddressRange& part : parts)
      append_rest(rest, part, line_of(other.ranges_, range.family, range.zone));
  }
  return AddressSet(std::move(rest));
}

IpAddress AddressSet::at(Uint128 index) const {
  const auto end = std::ranges::upper_bound(ends_, index);
  const auto i = static_cast<std::size_t>(end - ends_.begin());
  const AddressRange& range = ranges_[i];
  return from_number(range.family, range.first + (index - (i == 0 ? 0 : ends_[i - 1])), range.zone);
}

std::optional<Uint128> AddressSet::index_of(const IpAddress& address) const {
  const IpAddress plain = address.unmapped();
  const Uint128 number = to_number(plain);
  const auto line = line_of(ranges_, plain.family(), plain.zone());
  const auto range = std::ranges::lower_bound(line, number, {}, &AddressRange::last);
  if (range == line.end() || range->first > number) return std::nullopt;
  const auto i = static_cast<std::size_t>(&*range - ranges_.data());
  return (i == 0 ? 0 : ends_[i - 1]) + (number - range->first);
}

}  // namespace pier
