// Sets of addresses as ranges: a /8 or an IPv6 /64 costs as much as a single address.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "net/cidr.h"

namespace pier {

// Addresses from `first` to `last` as numbers, both included; first <= last.
struct AddressRange {
  Family family = Family::ipv4;
  std::uint32_t zone = 0;  // interface index of link-local addresses, 0 for none
  Uint128 first = 0;
  Uint128 last = 0;

  [[nodiscard]] static AddressRange of(const IpAddress& address);
  [[nodiscard]] static AddressRange of(const Cidr& block);

  friend bool operator==(const AddressRange&, const AddressRange&) = default;
};

// A value: each address is in it once, whatever ranges it was made of. IPv4-mapped IPv6 addresses
// (::ffff:a.b.c.d) are the IPv4 addresses that they stand for, so that no host can be in it twice.
class AddressSet {
 public:
  AddressSet() = default;
  explicit AddressSet(std::vector<AddressRange> ranges);

  // The addresses of this set that are not in `other`. A range without a zone leaves out its addresses on
  // every interface.
  [[nodiscard]] AddressSet without(const AddressSet& other) const;

  // How many addresses; the largest Uint128 also stands for one more than that (all of IPv6).
  [[nodiscard]] Uint128 size() const { return ends_.empty() ? 0 : ends_.back(); }
  [[nodiscard]] bool empty() const { return ranges_.empty(); }

  // The address at `index`, below size(), in ascending order by family, zone and value.
  [[nodiscard]] IpAddress at(Uint128 index) const;
  [[nodiscard]] bool contains(const IpAddress& address) const { return index_of(address).has_value(); }
  // The inverse of at(); nullopt for an address that is not in it.
  [[nodiscard]] std::optional<Uint128> index_of(const IpAddress& address) const;

  // Ascending, without overlap, and none continues another.
  [[nodiscard]] std::span<const AddressRange> ranges() const { return ranges_; }

 private:
  std::vector<AddressRange> ranges_;
  std::vector<Uint128> ends_;  // ends_[i] addresses are in ranges_[0] to ranges_[i]
};

}  // namespace pier
