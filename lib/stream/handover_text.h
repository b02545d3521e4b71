// The lines of a handover: how a server sends a client from the port that is known to one of its own, and how
// one file goes over several connections. No I/O. pier-listen(1), HANDOVER, has the dialogue.
//
//   PIER/1 HANDOVER PORT CLAIM PROOF      the server, on the known port: come there, and say this
//   PIER/1 CLAIM CLAIM [INDEX/COUNT]      the client, on the new port; INDEX from 1, of COUNT connections
//   PIER/1 TAKEN PROOF                    the server: it is really I
//   PIER/1 BLOCK SIZE                     SIZE bytes follow; the next block is on the next connection
//   PIER/1 END DIGEST                     in place of a block: that was all; SHA-256 of all bytes
//   PIER/1 DONE DIGEST                    the server, on the first connection: I have it whole
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace pier {

struct HandoverLine {
  enum class Kind : unsigned char { handover, claim, taken, block, end, done };

  Kind kind = Kind::handover;
  std::uint16_t port = 0;   // handover: 1 to 65535
  std::string claim = {};   // handover, claim: kHandoverToken lower-case hexadecimal digits
  std::string proof = {};   // handover, taken: likewise
  std::uint32_t index = 0;  // claim: 1 to count, or 0 where one connection is all
  std::uint32_t count = 0;  // claim: 1 to kMostStreams, or 0
  std::uint64_t size = 0;   // block: 1 to kMostBlock
  std::string digest = {};  // end, done: 64 lower-case hexadecimal digits

  // With its line end.
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const HandoverLine&, const HandoverLine&) = default;
};

// 128 bits: nobody guesses them.
inline constexpr std::size_t kHandoverToken = 32;
inline constexpr std::uint32_t kMostStreams = 64;
inline constexpr std::uint64_t kMostBlock = std::uint64_t{1} << 24U;
// No line is longer, with its line end.
inline constexpr std::size_t kMostHandoverLine = 160;

// One line without its LF; a CR before it is let pass, for who types. ErrorKind::failed quotes what does not
// fit, in part.
[[nodiscard]] Result<HandoverLine> parse_handover_line(std::string_view line);

}  // namespace pier
