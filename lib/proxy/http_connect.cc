#include "proxy/http_connect.h"

#include <algorithm>
#include <optional>

#include "base/number.h"
#include "base/utf8.h"
#include "proxy/refusal.h"

namespace pier {
namespace {

// A password, and one nonce that has grown old: more is a proxy that never has enough.
constexpr int kMostRequests = 4;
constexpr std::uint64_t kMostBody = 64 * 1024;

struct Status {
  unsigned code = 0;
  bool http_1_0 = false;
  std::string text;  // "403 Forbidden", fit for a line
};

std::optional<Status> status_of(std::string_view line) {
  const bool old = line.starts_with("HTTP/1.0 ");
  if (!old && !line.starts_with("HTTP/1.1 ")) return std::nullopt;
  const std::string_view rest = line.substr(9);
  const auto code = parse_unsigned(rest.substr(0, 3), 100, 599, "status");
  if (!code || (rest.size() > 3 && rest[3] != ' ')) return std::nullopt;
  return Status{static_cast<unsigned>(*code), old, printable(rest.substr(0, 80))};
}

bool keeps_open(const HttpHead& response, const Status& status) {
  for (const std::string_view field : {"Connection", "Proxy-Connection"}) {
    if (response.lists(field, "close")) return false;
    if (response.lists(field, "keep-alive")) return true;
  }
  return !status.http_1_0;
}

}  // namespace

HttpConnectClient::HttpConnectClient(ProxyTarget target, std::shared_ptr<HttpProxyAuth> auth)
    : target_(std::move(target)), auth_(std::move(auth)) {
  ask();
}

void HttpConnectClient::ask() {
  ++asked_;
  const std::string where = target_.to_string();
  output_ += "CONNECT " + where + " HTTP/1.1\r\nHost: " + where + "\r\n";
  if (auth_)
    if (const std::string answer = auth_->authorization("CONNECT", where); !answer.empty())
      output_ += "Proxy-Authorization: " + answer + "\r\n";
  output_ += "\r\n";
}

Result<Negotiation::Fed> HttpConnectClient::receive(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    if (to_skip_ > 0) {
      const std::size_t skipped = std::min<std::uint64_t>(to_skip_, bytes.size() - at);
      at += skipped;
      to_skip_ -= skipped;
      if (to_skip_ == 0) ask();
      continue;
    }
    at += reader_.take(bytes.substr(at));
    if (reader_.state() == HttpHeadReader::State::more) continue;
    if (reader_.state() == HttpHeadReader::State::malformed) return proxy_garbled("its answer is not HTTP");
    if (reader_.state() != HttpHeadReader::State::whole) return proxy_garbled("its answer is too long");
    const auto over = judge(reader_.release());
    if (!over) return std::unexpected(over.error());
    if (*over) return Fed{at, true};
  }
  return Fed{bytes.size(), false};
}

Result<bool> HttpConnectClient::judge(const HttpHead& response) {
  const auto status = status_of(response.start_line);
  if (!status) return proxy_garbled("its answer is not HTTP");
  if (status->code < 200) return false;  // an interim response
  if (status->code < 300) return true;
  switch (status->code) {
    case 407:
      return judge_challenge(response, keeps_open(response, *status));
    case 502:
    case 503:
    case 504:
      return target_failed(target_, 0, "not reached (" + status->text + ")");
    default:
      return proxy_refused(target_, status->text);
  }
}

Result<bool> HttpConnectClient::judge_challenge(const HttpHead& response, bool keeps_open) {
  if (!auth_) return proxy_refused(target_, "it wants a name and password (--proxy-auth-file)");
  switch (auth_->learn(response)) {
    case HttpProxyAuth::Learned::usable:
      break;
    case HttpProxyAuth::Learned::refused:
      return proxy_refused(target_, "name or password is wrong");
    case HttpProxyAuth::Learned::unknown:
      return proxy_refused(target_, "it asks for a name and password in no way known here (Basic, Digest)");
  }
  if (asked_ >= kMostRequests) return proxy_refused(target_, "it asks for the password again and again");
  const auto length = response.only("Content-Length");
  const auto size = parse_unsigned(length.value_or("0"), 0, kMostBody, "length");
  if (!keeps_open || !size || !response.all("Transfer-Encoding").empty() ||
      (!length && !response.all("Content-Length").empty())) {
    again_ = true;
    return true;
  }
  to_skip_ = *size;
  if (to_skip_ == 0) ask();
  return false;
}

}  // namespace pier
