#include "net/cidr.h"

#include <algorithm>

#include "base/number.h"

namespace pier {
namespace {

constexpr unsigned width_of(Family family) {
  return family == Family::ipv4 ? 32 : 128;
}

// The bits to the right of the prefix. A shift by the full width would be undefined, hence the case of 0.
constexpr Uint128 host_mask(Family family, unsigned prefix) {
  return prefix == 0 ? last_number(family) : (Uint128{1} << (width_of(family) - prefix)) - 1;
}

}  // namespace

Uint128 to_number(const IpAddress& address) {
  Uint128 number = 0;
  for (const std::uint8_t byte : address.bytes()) number = number << 8 | byte;
  return number;
}

IpAddress from_number(Family family, Uint128 number, std::uint32_t zone) {
  std::array<std::uint8_t, 16> bytes{};
  const std::size_t size = width_of(family) / 8;
  for (std::size_t i = size; i-- > 0; number >>= 8) bytes[i] = static_cast<std::uint8_t>(number);
  return {family, std::span(bytes).first(size), zone};
}

std::string to_string(Uint128 number) {
  std::string digits;
  do {
    digits += static_cast<char>('0' + static_cast<int>(number % 10));
    number /= 10;
  } while (number != 0);
  std::ranges::reverse(digits);
  return digits;
}

Cidr::Cidr(const IpAddress& address, unsigned prefix)
    : network_(from_number(address.family(), to_number(address) & ~host_mask(address.family(), prefix),
                           address.zone())),
      prefix_(prefix) {}

Result<Cidr> Cidr::parse(std::string_view text, bool* had_host_bits) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return usage_error("address block", text, "not an address, or ADDRESS/PREFIX");
  const unsigned width = width_of(address->family());
  unsigned prefix = width;
  if (slash != std::string_view::npos) {
    const auto number = parse_unsigned(text.substr(slash + 1), 0, width, "prefix");
    if (!number)
      return usage_error("address block", text, "the prefix is a number from 0 to " + std::to_string(width));
    prefix = static_cast<unsigned>(*number);
  }
  const Cidr block(*address, prefix);
  if (had_host_bits != nullptr) *had_host_bits = block.network_ != *address;
  return block;
}

IpAddress Cidr::last() const {
  return from_number(network_.family(), to_number(network_) | host_mask(network_.family(), prefix_),
                     network_.zone());
}

bool Cidr::contains(const IpAddress& address) const {
  if (address.family() != network_.family()) return false;
  if (network_.zone() != 0 && address.zone() != network_.zone()) return false;
  return ((to_number(address) ^ to_number(network_)) & ~host_mask(network_.family(), prefix_)) == 0;
}

std::string Cidr::to_string() const {
  return network_.to_string() + "/" + std::to_string(prefix_);
}

}  // namespace pier
