// The one grammar of target sets: what a user may write for hosts: to scan, to leave out, to let in.
//
//   db.example   192.0.2.7   10.0.0.0/24   10.0.0.1-5   10.0.0-3.1-254   10.0.0.9-10.0.1.20
//   2001:db8::7  2001:db8::/120   [2001:db8::1]-[2001:db8::ff]   fe80::1%eth0
//
// Items are separated by commas, blanks or line ends. Parsing opens no file, no socket, and looks up no name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "net/address_set.h"

namespace pier {

// What was written, names not yet looked up.
struct TargetSpec {
  std::vector<AddressRange> ranges;
  std::vector<std::string> names;  // in the order written
  std::vector<std::string> notes;  // sentences about what was taken otherwise than written (masked host bits)
};

// Adds one item. A usage error quotes it and says what fits, and leaves `into` as it was. Octet ranges that
// fall apart into more than 2^20 runs of consecutive addresses are refused: a prefix says the same in one.
[[nodiscard]] Result<void> parse_target(std::string_view item, TargetSpec& into);

// Adds the items of one argument. An empty item (`a,,b`, a comma at either end) is an error, and so is
// nothing.
[[nodiscard]] Result<void> parse_target_words(std::string_view words, TargetSpec& into);

// Adds the items of a file: as above line by line, where `#` begins a comment and a line may be empty. An
// error begins with `where` and the number of the line, as in "hosts.txt:3".
[[nodiscard]] Result<void> parse_target_file(std::string_view text, std::string_view where, TargetSpec& into);

}  // namespace pier
