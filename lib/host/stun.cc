#include "host/stun.h"

#include <fmt/core.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/fd.h"

namespace pier {
namespace {

constexpr std::uint32_t kMagicCookie = 0x2112A442;     // RFC 8489, section 5
constexpr std::uint32_t kFingerprintXor = 0x5354554E;  // "STUN", section 14.7

// Attributes: RFC 8489, section 18.3, and RFC 5780, section 7. Those of authentication count as known: nobody
// has a password here, and so nothing to check them with.
enum Attribute : std::uint16_t {
  kMappedAddress = 0x0001,
  kChangeRequest = 0x0003,
  kChangedAddress = 0x0005,  // RFC 3489
  kUsername = 0x0006,
  kMessageIntegrity = 0x0008,
  kErrorCode = 0x0009,
  kUnknownAttributes = 0x000A,
  kRealm = 0x0014,
  kNonce = 0x0015,
  kMessageIntegritySha256 = 0x001C,
  kXorMappedAddress = 0x0020,
  kSoftware = 0x8022,
  kAlternateServer = 0x8023,
  kFingerprint = 0x8028,
  kResponseOrigin = 0x802B,
  kOtherAddress = 0x802C,
};
constexpr std::uint16_t kOptionalFrom = 0x8000;  // "comprehension-optional"

constexpr std::uint32_t kChangeAddressBit = 4;
constexpr std::uint32_t kChangePortBit = 2;

std::uint16_t get16(std::span<const std::byte> bytes) {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[0]) << 8 |
                                    std::to_integer<unsigned>(bytes[1]));
}

std::uint32_t get32(std::span<const std::byte> bytes) {
  return std::uint32_t{get16(bytes)} << 16 | get16(bytes.subspan(2));
}

void put16(std::vector<std::byte>& out, std::uint16_t value) {
  out.push_back(static_cast<std::byte>(value >> 8));
  out.push_back(static_cast<std::byte>(value & 0xff));
}

void put32(std::vector<std::byte>& out, std::uint32_t value) {
  put16(out, static_cast<std::uint16_t>(value >> 16));
  put16(out, static_cast<std::uint16_t>(value & 0xffff));
}

// CRC-32 as ITU V.42 and Ethernet have it.
std::uint32_t crc32(std::span<const std::byte> bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320U : 0U);
  }
  return ~crc;
}

std::unexpected<Error> refuse(std::string_view why) {
  return fail(ErrorKind::failed, "STUN message", "", why);
}

// The type's bits: the class stands among those of the method (section 5, figure 3).
std::uint16_t type_of(StunClass kind, std::uint16_t method) {
  const auto c = static_cast<unsigned>(kind);
  return static_cast<std::uint16_t>((method & 0xfU) | (c & 1) << 4 | (method & 0x70U) << 1 | (c & 2) << 7 |
                                    (method & 0xf80U) << 2);
}

StunClass class_of(std::uint16_t type) {
  return static_cast<StunClass>((type >> 4 & 1) | (type >> 7 & 2));
}

std::uint16_t method_of(std::uint16_t type) {
  return static_cast<std::uint16_t>((type & 0xf) | (type >> 1 & 0x70) | (type >> 2 & 0xf80));
}

// An address attribute. `mask`: the cookie and the id, or nothing where it is not masked (section 14.2).
Result<SocketAddress> read_address(std::span<const std::byte> value, std::span<const std::byte> mask) {
  const std::size_t size = value.size() < 4           ? 0
                           : value[1] == std::byte{1} ? 4
                           : value[1] == std::byte{2} ? 16
                                                      : 0;
  if (size == 0) return refuse("an address of an unknown family");
  if (value.size() != 4 + size) return refuse("an address of a wrong length");
  std::array<std::uint8_t, 16> ip{};
  for (std::size_t i = 0; i < size; ++i) {
    const std::byte masked = mask.empty() ? value[4 + i] : value[4 + i] ^ mask[i];
    ip[i] = std::to_integer<std::uint8_t>(masked);
  }
  std::uint16_t port = get16(value.subspan(2));
  if (!mask.empty()) port ^= get16(mask);
  const Family family = size == 4 ? Family::ipv4 : Family::ipv6;
  return SocketAddress(IpAddress(family, std::span(ip).first(size)), port);
}

std::string text_of(std::span<const std::byte> value) {
  return {reinterpret_cast<const char*>(value.data()), value.size()};
}

Result<StunError> read_error(std::span<const std::byte> value) {
  if (value.size() < 4) return refuse("an ERROR-CODE that is cut short");
  const int hundreds = std::to_integer<int>(value[2]) & 7;
  const int rest = std::to_integer<int>(value[3]);
  if (hundreds < 3 || hundreds > 6 || rest > 99) return refuse("an ERROR-CODE out of its range");
  return StunError{.code = hundreds * 100 + rest, .reason = text_of(value.subspan(4))};
}

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  Result<StunMessage> operator()() {
    const std::uint16_t type = get16(bytes_);
    message_.kind = class_of(type);
    message_.method = method_of(type);
    std::memcpy(message_.id.data(), bytes_.data() + 8, message_.id.size());
    for (std::size_t at = kStunHeader; at < bytes_.size();) {
      const auto rest = bytes_.subspan(at);
      if (rest.size() < 4) return refuse("an attribute that is cut short");
      const std::size_t length = get16(rest.subspan(2));
      if (length > rest.size() - 4) return refuse("an attribute that reaches past the end");
      if (const auto read = attribute(get16(rest), rest.subspan(4, length), at); !read)
        return std::unexpected(read.error());
      at += 4 + (length + 3) / 4 * 4;
    }
    if (!message_.mapped) message_.mapped = plain_mapped_;
    return std::move(message_);
  }

 private:
  Result<void> attribute(std::uint16_t type, std::span<const std::byte> value, std::size_t at) {
    switch (type) {
      case kXorMappedAddress:
        return address(message_.mapped, value, bytes_.subspan(4, 16));
      case kMappedAddress:
        return address(plain_mapped_, value, {});
      case kOtherAddress:
      case kChangedAddress:
        return address(message_.other, value, {});
      case kResponseOrigin:
        return address(message_.origin, value, {});
      case kAlternateServer:
        return address(message_.alternate, value, {});
      case kSoftware:
        message_.software = text_of(value);
        return {};
      case kErrorCode: {
        auto error = read_error(value);
        if (!error) return std::unexpected(error.error());
        message_.error = *std::move(error);
        return {};
      }
      case kFingerprint:
        if (value.size() != 4 || at + 8 != bytes_.size() ||
            get32(value) != (crc32(bytes_.first(at)) ^ kFingerprintXor))
          return refuse("a FINGERPRINT that does not fit");
        return {};
      case kChangeRequest:
      case kUsername:
      case kMessageIntegrity:
      case kMessageIntegritySha256:
      case kUnknownAttributes:
      case kRealm:
      case kNonce:
        return {};
      default:
        if (type < kOptionalFrom) message_.unknown.push_back(type);
        return {};
    }
  }

  // The first one of a kind counts (section 14).
  static Result<void> address(std::optional<SocketAddress>& into, std::span<const std::byte> value,
                              std::span<const std::byte> mask) {
    auto read = read_address(value, mask);
    if (!read) return std::unexpected(read.error());
    if (!into) into = *read;
    return {};
  }

  std::span<const std::byte> bytes_;
  StunMessage message_;
  std::optional<SocketAddress> plain_mapped_;
};

}  // namespace

StunId new_stun_id() {
  StunId id;
  if (retry_eintr([&] { return ::getrandom(id.data(), id.size(), 0); }) != static_cast<ssize_t>(id.size()))
    throw std::system_error(errno, std::generic_category(), "getrandom");
  return id;
}

std::vector<std::byte> encode(const StunRequest& request) {
  const bool change = request.change_address || request.change_port;
  constexpr std::uint16_t kFour = 4;  // bytes of each attribute's value here
  std::vector<std::byte> out;
  put16(out, type_of(StunClass::request, kStunBinding));
  put16(out, change ? 16 : 8);  // with FINGERPRINT, which is computed so
  put32(out, kMagicCookie);
  const auto id = std::as_bytes(std::span(request.id));
  out.insert(out.end(), id.begin(), id.end());
  if (change) {
    put16(out, kChangeRequest);
    put16(out, kFour);
    put32(out, (request.change_address ? kChangeAddressBit : 0) | (request.change_port ? kChangePortBit : 0));
  }
  const std::uint32_t fingerprint = crc32(out) ^ kFingerprintXor;
  put16(out, kFingerprint);
  put16(out, kFour);
  put32(out, fingerprint);
  return out;
}

Result<std::optional<std::size_t>> stun_length(std::span<const std::byte> bytes) {
  if (bytes.empty()) return std::nullopt;
  if ((bytes[0] & std::byte{0xc0}) != std::byte{0}) return refuse("its first bits are not zero");
  if (bytes.size() < 8) return std::nullopt;
  const std::size_t length = get16(bytes.subspan(2));
  if (length % 4 != 0) return refuse("its length is no number of words");
  if (get32(bytes.subspan(4)) != kMagicCookie) return refuse("it has not the cookie of RFC 8489");
  return kStunHeader + length;
}

Result<StunMessage> decode_stun(std::span<const std::byte> bytes) {
  const auto length = stun_length(bytes);
  if (!length) return std::unexpected(length.error());
  if (!*length || **length != bytes.size())
    return refuse(fmt::format("it has {} bytes and says another number", bytes.size()));
  return Reader(bytes)();
}

}  // namespace pier
