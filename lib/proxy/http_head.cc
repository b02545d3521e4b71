#include "proxy/http_head.h"

#include <algorithm>
#include <utility>

namespace pier {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t') || byte == 0x7f;
}

}  // namespace

bool same_without_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

bool is_http_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    const char l = lower(c);
    return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || kMarks.find(c) != std::string_view::npos;
  });
}

std::vector<std::string_view> HttpHead::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const HttpField& field : fields)
    if (same_without_case(field.name, name)) values.push_back(field.value);
  return values;
}

std::optional<std::string_view> HttpHead::only(std::string_view name) const {
  const auto values = all(name);
  return values.size() == 1 ? std::optional(values.front()) : std::nullopt;
}

bool HttpHead::lists(std::string_view name, std::string_view token) const {
  for (std::string_view rest : all(name)) {
    for (;;) {
      const std::size_t comma = rest.find(',');
      if (same_without_case(trimmed(rest.substr(0, comma)), token)) return true;
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return false;
}

std::size_t HttpHeadReader::take(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char c = bytes[i];
    ++size_;
    const bool after_cr = line_.ends_with('\r');
    if (c == '\n') {
      if (after_cr) line_.pop_back();
      end_line();
    } else if (after_cr || (is_control(c) && c != '\r')) {
      state_ = State::malformed;
    } else {
      line_ += c;
    }
    if (state_ == State::more && !started_ && line_.size() > kMostStartLine) state_ = State::line_too_long;
    if (state_ == State::more && size_ >= kMostHead) state_ = State::head_too_long;
    if (state_ != State::more) return i + 1;
  }
  return bytes.size();
}

void HttpHeadReader::end_line() {
  const std::string line = std::exchange(line_, {});
  if (!started_) {
    if (line.empty()) return;  // RFC 9112, section 2.2: empty lines in front are to be ignored
    started_ = true;
    head_.start_line = line;
    return;
  }
  if (line.empty()) {
    state_ = State::whole;
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string::npos || !is_http_token(std::string_view(line).substr(0, colon))) {
    state_ = State::malformed;
    return;
  }
  head_.fields.push_back(
      {line.substr(0, colon), std::string(trimmed(std::string_view(line).substr(colon + 1)))});
}

HttpHead HttpHeadReader::release() {
  HttpHead head = std::move(head_);
  *this = {};
  return head;
}

}  // namespace pier
