#include "ports/registry.h"

#include <algorithm>
#include <span>

#include "ports/registry_table.h"

namespace pier {
namespace {

namespace table = registry_table;

std::string_view text(table::Text offset) {
  return table::kPool + offset;
}

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

const table::Entry* entry_of(PortProtocol protocol, std::uint16_t port) {
  const auto& blocks = table::kBlocks[static_cast<std::size_t>(protocol)];
  const std::size_t block = port / 256;
  const std::span<const table::Entry> near(table::kEntries + blocks[block],
                                           table::kEntries + blocks[block + 1]);
  // The first that ends at the port or later; where none of these does, it is the one behind them.
  const auto at = std::ranges::lower_bound(near, port, {}, &table::Entry::last);
  const table::Entry* const entry = near.data() + (at - near.begin());
  return entry != table::kEntries + blocks[256] && entry->first <= port ? entry : nullptr;
}

std::span<const table::Name> names() {
  return {table::kNames, table::kNameCount};
}

bool less_folded(std::string_view a, std::string_view b) {
  return std::ranges::lexicographical_compare(a, b, {}, lower, lower);
}

std::span<const table::Name> places_of(std::string_view name) {
  const auto found =
      std::ranges::equal_range(names(), name, less_folded, [](const table::Name& n) { return text(n.name); });
  return {found.begin(), found.end()};
}

}  // namespace

std::string_view AliasNames::operator[](std::size_t i) const {
  return text(table::kAliases[begin_ + i]);
}

std::optional<PortEntry> find_port(PortProtocol protocol, std::uint16_t port) {
  const table::Entry* entry = entry_of(protocol, port);
  if (entry == nullptr) return std::nullopt;
  return PortEntry{.range = {entry->first, entry->last},
                   .service = text(entry->service),
                   .aliases = AliasNames(entry->alias_begin, entry->alias_count),
                   .description = text(entry->description),
                   .notes = text(entry->notes),
                   .unauthorized_use = text(entry->unauthorized_use)};
}

std::string_view service_of(PortProtocol protocol, std::uint16_t port) {
  const table::Entry* entry = entry_of(protocol, port);
  return entry == nullptr ? std::string_view() : text(entry->service);
}

std::vector<ServicePort> find_service(std::string_view name) {
  std::vector<ServicePort> found;
  for (const table::Name& place : places_of(name))
    if (place.has_port)
      found.push_back({.name = text(place.name),
                       .protocol = static_cast<PortProtocol>(place.protocol),
                       .ports = {place.first, place.last}});
  return found;
}

bool service_without_port(std::string_view name) {
  const auto places = places_of(name);
  return !places.empty() && !places.front().has_port;
}

std::vector<std::string_view> service_names() {
  std::vector<std::string_view> all;
  for (const table::Name& place : names()) {
    const std::string_view name = text(place.name);
    if (place.has_port && (all.empty() || all.back() != name)) all.push_back(name);
  }
  return all;
}

RegistryFacts registry_facts() {
  RegistryFacts facts{.source = text(table::kFacts.source),
                      .newest_entry = text(table::kFacts.newest_entry),
                      .rows = table::kFacts.rows,
                      .names = table::kFacts.names,
                      .names_without_port = table::kFacts.names_without_port,
                      .assigned = {},
                      .unauthorized = table::kFacts.unauthorized};
  std::ranges::copy(table::kFacts.assigned, facts.assigned.begin());
  return facts;
}

}  // namespace pier
