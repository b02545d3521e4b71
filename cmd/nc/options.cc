#include "cmd/nc/options.h"

#include <getopt.h>

#include <algorithm>
#include <charconv>
#include <climits>
#include <random>

#include "cmd/nc/letters.h"
#include "cmd/nc/names.h"
#include "cmd/nc/tos.h"

namespace pier::nc {
namespace {

using Refused = std::unexpected<Refusal>;

Refused refuse(std::string message, bool usage = false) {
  return Refused(Refusal{std::move(message), usage});
}

// The value of an option, in nc's words where it does not fit: "timeout invalid: x".
std::expected<int, Refusal> number(std::string_view text, int least, int most, std::string_view what) {
  int value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = !text.empty() && end == text.data() + text.size();
  if (!whole || code == std::errc::invalid_argument)
    return refuse(std::string(what) + " invalid: " + std::string(text));
  const bool negative = text.starts_with('-');
  const bool beyond = code == std::errc::result_out_of_range;
  if (beyond ? negative : value < least)
    return refuse(std::string(what) + " too small: " + std::string(text));
  if (beyond || value > most) return refuse(std::string(what) + " too large: " + std::string(text));
  return value;
}

// What traditional netcat has and OpenBSD's has not, and the command that does it here.
std::string elsewhere(char letter) {
  switch (letter) {
    case 'e':
      return "-e runs a program: pier listen --exec PORT -- PROGRAM, or pier connect --exec HOST PORT -- "
             "PROGRAM";
    case 'c':
      return "-c runs a command: pier listen PORT --sh-exec COMMAND, or pier connect HOST PORT --sh-exec "
             "COMMAND";
    case 'o':
      return "-o writes a hex dump: pier connect --hex-dump FILE HOST PORT";
    default:
      return std::string("-") + letter +
             " is source routing, which routers drop: pier connect --proxy URL HOST PORT "
             "goes by way of another host";
  }
}

// For getopt(3).
std::string letters() {
  std::string text;
  for (const Letter& one : kLetters) text += std::string(1, one.letter) + (one.value.empty() ? "" : ":");
  for (const char letter : kTraditional) text += std::string(1, letter) + ":";
  return text;
}

class Reader {
 public:
  std::expected<Options, Refusal> read(int argc, char** argv, bool& help);

 private:
  std::expected<void, Refusal> take(int letter, std::string_view value);
  std::expected<void, Refusal> take_number(int letter, std::string_view value);
  std::expected<void, Refusal> take_proxy(std::string_view value);
  std::expected<void, Refusal> take_operands(const std::vector<std::string>& words);
  std::expected<void, Refusal> take_listen_operands(const std::vector<std::string>& words);
  std::expected<void, Refusal> take_ports(const std::string& text);
  [[nodiscard]] std::expected<void, Refusal> check() const;

  Options options_;
  bool random_ = false;
  std::string source_port_;
  std::string proxy_;
  bool has_proxy_ = false;
};

std::expected<void, Refusal> Reader::take(int letter, std::string_view value) {
  switch (letter) {
    case '4':
      options_.family = Family::ipv4;
      break;
    case '6':
      options_.family = Family::ipv6;
      break;
    case 'b':
      options_.socket.broadcast = true;
      break;
    case 'C':
      options_.crlf = true;
      break;
    case 'D':
      options_.socket.debug = true;
      break;
    case 'd':
      options_.no_input = true;
      break;
    case 'F':
      options_.pass_socket = true;
      break;
    case 'k':
      options_.keep_open = true;
      break;
    case 'l':
      options_.listen = true;
      break;
    case 'N':
      options_.half_close = true;
      break;
    case 'n':
      options_.numeric = true;
      break;
    case 'r':
      random_ = true;
      break;
    case 'S':
      options_.signed_segments = true;
      break;
    case 't':
      options_.telnet = true;
      break;
    case 'U':
      options_.unix_domain = true;
      break;
    case 'u':
      options_.datagrams = true;
      break;
    case 'v':
      options_.verbose = true;
      break;
    case 'z':
      options_.scan = true;
      break;
    case 'P':
      options_.proxy_user = value;
      break;
    case 'p':
      source_port_ = value;
      break;
    case 's':
      options_.source = value;
      break;
    case 'x':
      proxy_ = value;
      has_proxy_ = true;
      break;
    case 'X':
      return take_proxy(value);
    case 'T':
      options_.socket.tos = parse_tos(value);
      if (!options_.socket.tos) return refuse("illegal tos value " + std::string(value));
      break;
    case 'V':
      return refuse("no alternate routing table support available");
    case 'Z':
      return refuse("no DCCP support: Linux has taken it out");
    default:
      return take_number(letter, value);
  }
  return {};
}

std::expected<void, Refusal> Reader::take_number(int letter, std::string_view value) {
  const auto into = [](auto number, auto keep) -> std::expected<void, Refusal> {
    if (!number) return Refused(number.error());
    keep(*number);
    return {};
  };
  constexpr int kMostTtl = 255;
  switch (letter) {
    case 'I':
      return into(number(value, 1, 1 << 30, "TCP receive window"),
                  [this](int n) { options_.socket.receive_buffer = n; });
    case 'O':
      return into(number(value, 1, 1 << 30, "TCP send window"),
                  [this](int n) { options_.socket.send_buffer = n; });
    case 'i':
      return into(number(value, 0, INT_MAX, "interval"), [this](int n) {
        if (n > 0) options_.interval = std::chrono::seconds(n);
      });
    case 'q':
      return into(number(value, INT_MIN, INT_MAX, "quit timer"), [this](int n) {
        options_.quit = n < 0 ? std::nullopt : std::optional<Duration>(std::chrono::seconds(n));
        if (n >= 0) options_.half_close = true;
      });
    case 'w':
      return into(number(value, 0, INT_MAX / 1000, "timeout"),
                  [this](int n) { options_.timeout = std::chrono::seconds(n); });
    case 'W':
      return into(number(value, 1, INT_MAX, "receive limit"),
                  [this](int n) { options_.packets = static_cast<std::uint64_t>(n); });
    case 'M':
    case 'm': {
      const std::string what = letter == 'M' ? "ttl" : "minttl";
      const auto ttl = number(value, letter == 'M' ? 1 : 0, kMostTtl, what);
      if (!ttl) {  // "ttl is too large"
        const std::string why = ttl.error().message.substr(what.size());
        return refuse(what + " is" + why.substr(0, why.find(':')));
      }
      (letter == 'M' ? options_.socket.ttl : options_.socket.least_ttl) = *ttl;
      return {};
    }
    default:
      return refuse(elsewhere(static_cast<char>(letter)));
  }
}

std::expected<void, Refusal> Reader::take_proxy(std::string_view value) {
  std::string text(value);
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (text == "4")
    options_.proxy_kind = ProxyKind::socks4;
  else if (text == "5")
    options_.proxy_kind = ProxyKind::socks5;
  else if (text == "connect")
    options_.proxy_kind = ProxyKind::http;
  else
    return refuse("unsupported proxy protocol");
  return {};
}

// One port, or lo-hi.
std::expected<void, Refusal> Reader::take_ports(const std::string& text) {
  const auto one = [&](std::string_view part) { return number(part, 1, 65535, "port number"); };
  const std::size_t dash = text.find('-');
  const bool range = dash != std::string::npos && text[0] >= '0' && text[0] <= '9';
  if (!range) {
    if (const auto named = named_port(text, options_.datagrams)) {
      options_.ports.push_back(*named);
      return {};
    }
  }
  auto low = one(range ? text.substr(0, dash) : text);
  if (!low) return Refused(low.error());
  auto high = range ? one(text.substr(dash + 1)) : low;
  if (!high) return Refused(high.error());
  if (*low > *high) std::swap(*low, *high);
  const std::size_t before = options_.ports.size();
  for (int port = *low; port <= *high; ++port) options_.ports.push_back(static_cast<std::uint16_t>(port));
  if (random_)
    std::ranges::shuffle(options_.ports.begin() + static_cast<std::ptrdiff_t>(before), options_.ports.end(),
                         std::mt19937(std::random_device()()));
  return {};
}

// PORT, or HOST PORT; with -p or -s neither.
std::expected<void, Refusal> Reader::take_listen_operands(const std::vector<std::string>& words) {
  std::string port = source_port_;
  if (!source_port_.empty() || !options_.source.empty()) {
    if (!words.empty()) return refuse("", true);
    options_.host = options_.source;
  } else if (words.size() <= 2) {
    if (!words.empty()) port = words.back();
    if (words.size() == 2) options_.host = words.front();
  } else {
    return refuse("", true);
  }
  if (port.empty()) return refuse("missing port number");
  const auto known = port_of(port, options_.datagrams);
  if (!known) return refuse(known.error());
  options_.ports.push_back(*known);
  return {};
}

std::expected<void, Refusal> Reader::take_operands(const std::vector<std::string>& words) {
  if (options_.unix_domain) {
    if (words.size() > 1) return refuse("cannot use port with -U");
    if (words.empty() && options_.listen && !options_.source.empty()) {
      options_.host = options_.source;
      return {};
    }
    if (words.empty()) return refuse("", true);
    options_.host = words[0];
    return {};
  }
  if (options_.listen) return take_listen_operands(words);
  if (words.empty()) return refuse("", true);
  options_.host = words[0];
  if (words.size() == 1) return refuse("missing port number");
  for (std::size_t i = 1; i < words.size(); ++i)
    if (const auto taken = take_ports(words[i]); !taken) return taken;
  if (source_port_.empty()) return {};
  const auto known = port_of(source_port_, options_.datagrams);
  if (!known) return refuse(known.error());
  options_.source_port = *known;
  return {};
}

std::expected<void, Refusal> Reader::check() const {
  struct Rule {
    bool broken;
    const char* text;
  };
  const bool l = options_.listen;
  const Rule rules[] = {
      {l && options_.scan, "cannot use -z and -l"},
      {!l && options_.keep_open, "must use -l with -k"},
      {options_.unix_domain && options_.pass_socket, "cannot use -F and -U"},
      {l && options_.pass_socket, "cannot use -F and -l"},
      {options_.datagrams && options_.pass_socket, "cannot use -F and -u"},
      {l && has_proxy_, "no proxy support for listen"},
      {options_.datagrams && has_proxy_, "no proxy support for UDP mode"},
      {options_.unix_domain && has_proxy_, "no proxy support for unix sockets"},
      {!options_.source.empty() && has_proxy_, "no proxy support for local source address"},
      {options_.telnet && options_.datagrams, "cannot use -t and -u: Telnet is spoken over TCP"},
      {options_.signed_segments && (options_.datagrams || options_.unix_domain),
       "cannot use -S with -u or -U: it signs TCP segments"},
      {!has_proxy_ && options_.proxy_kind.has_value(), "must use -x with -X"},
      {!options_.proxy_user.empty() && options_.proxy_kind != ProxyKind::http, "must use -X connect with -P"},
  };
  for (const Rule& rule : rules)
    if (rule.broken) return refuse(rule.text);
  return {};
}

std::expected<Options, Refusal> Reader::read(int argc, char** argv, bool& help) {
  const std::string known = letters();
  int letter = 0;
  while ((letter = ::getopt(argc, argv, known.c_str())) != -1) {
    if (letter == 'h') {
      help = true;
      return options_;
    }
    if (letter == '?') return refuse("", true);
    const auto taken = take(letter, optarg != nullptr ? optarg : "");
    if (!taken) return Refused(taken.error());
  }
  if (const auto fits = check(); !fits) return Refused(fits.error());
  const std::vector<std::string> words(argv + optind, argv + argc);
  if (const auto taken = take_operands(words); !taken) return Refused(taken.error());
  if (!has_proxy_) return options_;
  const bool http = options_.proxy_kind == ProxyKind::http;
  const auto proxy = split_proxy(proxy_, http ? 3128 : 1080);
  if (!proxy) return refuse(proxy.error());
  options_.proxy_host = proxy->host;
  options_.proxy_port = proxy->port;
  return options_;
}

}  // namespace

std::expected<Options, Refusal> read_options(int argc, char** argv, bool& help) {
  return Reader().read(argc, argv, help);
}

}  // namespace pier::nc
