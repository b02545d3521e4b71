#include "proxy/starttls_dialogue.h"
#include "proxy/wire.h"

namespace pier {
namespace {

// --- LDAP: an extended request and its response, in BER (X.690) ----------------------------------------

struct Element {
  unsigned tag = 0;
  std::string_view value;
  std::size_t size = 0;  // with tag and length
};

// The element that begins with these bytes. Nothing: it is not whole (`bad` false) or cannot be one.
std::optional<Element> element_of(std::string_view bytes, bool& bad) {
  bad = false;
  if (bytes.size() < 2) return std::nullopt;
  std::size_t length = wire::get8(bytes, 1);
  std::size_t head = 2;
  if (length >= 0x80) {
    const std::size_t count = length & 0x7fU;
    bad = count == 0 || count > 4;
    if (bad || bytes.size() < 2 + count) return std::nullopt;
    length = 0;
    for (std::size_t i = 0; i < count; ++i) length = length << 8U | wire::get8(bytes, 2 + i);
    head += count;
  }
  if (bytes.size() - head < length) return std::nullopt;
  return Element{wire::get8(bytes, 0), bytes.substr(head, length), head + length};
}

// Takes an element with this tag from the front of `bytes`.
std::optional<std::string_view> take(std::string_view& bytes, unsigned tag) {
  bool bad = false;
  const auto element = element_of(bytes, bad);
  if (!element || element->tag != tag) return std::nullopt;
  bytes.remove_prefix(element->size);
  return element->value;
}

constexpr unsigned kInteger = 0x02;
constexpr unsigned kOctetString = 0x04;
constexpr unsigned kEnumerated = 0x0a;
constexpr unsigned kSequence = 0x30;
constexpr unsigned kExtendedResponse = 0x78;

class Ldap final : public StarttlsDialogue {
 public:
  Ldap() : StarttlsDialogue("ldap") {
    // messageID 1, ExtendedRequest with the name of StartTLS.
    output_ =
        "\x30\x1d\x02\x01\x01\x77\x18\x80\x16"
        "1.3.6.1.4.1.1466.20037";
  }

 private:
  Result<Step> judge() override {
    bool bad = false;
    if (!seen_.empty() && wire::get8(seen_, 0) != kSequence) return failed("its answer is not LDAP");
    const auto message = element_of(seen_, bad);
    if (bad) return failed("its answer is not LDAP");
    if (!message) return Step::more;
    std::string_view rest = message->value;
    const auto id = take(rest, kInteger);
    auto response = take(rest, kExtendedResponse);
    if (!id || *id != "\1" || !response) return failed("its answer is not that to our request");
    const auto code = take(*response, kEnumerated);
    const auto name = take(*response, kOctetString);
    const auto text = take(*response, kOctetString);
    if (!code || code->size() != 1 || !name || !text) return failed("its answer is not LDAP");
    if (wire::get8(*code, 0) != 0)
      return refused("result " + std::to_string(wire::get8(*code, 0)) + " " + std::string(*text));
    seen_.erase(0, message->size);
    return Step::go;
  }
};

// --- PostgreSQL -----------------------------------------------------------------------------------------

class Postgres final : public StarttlsDialogue {
 public:
  Postgres() : StarttlsDialogue("postgres") {
    wire::put32(output_, 8);
    wire::put32(output_, 80877103);  // SSLRequest
  }

 private:
  Result<Step> judge() override {
    if (seen_.empty()) return Step::more;
    if (seen_.front() == 'N') return failed("the server does not offer it");
    if (seen_.front() != 'S') return failed("its answer is neither S nor N");
    seen_.erase(0, 1);
    return Step::go;
  }
};

// --- MySQL ----------------------------------------------------------------------------------------------

constexpr std::uint32_t kLongPassword = 0x1;
constexpr std::uint32_t kProtocol41 = 0x200;
constexpr std::uint32_t kSsl = 0x800;
constexpr std::uint32_t kSecureConnection = 0x8000;
constexpr std::uint32_t kLargestPacket = 1U << 24U;
constexpr unsigned kUtf8 = 33;

void put_little(std::string& into, std::uint32_t value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; ++i) wire::put8(into, value >> (8 * i));
}

std::uint32_t get_little(std::string_view from, std::size_t at, unsigned bytes) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < bytes; ++i) value |= std::uint32_t{wire::get8(from, at + i)} << (8 * i);
  return value;
}

class Mysql final : public StarttlsDialogue {
 public:
  Mysql() : StarttlsDialogue("mysql") {}

 private:
  // The server speaks first: what it can do. The answer is SSLRequest, and then TLS at once.
  Result<Step> judge() override {
    if (seen_.size() < 4) return Step::more;
    const std::size_t size = get_little(seen_, 0, 3);
    if (size > 4096 || size == 0) return failed("its greeting is not MySQL");
    if (seen_.size() < 4 + size) return Step::more;
    const std::string_view packet = std::string_view(seen_).substr(4, size);
    const unsigned number = wire::get8(seen_, 3);
    if (wire::get8(packet, 0) == 0xff) return refused(packet.substr(std::min<std::size_t>(3, packet.size())));
    // Version 10, the server's version and a zero, thread id (4), data (8), a zero, and the lower
    // capabilities.
    const std::size_t version_end = packet.find('\0', 1);
    if (wire::get8(packet, 0) != 10 || version_end == std::string_view::npos ||
        packet.size() < version_end + 1 + 4 + 8 + 1 + 2)
      return failed("its greeting is not MySQL");
    const std::size_t at = version_end + 1 + 4 + 8 + 1;
    const std::uint32_t capabilities = get_little(packet, at, 2);
    if ((capabilities & kSsl) == 0) return failed("the server does not offer it");
    put_little(output_, 32, 3);
    wire::put8(output_, number + 1);
    put_little(output_, kLongPassword | kProtocol41 | kSsl | kSecureConnection, 4);
    put_little(output_, kLargestPacket, 4);
    wire::put8(output_, kUtf8);
    output_.append(23, '\0');
    seen_.erase(0, 4 + size);
    return Step::go;
  }
};

}  // namespace

std::unique_ptr<Negotiation> make_ldap_starttls() {
  return std::make_unique<Ldap>();
}

std::unique_ptr<Negotiation> make_postgres_starttls() {
  return std::make_unique<Postgres>();
}

std::unique_ptr<Negotiation> make_mysql_starttls() {
  return std::make_unique<Mysql>();
}

}  // namespace pier
