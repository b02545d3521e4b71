// The property that every negotiation has: however the bytes are cut, it comes to the same; it keeps no more
// than it needs; an error is one line.
#pragma once

#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/negotiation.h"

namespace pier {

inline std::string run_in_pieces(Negotiation& negotiation, std::string_view bytes, std::size_t piece) {
  std::string came_to = negotiation.take_output();
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const std::string_view part = bytes.substr(at, piece);
    const auto fed = negotiation.receive(part);
    came_to += negotiation.take_output();
    if (!fed) {
      if (fed.error().message().find('\n') != std::string::npos) std::abort();
      return came_to + "|" + fed.error().message();
    }
    if (fed->consumed > part.size() || (!fed->done && fed->consumed != part.size())) std::abort();
    if (fed->done) return came_to + "|done at " + std::to_string(at + fed->consumed);
  }
  return came_to + "|more";
}

inline void run_in_every_way(const std::function<std::unique_ptr<Negotiation>()>& make,
                             std::string_view bytes) {
  const std::string whole = run_in_pieces(*make(), bytes, bytes.size() + 1);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}})
    if (run_in_pieces(*make(), bytes, piece) != whole) std::abort();
}

inline std::string_view text_of(const unsigned char* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace pier
