#include "proxy/http_server.h"

#include <fmt/core.h>

#include "base/base64.h"
#include "base/number.h"
#include "net/host_name.h"

namespace pier {
namespace {

std::string_view reason_of(unsigned status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 405:
      return "Method Not Allowed";
    case 407:
      return "Proxy Authentication Required";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 504:
      return "Gateway Timeout";
    default:
      return "Bad Gateway";
  }
}

std::string response(unsigned status, std::string_view why) {
  const std::string body = fmt::format("{}\n", why);
  std::string text = fmt::format("HTTP/1.1 {} {}\r\n", status, reason_of(status));
  if (status == 405) text += "Allow: CONNECT\r\n";
  if (status == 407) text += "Proxy-Authenticate: Basic realm=\"pier\", charset=\"UTF-8\"\r\n";
  text +=
      fmt::format("Content-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.size());
  return text + body;
}

// "db.example:5432" or "[::1]:80", both parts there and in order.
std::optional<ProxyTarget> authority_of(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_unsigned(text.substr(colon + 1), 1, 65535, "port");
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const bool v6 = host.find(':') != std::string_view::npos;
  if (!port || v6 != bracketed || !check_host(host)) return std::nullopt;
  return ProxyTarget{std::string(host), static_cast<std::uint16_t>(*port)};
}

}  // namespace

std::unexpected<Error> HttpProxyServer::refuse_request(unsigned status, std::string_view why) {
  output_ += response(status, why);
  return fail(ErrorKind::failed, "HTTP proxy", "", fmt::format("{} {}: {}", status, reason_of(status), why));
}

Result<Negotiation::Fed> HttpProxyServer::receive(std::string_view bytes) {
  const std::size_t taken = reader_.take(bytes);
  switch (reader_.state()) {
    case HttpHeadReader::State::more:
      return Fed{taken, false};
    case HttpHeadReader::State::malformed:
      return refuse_request(400, "the request is malformed");
    case HttpHeadReader::State::line_too_long:
      return refuse_request(414, "the request line is longer than 4096 bytes");
    case HttpHeadReader::State::head_too_long:
      return refuse_request(413, "the head of the request is longer than 16384 bytes");
    case HttpHeadReader::State::whole:
      break;
  }
  if (const auto fits = judge(reader_.release()); !fits) return std::unexpected(fits.error());
  return Fed{taken, true};
}

Result<void> HttpProxyServer::judge(const HttpHead& request) {
  const std::string_view line = request.start_line;
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last || !is_http_token(line.substr(0, first)))
    return refuse_request(400, "the request line is not METHOD TARGET VERSION");
  const std::string_view version = line.substr(last + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0")
    return refuse_request(400, "the version is neither HTTP/1.1 nor HTTP/1.0");
  if (line.substr(0, first) != "CONNECT") return refuse_request(405, "this proxy knows only CONNECT");
  // What follows the head is the target's from its first byte: there is no body to tell from it.
  if (!request.all("Transfer-Encoding").empty() || request.only("Content-Length").value_or("0") != "0")
    return refuse_request(400, "CONNECT has no body");
  const auto target = authority_of(line.substr(first + 1, last - first - 1));
  if (!target) return refuse_request(400, "the target is not HOST:PORT");
  if (check_ && !is_known(request)) return refuse_request(407, "a name and password are needed");
  target_ = *target;
  return {};
}

bool HttpProxyServer::is_known(const HttpHead& request) const {
  const auto value = request.only("Proxy-Authorization");
  if (!value || value->size() < 6 || !same_without_case(value->substr(0, 6), "Basic ")) return false;
  std::string_view text = value->substr(6);
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  const auto pair = base64_decode(text);
  if (!pair) return false;
  const std::size_t colon = pair->find(':');
  if (colon == std::string::npos) return false;
  return check_(std::string_view(*pair).substr(0, colon), std::string_view(*pair).substr(colon + 1));
}

void HttpProxyServer::connected(const SocketAddress&) {
  output_ += "HTTP/1.1 200 Connection established\r\n\r\n";
}

void HttpProxyServer::refuse(ProxyRefusal why) {
  switch (why) {
    case ProxyRefusal::not_allowed:
      output_ += response(403, "this target is not allowed");
      return;
    case ProxyRefusal::no_answer:
      output_ += response(504, "no answer from the target");
      return;
    case ProxyRefusal::refused:
      output_ += response(502, "the target refused the connection");
      return;
    case ProxyRefusal::unknown_name:
      output_ += response(502, "the target's name is not known");
      return;
    case ProxyRefusal::network_unreachable:
    case ProxyRefusal::host_unreachable:
      output_ += response(502, "there is no way to the target");
      return;
    case ProxyRefusal::general:
      output_ += response(502, "the target could not be reached");
      return;
  }
}

}  // namespace pier
