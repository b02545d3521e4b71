#include "scan/banner_message.h"

#include <cstring>
#include <utility>
#include <vector>

#include "base/utf8.h"

namespace pier {
namespace {

// Without the names: protocol, product, text; and over TLS version, protocol and subject too.
constexpr std::size_t kPlainTexts = 3;
constexpr std::size_t kTlsTexts = 6;

template <class Number>
void put(std::string& bytes, Number number) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
}

void put(std::string& bytes, const std::string& text) {
  put(bytes, static_cast<std::uint32_t>(text.size()));
  bytes += text;
}

template <class Number>
std::optional<Number> take(std::string_view& bytes) {
  Number number{};
  if (bytes.size() < sizeof number) return std::nullopt;
  std::memcpy(&number, bytes.data(), sizeof number);
  bytes.remove_prefix(sizeof number);
  return number;
}

std::optional<std::vector<std::string>> take_texts(std::string_view bytes) {
  std::vector<std::string> texts;
  while (!bytes.empty()) {
    const auto size = take<std::uint32_t>(bytes);
    if (!size || *size > bytes.size()) return std::nullopt;
    texts.push_back(printable(bytes.substr(0, *size)));
    bytes.remove_prefix(*size);
  }
  return texts;
}

std::optional<BannerMessage> read_message(std::string_view bytes) {
  const auto number = take<std::uint64_t>(bytes);
  if (!number) return std::nullopt;
  auto texts = take_texts(bytes);
  if (!texts || (texts->size() != kPlainTexts && texts->size() < kTlsTexts)) return std::nullopt;
  std::vector<std::string>& all = *texts;
  BannerMessage message{.number = *number,
                        .banner = {.protocol = std::move(all[0]),
                                   .product = std::move(all[1]),
                                   .text = std::move(all[2]),
                                   .tls = std::nullopt}};
  if (all.size() == kPlainTexts) return message;
  BannerTls& tls = message.banner.tls.emplace(BannerTls{
      .version = std::move(all[3]), .alpn = std::move(all[4]), .subject = std::move(all[5]), .names = {}});
  for (std::size_t i = kTlsTexts; i < all.size(); ++i) tls.names.push_back(std::move(all[i]));
  return message;
}

}  // namespace

std::string to_bytes(const BannerMessage& message) {
  std::string body;
  put(body, message.number);
  const Banner& banner = message.banner;
  for (const std::string& text : {banner.protocol, banner.product, banner.text}) put(body, text);
  if (banner.tls) {
    for (const std::string& text : {banner.tls->version, banner.tls->alpn, banner.tls->subject})
      put(body, text);
    for (const std::string& name : banner.tls->names) put(body, name);
  }
  std::string bytes;
  put(bytes, body);
  return bytes;
}

Result<std::optional<BannerMessage>> BannerMessageReader::next() {
  std::string_view bytes = bytes_;
  const auto size = take<std::uint32_t>(bytes);
  if (!size) return std::nullopt;
  if (*size > kMostBytes) return fail(ErrorKind::local, "read a banner", "", "it is too long");
  if (*size > bytes.size()) return std::nullopt;
  auto message = read_message(bytes.substr(0, *size));
  if (!message) return fail(ErrorKind::local, "read a banner", "", "it is malformed");
  bytes_.erase(0, sizeof *size + *size);
  return message;
}

}  // namespace pier
