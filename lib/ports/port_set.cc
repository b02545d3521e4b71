#include "ports/port_set.h"

#include <algorithm>
#include <bit>

namespace pier {
namespace {

// The ranges joined by commas, `suffix` after each of them.
std::string join(const std::vector<PortRange>& ranges, std::string_view suffix = {}) {
  std::string text;
  for (const PortRange range : ranges) {
    if (!text.empty()) text += ',';
    text += range == PortRange{1, 65535} ? "-" : to_string(range);
    text += suffix;
  }
  return text;
}

}  // namespace

void PortSet::add(PortProtocols protocols, PortRange range) {
  for (const PortProtocol protocol : kPortProtocols)
    if (protocols.contains(protocol))
      for (std::size_t port = range.first; port <= range.last; ++port)
        words(protocol)[port / kWordBits] |= Word{1} << (port % kWordBits);
}

void PortSet::remove(PortProtocols protocols, PortRange range) {
  for (const PortProtocol protocol : kPortProtocols)
    if (protocols.contains(protocol))
      for (std::size_t port = range.first; port <= range.last; ++port)
        words(protocol)[port / kWordBits] &= ~(Word{1} << (port % kWordBits));
}

void PortSet::add(const PortSet& other) {
  for (const PortProtocol protocol : kPortProtocols)
    for (std::size_t at = 0; at < kWords; ++at) words(protocol)[at] |= other.word(protocol, at);
}

void PortSet::remove(const PortSet& other) {
  for (const PortProtocol protocol : kPortProtocols)
    for (std::size_t at = 0; at < kWords; ++at) words(protocol)[at] &= ~other.word(protocol, at);
}

bool PortSet::empty() const {
  return protocols().empty();
}

std::size_t PortSet::size() const {
  std::size_t pairs = 0;
  for (const PortProtocol protocol : kPortProtocols) pairs += size(protocol);
  return pairs;
}

std::size_t PortSet::size(PortProtocol protocol) const {
  std::size_t ports = 0;
  for (const Word word : words(protocol)) ports += static_cast<std::size_t>(std::popcount(word));
  return ports;
}

PortProtocols PortSet::protocols() const {
  PortProtocols some;
  for (const PortProtocol protocol : kPortProtocols)
    if (std::ranges::any_of(words(protocol), [](Word word) { return word != 0; })) some |= protocol;
  return some;
}

std::vector<std::uint16_t> PortSet::ports(PortProtocol protocol) const {
  std::vector<std::uint16_t> all;
  for_each([&](std::uint16_t port, PortProtocol of) {
    if (of == protocol) all.push_back(port);
  });
  return all;
}

std::vector<PortRange> PortSet::ranges(PortProtocol protocol) const {
  std::vector<PortRange> all;
  for (const std::uint16_t port : ports(protocol)) {
    if (!all.empty() && all.back().last + 1 == port)
      all.back().last = port;
    else
      all.push_back({port, port});
  }
  return all;
}

std::string PortSet::to_string(PortProtocols unqualified) const {
  if (protocols() == unqualified) {
    const Words* one = nullptr;
    bool same = true;
    for (const PortProtocol protocol : kPortProtocols)
      if (unqualified.contains(protocol)) {
        same = same && (one == nullptr || *one == words(protocol));
        one = &words(protocol);
      }
    for (const PortProtocol protocol : kPortProtocols)
      if (same && unqualified.contains(protocol)) return join(ranges(protocol));
  }
  std::string text;
  for (const PortProtocol protocol : kPortProtocols) {
    if (!protocols().contains(protocol)) continue;
    if (!text.empty()) text += ',';
    if (protocol == PortProtocol::tcp)
      text += "T:" + join(ranges(protocol));
    else if (protocol == PortProtocol::udp)
      text += "U:" + join(ranges(protocol));
    else
      text += join(ranges(protocol), "/" + std::string(pier::to_string(protocol)));
  }
  return text;
}

}  // namespace pier
