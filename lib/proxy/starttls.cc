#include "proxy/starttls.h"

#include <array>

#include "base/utf8.h"
#include "proxy/http_head.h"
#include "proxy/starttls_dialogue.h"

namespace pier {
namespace {

constexpr std::array kNames{std::string_view("smtp"),  std::string_view("imap"), std::string_view("pop3"),
                            std::string_view("ftp"),   std::string_view("ldap"), std::string_view("postgres"),
                            std::string_view("mysql"), std::string_view("xmpp")};

bool begins(std::string_view line, std::string_view wanted) {
  return line.size() >= wanted.size() && same_without_case(line.substr(0, wanted.size()), wanted);
}

// SMTP and FTP: three digits, then "-" while more lines follow.
class CodeDialogue : public StarttlsDialogue {
 public:
  using StarttlsDialogue::StarttlsDialogue;

 protected:
  // A whole reply: its code and the texts of its lines.
  [[nodiscard]] virtual Result<Step> reply(std::string_view code, std::string_view last_line) = 0;
  virtual void line(std::string_view) {}

  Result<Step> judge() final {
    const auto text = take_line();
    if (!text) return Step::more;
    const bool coded = text->size() >= 3 && text->find_first_not_of("0123456789") >= 3 &&
                       (text->size() == 3 || (*text)[3] == ' ' || (*text)[3] == '-');
    if (open_.empty() && !coded) return failed("its answer is not a reply with a code: " + quoted(*text));
    if (open_.empty()) open_ = text->substr(0, 3);
    line(text->size() > 4 ? std::string_view(*text).substr(4) : std::string_view());
    const bool last = coded && text->starts_with(open_) && (text->size() == 3 || (*text)[3] == ' ');
    if (!last) return Step::next;
    const std::string code = std::exchange(open_, {});
    return reply(code, *text);
  }

 private:
  std::string open_;  // the code of the reply that is being read
};

class Smtp final : public CodeDialogue {
 public:
  Smtp() : CodeDialogue("smtp") {}

 private:
  void line(std::string_view text) override {
    if (stage_ == 1 && same_without_case(text, "STARTTLS")) offered_ = true;
  }
  Result<Step> reply(std::string_view code, std::string_view last_line) override {
    switch (stage_++) {
      case 0:
        if (code != "220") return refused(last_line);
        output_ += "EHLO localhost\r\n";
        return Step::next;
      case 1:
        if (code != "250") return refused(last_line);
        if (!offered_) return failed("the server does not offer it");
        output_ += "STARTTLS\r\n";
        return Step::next;
      default:
        if (code != "220") return refused(last_line);
        return Step::go;
    }
  }

  int stage_ = 0;
  bool offered_ = false;
};

class Ftp final : public CodeDialogue {
 public:
  Ftp() : CodeDialogue("ftp") {}

 private:
  Result<Step> reply(std::string_view code, std::string_view last_line) override {
    if (!asked_ && code == "120") return Step::next;  // ready in a while
    if (code != (asked_ ? "234" : "220")) return refused(last_line);
    if (asked_) return Step::go;
    asked_ = true;
    output_ += "AUTH TLS\r\n";
    return Step::next;
  }

  bool asked_ = false;
};

class Imap final : public StarttlsDialogue {
 public:
  Imap() : StarttlsDialogue("imap") {}

 private:
  Result<Step> judge() override {
    const auto line = take_line();
    if (!line) return Step::more;
    if (!asked_) {
      // PREAUTH would leave no state in which TLS can begin (CVE-2020-12398).
      if (!begins(*line, "* OK")) return refused(*line);
      asked_ = true;
      output_ += "a1 STARTTLS\r\n";
      return Step::next;
    }
    if (begins(*line, "a1 OK")) return Step::go;
    if (begins(*line, "* ") && !begins(*line, "* BYE")) return Step::next;
    return refused(*line);
  }

  bool asked_ = false;
};

class Pop3 final : public StarttlsDialogue {
 public:
  Pop3() : StarttlsDialogue("pop3") {}

 private:
  Result<Step> judge() override {
    const auto line = take_line();
    if (!line) return Step::more;
    if (!begins(*line, "+OK")) return refused(*line);
    if (asked_) return Step::go;
    asked_ = true;
    output_ += "STLS\r\n";
    return Step::next;
  }

  bool asked_ = false;
};

// No XML is parsed: the few elements that may come before TLS are looked for as text.
class Xmpp final : public StarttlsDialogue {
 public:
  explicit Xmpp(std::string_view server_name) : StarttlsDialogue("xmpp") {
    output_ = "<?xml version='1.0'?><stream:stream to='" + escaped(server_name) +
              "' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
  }

 private:
  static std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : text) {
      if (c == '&' || c == '<' || c == '>' || c == '\'' || c == '"')
        result += "&#" + std::to_string(static_cast<int>(c)) + ";";
      else
        result += c;
    }
    return result;
  }
  // The end of an element that begins at `at`, or npos: `<name …/>` or `<name …>…</name>`.
  [[nodiscard]] std::size_t end_of(std::string_view name, std::size_t at) const {
    const std::size_t tag_end = seen_.find('>', at);
    if (tag_end == std::string::npos) return tag_end;
    if (seen_[tag_end - 1] == '/') return tag_end + 1;
    const std::string close = "</" + std::string(name) + ">";
    const std::size_t found = seen_.find(close, tag_end);
    return found == std::string::npos ? found : found + close.size();
  }

  Result<Step> judge() override {
    if (!asked_) {
      const std::size_t begin = seen_.find("<stream:features");
      if (seen_.find("<stream:error") < begin) return refused(seen_);
      const std::size_t end = begin == std::string::npos ? begin : end_of("stream:features", begin);
      if (end == std::string::npos) return Step::more;
      if (seen_.substr(begin, end - begin).find("<starttls") == std::string::npos)
        return failed("the server does not offer it");
      seen_.erase(0, end);
      asked_ = true;
      output_ += "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
      return Step::next;
    }
    const std::size_t begin = seen_.find_first_not_of(" \t\r\n");
    if (begin == std::string::npos) return Step::more;
    const std::string_view answer = std::string_view(seen_).substr(begin);
    constexpr std::string_view kProceed = "<proceed";
    if (answer.substr(0, kProceed.size()) != kProceed.substr(0, answer.size())) return refused(answer);
    const std::size_t end = end_of("proceed", begin);
    if (end == std::string::npos) return Step::more;
    seen_.erase(0, end);
    return Step::go;
  }

  bool asked_ = false;
};

}  // namespace

std::optional<StarttlsProtocol> parse_starttls(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<StarttlsProtocol>(i);
  return std::nullopt;
}

std::string_view starttls_name(StarttlsProtocol protocol) {
  return kNames[static_cast<std::size_t>(protocol)];
}

std::unique_ptr<Negotiation> make_starttls(StarttlsProtocol protocol, std::string_view server_name) {
  switch (protocol) {
    case StarttlsProtocol::smtp:
      return std::make_unique<Smtp>();
    case StarttlsProtocol::imap:
      return std::make_unique<Imap>();
    case StarttlsProtocol::pop3:
      return std::make_unique<Pop3>();
    case StarttlsProtocol::ftp:
      return std::make_unique<Ftp>();
    case StarttlsProtocol::ldap:
      return make_ldap_starttls();
    case StarttlsProtocol::postgres:
      return make_postgres_starttls();
    case StarttlsProtocol::mysql:
      return make_mysql_starttls();
    case StarttlsProtocol::xmpp:
      return std::make_unique<Xmpp>(server_name);
  }
  return nullptr;
}

Result<Negotiation::Fed> StarttlsDialogue::receive(std::string_view bytes) {
  total_ += bytes.size();
  seen_ += bytes;
  for (;;) {
    const auto step = judge();
    if (!step) return std::unexpected(step.error());
    if (*step == Step::go) {
      if (seen_.empty()) return Fed{bytes.size(), true};
      return failed("the server sent " + std::to_string(seen_.size()) +
                    " B in plain text behind its go-ahead: they could be anybody's");
    }
    if (*step == Step::more) {
      if (total_ > kMost) return failed("its answer is too long");
      return Fed{bytes.size(), false};
    }
  }
}

std::optional<std::string> StarttlsDialogue::take_line() {
  const std::size_t end = seen_.find('\n');
  if (end == std::string::npos) return std::nullopt;
  std::string line = seen_.substr(0, end);
  seen_.erase(0, end + 1);
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

std::unexpected<Error> StarttlsDialogue::failed(std::string_view why) const {
  return fail(ErrorKind::failed, "STARTTLS (" + protocol_ + ")", "", why);
}

std::unexpected<Error> StarttlsDialogue::refused(std::string_view answer) const {
  return failed("the server says no: " + printable(answer.substr(0, 120)));
}

}  // namespace pier
