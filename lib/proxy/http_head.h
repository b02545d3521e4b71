// The head of an HTTP/1 message: a start line and fields up to an empty line (RFC 9112). Internal to proxy/.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pier {

struct HttpField {
  std::string name;
  std::string value;  // without the blanks around it
};

struct HttpHead {
  std::string start_line;
  std::vector<HttpField> fields;

  // The values of all fields of that name, in order; names are compared without case.
  [[nodiscard]] std::vector<std::string_view> all(std::string_view name) const;
  // The only one; nothing when there is none, or more than one.
  [[nodiscard]] std::optional<std::string_view> only(std::string_view name) const;
  // Whether one of the values of that name is a list with the token in it, without case ("close").
  [[nodiscard]] bool lists(std::string_view name, std::string_view token) const;
};

// Takes the bytes of one head and none behind it.
class HttpHeadReader {
 public:
  // A line ends with CR LF or LF. Malformed: a control character, a field without a name and a colon, a
  // continued line (obs-fold).
  enum class State : unsigned char { more, whole, malformed, line_too_long, head_too_long };

  static constexpr std::size_t kMostStartLine = 4096;
  static constexpr std::size_t kMostHead = 16384;

  // How many of them were taken; all while the state stays `more`.
  std::size_t take(std::string_view bytes);
  [[nodiscard]] State state() const { return state_; }
  // Once whole; the reader is then ready for another.
  [[nodiscard]] HttpHead release();

 private:
  void end_line();

  State state_ = State::more;
  std::string line_;
  std::size_t size_ = 0;
  bool started_ = false;
  HttpHead head_;
};

[[nodiscard]] bool same_without_case(std::string_view a, std::string_view b);
// A token of RFC 9110, section 5.6.2: a method, a name, a scheme.
[[nodiscard]] bool is_http_token(std::string_view text);

}  // namespace pier
