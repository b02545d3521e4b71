// The Telnet protocol's commands (RFC 854), taken out of what a server sends: every option is refused, so
// that the connection stays the plain one that it begins as.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace pier {

class TelnetFilter {
 public:
  // Moves the data to the front of `bytes`, and returns how many there are. DO is answered by WONT, WILL by
  // DONT, appended to `replies`; all other commands and negotiations are dropped. A zero behind a CR is no
  // data. Sequences may be split between two calls.
  [[nodiscard]] std::size_t take(std::span<std::byte> bytes, std::string& replies);

  // Appends `bytes` as data: an IAC (255) among them is doubled.
  static void put(std::string& out, std::span<const std::byte> bytes);

 private:
  enum class State : unsigned char { data, after_cr, command, option, sub, sub_command };
  State state_ = State::data;
  unsigned char verb_ = 0;  // WILL, WONT, DO or DONT, with State::option
};

}  // namespace pier
