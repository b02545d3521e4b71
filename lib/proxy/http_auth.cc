#include "proxy/http_auth.h"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "base/base64.h"

namespace pier {

// One challenge of a WWW-Authenticate-like field (RFC 9110, section 11.6): a scheme and its parameters.
struct HttpProxyAuth::Offer {
  std::string scheme;
  std::vector<HttpField> parameters;

  [[nodiscard]] std::optional<std::string> get(std::string_view name) const {
    for (const HttpField& parameter : parameters)
      if (same_without_case(parameter.name, name)) return parameter.value;
    return std::nullopt;
  }
};

namespace {

// Reads `Digest realm="a", nonce=b, Basic realm="c"` from left to right.
class ChallengeText {
 public:
  explicit ChallengeText(std::string_view text) : rest_(text) {}

  void skip_separators() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t' || rest_.front() == ','))
      rest_.remove_prefix(1);
  }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }

  std::string token() {
    std::size_t size = 0;
    while (size < rest_.size() && is_http_token(rest_.substr(size, 1))) ++size;
    std::string word(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return word;
  }
  // Whether a parameter's "=" stands here; goes past it.
  bool equals() {
    const std::size_t mark = rest_.find_first_not_of(" \t");
    if (mark == std::string_view::npos || rest_[mark] != '=') return false;
    rest_.remove_prefix(mark + 1);
    const std::size_t value = rest_.find_first_not_of(" \t");
    rest_.remove_prefix(std::min(value, rest_.size()));
    return true;
  }
  // A token, or a string in double quotes, where a backslash stands before any character that is meant.
  std::string value() {
    if (rest_.empty() || rest_.front() != '"') return token();
    std::string text;
    for (rest_.remove_prefix(1); !rest_.empty() && rest_.front() != '"'; rest_.remove_prefix(1)) {
      if (rest_.front() == '\\' && rest_.size() > 1) rest_.remove_prefix(1);
      text += rest_.front();
    }
    if (!rest_.empty()) rest_.remove_prefix(1);
    return text;
  }
  // What is no token at all is left out up to the next comma.
  void skip_garbage() { rest_.remove_prefix(std::min(rest_.find(',', 1), rest_.size())); }

 private:
  std::string_view rest_;
};

std::string in_quotes(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

// "auth" in a list such as "auth,auth-int".
bool offers_auth(std::string_view list) {
  HttpHead one;
  one.fields.push_back({"qop", std::string(list)});
  return one.lists("qop", "auth");
}

}  // namespace

HttpProxyAuth::HttpProxyAuth(Credentials credentials, DigestFunction digest,
                             std::function<std::string()> nonce)
    : credentials_(std::move(credentials)), digest_(std::move(digest)), nonce_(std::move(nonce)) {}

// What this can answer to, or nothing.
std::optional<HttpProxyAuth::Challenge> HttpProxyAuth::usable(const Offer& offer) const {
  Challenge challenge;
  challenge.realm = offer.get("realm").value_or("");
  if (same_without_case(offer.scheme, "Basic")) return challenge;
  const auto nonce = offer.get("nonce");
  if (!same_without_case(offer.scheme, "Digest") || !nonce || !digest_) return std::nullopt;
  challenge.digest = true;
  challenge.nonce = *nonce;
  challenge.opaque = offer.get("opaque");
  challenge.stale = same_without_case(offer.get("stale").value_or(""), "true");
  challenge.user_hash = same_without_case(offer.get("userhash").value_or(""), "true");
  challenge.algorithm_name = offer.get("algorithm").value_or("");
  std::string_view name = challenge.algorithm_name;
  constexpr std::string_view kSession = "-sess";
  if (name.size() > kSession.size() &&
      same_without_case(name.substr(name.size() - kSession.size()), kSession)) {
    challenge.session = true;
    name.remove_suffix(kSession.size());
  }
  if (same_without_case(name, "SHA-256"))
    challenge.algorithm = DigestAlgorithm::sha256;
  else if (!name.empty() && !same_without_case(name, "MD5"))
    return std::nullopt;
  if (const auto qop = offer.get("qop")) {
    if (!offers_auth(*qop)) return std::nullopt;
    challenge.qop = true;
  }
  return digest_(challenge.algorithm, "").empty() ? std::nullopt : std::optional(challenge);
}

HttpProxyAuth::Learned HttpProxyAuth::learn(const HttpHead& response) {
  std::vector<Offer> offers;
  for (const std::string_view field : response.all("Proxy-Authenticate")) {
    ChallengeText text(field);
    for (text.skip_separators(); !text.at_end(); text.skip_separators()) {
      const std::string word = text.token();
      if (word.empty())
        text.skip_garbage();
      else if (text.equals() && !offers.empty())
        offers.back().parameters.push_back({word, text.value()});
      else
        offers.push_back({word, {}});
    }
  }
  std::optional<Challenge> best;
  const auto rank = [](const Challenge& c) {
    return !c.digest ? 0 : c.algorithm == DigestAlgorithm::md5 ? 1 : 2;
  };
  for (const Offer& offer : offers)
    if (auto challenge = usable(offer); challenge && (!best || rank(*challenge) > rank(*best)))
      best = std::move(challenge);
  if (!best) return Learned::unknown;
  // A second 407 means that the answer was wrong, unless only the nonce had grown old.
  const bool wrong =
      answered_ && !(best->digest && best->stale && challenge_ && best->nonce != challenge_->nonce);
  if (!challenge_ || best->nonce != challenge_->nonce) count_ = 0;
  challenge_ = std::move(best);
  answered_ = false;
  return wrong ? Learned::refused : Learned::usable;
}

std::string HttpProxyAuth::authorization(std::string_view method, std::string_view uri) {
  if (!challenge_) return {};
  answered_ = true;
  if (challenge_->digest) return digest_answer(method, uri);
  return "Basic " + base64_encode(credentials_.user + ":" + credentials_.password);
}

// RFC 7616, section 3.4.
std::string HttpProxyAuth::digest_answer(std::string_view method, std::string_view uri) {
  const Challenge& c = *challenge_;
  const auto hash = [&](const std::string& text) { return digest_(c.algorithm, text); };
  const std::string count = fmt::format("{:08x}", ++count_);
  const std::string ours = c.qop || c.session ? nonce_() : std::string();
  std::string secret = hash(credentials_.user + ":" + c.realm + ":" + credentials_.password);
  if (c.session) secret = hash(secret + ":" + c.nonce + ":" + ours);
  const std::string request = hash(fmt::format("{}:{}", method, uri));
  const std::string between = c.qop ? ":" + count + ":" + ours + ":auth:" : ":";
  const std::string response = hash(secret + ":" + c.nonce + between + request);
  const std::string user = c.user_hash ? hash(credentials_.user + ":" + c.realm) : credentials_.user;
  std::string answer =
      fmt::format("Digest username={}, realm={}, nonce={}, uri={}, response=\"{}\"", in_quotes(user),
                  in_quotes(c.realm), in_quotes(c.nonce), in_quotes(uri), response);
  if (!c.algorithm_name.empty()) answer += ", algorithm=" + c.algorithm_name;
  if (c.qop) answer += ", qop=auth, nc=" + count;
  if (c.qop || c.session) answer += ", cnonce=" + in_quotes(ours);
  if (c.opaque) answer += ", opaque=" + in_quotes(*c.opaque);
  if (c.user_hash) answer += ", userhash=true";
  return answer;
}

}  // namespace pier
