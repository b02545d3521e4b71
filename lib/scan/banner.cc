#include "scan/banner.h"

#include <algorithm>
#include <cctype>
#include <cstdint>

#include "base/utf8.h"

namespace pier {
namespace {

bool equal_fold(char a, char b) {
  return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
}

bool has_word(std::string_view text, std::string_view word) {
  return !std::ranges::search(text, word, equal_fold).empty();
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  return text;
}

std::string_view first_line(std::string_view text) {
  return trimmed(text.substr(0, text.find('\n')));
}

// The value of a header field, or nothing.
std::string_view field(std::string_view message, std::string_view name) {
  for (std::size_t at = message.find('\n'); at != std::string_view::npos; at = message.find('\n', at)) {
    message.remove_prefix(at + 1);
    const std::string_view line = first_line(message);
    if (line.empty()) return {};
    if (line.size() > name.size() && line[name.size()] == ':' &&
        std::ranges::equal(line.substr(0, name.size()), name, equal_fold))
      return trimmed(line.substr(name.size() + 1));
    at = 0;
  }
  return {};
}

// Three digits and a blank or a hyphen, as in replies of SMTP and FTP.
bool is_reply(std::string_view line, std::string_view code) {
  return line.starts_with(code) && line.size() > code.size() &&
         (line[code.size()] == ' ' || line[code.size()] == '-');
}

// MySQL's first packet: three bytes of length, number 0, protocol 10, then the version up to a NUL.
std::string_view mysql_version(std::string_view received) {
  constexpr std::size_t kHead = 5;
  if (received.size() <= kHead || received[3] != '\0' || received[4] != '\x0a') return {};
  const std::size_t length = static_cast<std::uint8_t>(received[0]) |
                             static_cast<std::size_t>(static_cast<std::uint8_t>(received[1])) << 8 |
                             static_cast<std::size_t>(static_cast<std::uint8_t>(received[2])) << 16;
  const std::string_view version = received.substr(kHead, received.find('\0', kHead) - kHead);
  const bool plain = std::ranges::all_of(version, [](char c) { return c > ' ' && c < '\x7f'; });
  return length < version.size() + 1 || !plain ? std::string_view() : version;
}

struct Known {
  std::string_view protocol;
  std::string_view product;
};

// "220 mail.example ESMTP Postfix": what follows the word, where SMTP's servers put their name.
Known by_reply(std::string_view line) {
  for (const std::string_view word : {"ESMTP", "LMTP", "SMTP"}) {
    const auto found = std::ranges::search(line, word, equal_fold);
    if (found.empty()) continue;
    const auto after = static_cast<std::size_t>(found.end() - line.begin());
    return {word == "LMTP" ? "lmtp" : "smtp", trimmed(line.substr(after))};
  }
  const std::string_view rest = trimmed(line.substr(4));
  if (has_word(line, "FTP")) return {"ftp", rest};
  return {};
}

Known known(std::string_view received, std::string_view line) {
  if (line.starts_with("SSH-")) {
    const std::size_t hyphen = line.find('-', 4);
    return {"ssh", hyphen == std::string_view::npos ? std::string_view() : line.substr(hyphen + 1)};
  }
  if (line.starts_with("HTTP/")) return {"http", field(received, "Server")};
  if (line.starts_with("RTSP/")) return {"rtsp", field(received, "Server")};
  if (line.starts_with("SIP/")) return {"sip", field(received, "Server")};
  if (is_reply(line, "220")) return by_reply(line);
  if (is_reply(line, "200") || is_reply(line, "201"))
    return has_word(line, "NNTP") || has_word(line, "news") ? Known{"nntp", trimmed(line.substr(4))}
                                                            : Known{};
  if (line.starts_with("+OK")) return {"pop3", trimmed(line.substr(3))};
  if (line.starts_with("* OK") || line.starts_with("* PREAUTH")) {
    std::string_view rest = trimmed(line.substr(std::min(line.find(' ', 2), line.size())));
    if (rest.starts_with('[')) rest = trimmed(rest.substr(std::min(rest.find(']'), rest.size() - 1) + 1));
    return {"imap", rest};
  }
  if (line.starts_with("RFB ")) return {"vnc", line.substr(4)};
  if (line.starts_with("@RSYNCD:")) return {"rsync", trimmed(line.substr(8))};
  if (line.starts_with("-ERR") || line.starts_with("-NOAUTH") || line.starts_with("-DENIED"))
    return {"redis", {}};
  if (line.starts_with("\"IMPLEMENTATION\"")) return {"sieve", trimmed(line.substr(16))};
  if (line.starts_with(':') && has_word(line, " NOTICE ")) return {"irc", {}};
  if (line.starts_with("NOTICE ")) return {"irc", {}};
  if (received.starts_with('\xff') && received.size() >= 3 && static_cast<std::uint8_t>(received[1]) >= 0xfb)
    return {"telnet", {}};
  if (const std::string_view version = mysql_version(received); !version.empty()) return {"mysql", version};
  return {};
}

std::string printed(std::string_view text) {
  return printable(text.substr(0, Banner::kMostText));
}

}  // namespace

Banner read_banner(std::string_view received) {
  const std::string_view line = first_line(received);
  const Known service = known(received, line);
  return {.protocol = std::string(service.protocol),
          .product = printed(service.product),
          .text = printed(line),
          .tls = std::nullopt};
}

bool asks_for_tls(std::string_view received) {
  if (received.size() >= 3 && (received[0] == '\x15' || received[0] == '\x16') && received[1] == '\x03')
    return true;
  return received.starts_with("HTTP/") && has_word(received, "HTTPS");
}

std::string Banner::to_string() const {
  std::string words = protocol;
  const std::string& says = product.empty() ? text : product;
  if (!says.empty()) words += (words.empty() ? "" : " ") + says;
  if (!tls) return words;
  words += (words.empty() ? "" : " over ") + tls->version;
  if (!tls->alpn.empty()) words += " " + tls->alpn;
  std::string who = tls->subject;
  for (std::size_t i = 0; i < tls->names.size(); ++i)
    who += (i > 0 ? ", " : who.empty() ? "" : "; ") + tls->names[i];
  return who.empty() ? words : words + " (" + who + ")";
}

}  // namespace pier
