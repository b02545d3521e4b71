#include "out/session_report.h"

#include <fmt/core.h>
#include <sys/socket.h>

#include "base/number.h"

namespace pier {
namespace {

std::string_view closed_first(const RelayResult& result) {
  return result.peer_closed_first ? "peer" : "us";
}

// What stands for the peer in a line: an unnamed Unix client has nothing but its number.
std::string name_of(const Session& session) {
  const bool nameless =
      session.peer.is_unix() ? session.peer.path().empty() : session.peer.domain() == AF_UNSPEC;
  if (nameless) return fmt::format("client {}", session.id);
  return session.peer.to_string();
}

void add_addresses(JsonObject& record, const Session& session) {
  record.number("id", session.id);
  const auto add = [&](std::string_view prefix, const SocketAddress& address) {
    const std::string key(prefix);
    if (address.is_ip()) {
      record.text(key + "_addr", address.ip().to_string()).number(key + "_port", address.port());
    } else {
      record.text(key + "_addr", address.to_string()).null(key + "_port");
    }
  };
  add("remote", session.peer);
  if (session.via) add("via", *session.via);
  add("local", session.local);
}

}  // namespace

std::string summary_line(const Session& session, const RelayResult& result) {
  return fmt::format("{}: {} B in, {} B out, {:.3f} s, closed first: {}", name_of(session), result.received,
                     result.sent, seconds(result.took), closed_first(result));
}

void SessionReport::tell_roles(const Session& session) {
  const bool server = options_.role == "client";  // the peer's role; ours is the other
  std::string text = server
                         ? fmt::format("we are the server (we were waiting); {} is the client (it initiated)",
                                       name_of(session))
                         : fmt::format("we are the client (we initiated); {} is the server (it was waiting)",
                                       name_of(session));
  if (session.datagram)
    text += server ? "; there is no connection: each datagram names its sender, and replies go there"
                   : "; there is no connection: connect() only fixed whom datagrams go to and come from";
  options_.steps->step(
      {.call = "roles",
       .text = std::move(text),
       .result = "ok",
       .fields = {{"local", session.local.to_string()}, {"remote", session.peer.to_string()}}});
}

void SessionReport::tell_close(const Session& session, const RelayResult& result) {
  options_.steps->step(
      {.call = "close",
       .text = fmt::format("{}: the socket is given back after {:.2f} s; {} B out, {} B in", name_of(session),
                           seconds(result.took), result.sent, result.received),
       .result = result.error ? result.error->message() : "ok",
       .fields = {{"closed_first", std::string(closed_first(result))}}});
}

void SessionReport::connected(const Session& session) {
  ++sessions_;
  if (options_.steps != nullptr) tell_roles(session);
  if (options_.events != nullptr) {
    JsonObject record("connected");
    add_addresses(record, session);
    record.text("role", options_.role);
    options_.events->write(record);
  }
  if (!options_.announce) return;
  const std::string word =
      session.peer.is_ip() ? ", " + options_.port_word(session.peer.port()) : std::string();
  const std::string way = session.via ? " by way of " + session.via->to_string() : std::string();
  options_.say(fmt::format("{} connected ({}{}){}", name_of(session), options_.role, word, way));
}

void SessionReport::closed(const Session& session, const RelayResult& result) {
  received_ += result.received;
  sent_ += result.sent;
  last_ = result;
  if (options_.steps != nullptr) tell_close(session, result);
  if (options_.events != nullptr) {
    JsonObject record("closed");
    add_addresses(record, session);
    record.number("bytes_in", result.received).number("bytes_out", result.sent);
    record.real("elapsed_s", seconds(result.took)).text("closed_first", closed_first(result));
    if (result.exit_status) record.number("exit_status", static_cast<std::uint64_t>(*result.exit_status));
    if (result.error)
      record.text("error", result.error->message());
    else
      record.null("error");
    options_.events->write(record);
  }
  if (options_.summary) return options_.say(summary_line(session, result));
  if (!options_.announce) return;
  const std::string end = result.error               ? result.error->message()
                          : result.peer_closed_first ? fmt::format("the {} closed first", options_.role)
                                                     : std::string("we closed first");
  options_.say(fmt::format("{} done: {} in, {} out, {:.2f} s; {}", name_of(session),
                           format_bytes(result.received), format_bytes(result.sent), seconds(result.took),
                           end));
}

void SessionReport::datagram(const Session& session, const SocketAddress& sender, std::size_t size) {
  if (options_.events == nullptr) return;
  JsonObject record("datagram");
  record.number("id", session.id);
  if (sender.is_ip())
    record.text("remote_addr", sender.ip().to_string()).number("remote_port", sender.port());
  else
    record.text("remote_addr", sender.to_string()).null("remote_port");
  options_.events->write(record.number("bytes", size));
}

void SessionReport::refused(const SocketAddress& peer, std::string_view why) {
  ++refusals_;
  if (options_.events != nullptr) {
    JsonObject record("refused");
    if (peer.is_ip())
      record.text("remote_addr", peer.ip().to_string()).number("remote_port", peer.port());
    else
      record.text("remote_addr", peer.to_string()).null("remote_port");
    options_.events->write(record.text("reason", why));
  }
  options_.detail(fmt::format("{} refused: {}", peer.to_string(), why));
}

void SessionReport::note(std::string_view text) {
  options_.say(text);
  if (options_.events != nullptr) options_.events->write(JsonObject("note").text("text", text));
}

}  // namespace pier
