#include "scan/client_hello.h"

#include "scan/wire.h"

namespace pier {
namespace {

using namespace wire;

// ECDHE and RSA key exchange with GCM, ChaCha20 or CBC, by what servers of any age have; the last are for
// DTLS with pre-shared keys (RFC 4279, RFC 5487). IANA's TLS registry has the numbers.
const std::string kSuites = u16s({0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc009, 0xc013, 0xc00a,
                                  0xc014, 0x009c, 0x009d, 0x002f, 0x0035, 0x00a8, 0x008c});

std::string extension(unsigned type, std::string_view body) {
  return u16(type) + with_u16(body);
}

std::string common_extensions() {
  return extension(10, with_u16(u16s({0x001d, 0x0017, 0x0018, 0x0019}))) +  // groups (RFC 8422)
         extension(11, with_u8(u8(0))) +                                    // uncompressed points
         extension(13, with_u16(u16s({0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601,
                                      0x0201}))) +  // signatures (RFC 5246, RFC 8446)
         extension(0xff01, with_u8(""));            // renegotiation (RFC 5746)
}

std::string random_field() {
  return "pier-scan: no secret is made here";  // 33 bytes; the caller takes 32
}

std::string hello(unsigned version, std::string_view cookie, std::string_view extensions) {
  return u16(version) + random_field().substr(0, 32) + with_u8("") + std::string(cookie) + with_u16(kSuites) +
         with_u8(u8(0)) + with_u16(extensions);
}

}  // namespace

std::string tls_client_hello(std::string_view server_name) {
  std::string extensions = common_extensions();
  if (!server_name.empty()) extensions += extension(0, with_u16(u8(0) + with_u16(server_name)));
  extensions += extension(16, with_u16(with_u8("h2") + with_u8("http/1.1")));
  return u8(22) + u16(0x0301) + with_u16(u8(1) + with_u24(hello(0x0303, "", extensions)));
}

std::string dtls_client_hello() {
  const std::string body = hello(0xfefd, with_u8(""), common_extensions());
  const std::string message = u8(1) + u24(static_cast<unsigned>(body.size())) + u16(0) + u24(0) +
                              u24(static_cast<unsigned>(body.size())) + body;
  return u8(22) + u16(0xfeff) + zeros(8) + with_u16(message);
}

}  // namespace pier
