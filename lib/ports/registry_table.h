// The shape of the generated table (data/generate_registry.cc writes it). Only ports/registry.cc reads it.
//
// Texts are offsets into one pool of NUL-terminated strings and there is no pointer anywhere, so that the
// dynamic loader has nothing to relocate and a start touches only the pages it looks at.
#pragma once

#include <cstdint>

namespace pier::registry_table {

using Text = std::uint32_t;  // offset into kPool; 0 is the empty string

// What is said about the ports of one transport from `first` to `last`.
struct Entry {
  std::uint16_t first;
  std::uint16_t last;
  Text service;
  Text description;
  Text notes;
  Text unauthorized_use;
  std::uint16_t alias_begin;  // into kAliases
  std::uint16_t alias_count;
};

// One place where a name stands.
struct Name {
  Text name;
  std::uint16_t first;
  std::uint16_t last;
  std::uint8_t protocol;  // as PortProtocol
  bool has_port;          // false: the name is registered without a port anywhere, and the rest is 0
};

struct Facts {
  Text source;
  Text newest_entry;
  std::uint32_t rows;
  std::uint32_t names;
  std::uint32_t names_without_port;
  std::uint32_t assigned[4];
  std::uint32_t unauthorized;
};

extern const char kPool[];
// Transport after transport, each sorted and without overlap.
extern const Entry kEntries[];
// kBlocks[t][b] is the first entry of transport t that ends at port 256 * b or later, and kBlocks[t][256] the
// end of the transport's entries: a search looks at a few neighbouring entries and not across the table.
extern const std::uint16_t kBlocks[4][257];
extern const Text kAliases[];
// Sorted by name in lower case, then in the order of the file.
extern const Name kNames[];
extern const std::uint32_t kNameCount;
extern const Facts kFacts;

}  // namespace pier::registry_table
