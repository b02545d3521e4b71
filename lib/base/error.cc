#include "base/error.h"

#include <cstring>

#include "base/utf8.h"

namespace pier {

std::string errno_text(int code) {
  char buffer[128];
  // The GNU form of strerror_r returns the text, in our buffer or a constant one.
  std::string text = ::strerror_r(code, buffer, sizeof buffer);
  // "Connection refused" begins a sentence, "RFS specific error" an abbreviation: only the first is lowered.
  if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z')
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}

std::string Error::message() const {
  std::string text = op;
  if (!subject.empty()) {
    if (!text.empty()) text += ' ';
    text += subject;
  }
  const std::string reason = !why.empty() ? why : code != 0 ? errno_text(code) : std::string();
  if (!reason.empty()) {
    if (!text.empty()) text += ": ";
    text += reason;
  }
  return text;
}

std::unexpected<Error> system_error(std::string_view op, std::string_view subject, int code, ErrorKind kind) {
  return std::unexpected(Error{kind, std::string(op), std::string(subject), code, {}});
}

std::unexpected<Error> fail(ErrorKind kind, std::string_view op, std::string_view subject,
                            std::string_view why) {
  return std::unexpected(Error{kind, std::string(op), std::string(subject), 0, std::string(why)});
}

std::unexpected<Error> usage_error(std::string_view what, std::string_view text, std::string_view why) {
  return fail(ErrorKind::usage, what, quoted(text), why);
}

std::string quoted(std::string_view text) {
  return "'" + printable(text) + "'";
}

}  // namespace pier
