// STUN messages (RFC 8489), as far as asking for one's own address goes, and what RFC 5780 adds to tell how a
// NAT behaves. Sans-IO: bytes in, a message out, and the other way round.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "net/address.h"

namespace pier {

// 96 bits that nobody can foretell: what an answer must carry to be one (RFC 8489, section 5).
using StunId = std::array<std::uint8_t, 12>;
[[nodiscard]] StunId new_stun_id();

enum class StunClass : std::uint8_t { request, indication, success, error };

inline constexpr std::size_t kStunHeader = 20;
// The longest message: its length field has 16 bits and counts words.
inline constexpr std::size_t kStunLongest = kStunHeader + 65532;

struct StunError {
  int code = 0;        // 300 to 699
  std::string reason;  // as the server has it, UTF-8 by the RFC but whatever came
};

// What is read from a message. Attributes that are not known and need not be understood are passed over.
struct StunMessage {
  StunClass kind = StunClass::request;
  std::uint16_t method = 0;  // 1 is Binding
  StunId id{};
  std::optional<SocketAddress> mapped;     // XOR-MAPPED-ADDRESS, or MAPPED-ADDRESS of an RFC 3489 server
  std::optional<SocketAddress> origin;     // RESPONSE-ORIGIN (RFC 5780): where the server sent it from
  std::optional<SocketAddress> other;      // OTHER-ADDRESS, or CHANGED-ADDRESS of RFC 3489
  std::optional<SocketAddress> alternate;  // ALTERNATE-SERVER: ask there
  std::optional<StunError> error;          // ERROR-CODE
  std::string software;                    // SOFTWARE
  std::vector<std::uint16_t> unknown;  // attributes that must be understood (below 0x8000) and are not known
};

// The Binding method (RFC 8489, section 3).
inline constexpr std::uint16_t kStunBinding = 1;

// A Binding request, with FINGERPRINT at its end (section 14.7). CHANGE-REQUEST (RFC 5780, section 7.2) asks
// the server to answer from its other address, its other port, or both.
struct StunRequest {
  StunId id{};
  bool change_address = false;
  bool change_port = false;
};
[[nodiscard]] std::vector<std::byte> encode(const StunRequest& request);

// The length of the message that begins with these bytes, over a stream: nullopt when there are too few to
// know. ErrorKind::failed when they begin no STUN message.
[[nodiscard]] Result<std::optional<std::size_t>> stun_length(std::span<const std::byte> bytes);

// One whole message. ErrorKind::failed, with what is wrong, for anything else: a wrong length, an attribute
// that reaches past the end, an address of an unknown family, a FINGERPRINT that does not fit.
[[nodiscard]] Result<StunMessage> decode_stun(std::span<const std::byte> bytes);

}  // namespace pier
