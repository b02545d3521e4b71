// pier-connect's own options: how it reaches a server.
#pragma once

#include "cli/flags.h"
#include "proxy/starttls.h"

namespace pier::client::flag {

inline constexpr Flag kSource{.name = "source",
                              .value = "ADDR[:PORT]",
                              .kind = ValueKind::text,
                              .group = "Transport",
                              .brief = "connect from this address (or unix:PATH for datagrams)"};
inline constexpr Flag kSourcePort{.name = "source-port",
                                  .letter = 'p',
                                  .value = "P",
                                  .kind = ValueKind::port,
                                  .group = "Transport",
                                  .brief = "connect from this port"};
inline constexpr Flag kInterface{.name = "interface",
                                 .value = "IF",
                                 .kind = ValueKind::text,
                                 .group = "Transport",
                                 .brief = "go out by this interface, whatever the routes say"};
inline constexpr Flag kHandover{
    .name = "handover",
    .group = "Transport",
    .brief = "follow the server to the port that it hands us over to (listen --handover)"};
inline constexpr Flag kStreams{.name = "streams",
                               .value = "N",
                               .kind = ValueKind::number,
                               .group = "Data",
                               .brief = "send over N connections to listen --handover --recv FILE",
                               .min = 1,
                               .max = 64};
inline constexpr Flag kMptcp{
    .name = "mptcp", .group = "Transport", .brief = "Multipath TCP, where the server has it too"};
inline constexpr Flag kFastopen{
    .name = "fastopen",
    .group = "Transport",
    .brief = "TCP Fast Open: the first bytes go with the SYN to a server met before"};
inline constexpr Flag kTtl{.name = "ttl",
                           .value = "N",
                           .kind = ValueKind::number,
                           .group = "Socket",
                           .brief = "packets pass at most N routers (default: 64, and 1 for multicast)",
                           .min = 1,
                           .max = 255};
inline constexpr Flag kReplies{.name = "replies",
                               .value = "N",
                               .kind = ValueKind::number,
                               .group = "Data",
                               .brief = "UDP: end with the Nth reply; fewer within --reply-timeout: 124",
                               .min = 1};
inline constexpr Flag kMaxDatagram{.name = "max-datagram",
                                   .value = "S",
                                   .kind = ValueKind::size,
                                   .group = "Data",
                                   .brief = "UDP: read at most S bytes of stdin into one (default: 16k)"};
inline constexpr Flag kTelnet{
    .name = "telnet",
    .group = "Data",
    .brief = "the server speaks Telnet: refuse its options, take its commands out of the data"};
inline constexpr Flag kTranscript{.name = "transcript",
                                  .value = "FILE|fd:N",
                                  .kind = ValueKind::file,
                                  .group = "Output",
                                  .brief = "write what is received and sent there, as NDJSON"};
inline constexpr Flag kProxy{
    .name = "proxy",
    .value = "URL",
    .kind = ValueKind::text,
    .group = "Proxies",
    .brief =
        "through socks5://, socks4a://, http:// or https://; repeat for a chain; env: as "
        "ALL_PROXY says",
    .repeats = true};
inline constexpr Flag kProxyAuthFile{.name = "proxy-auth-file",
                                     .value = "FILE",
                                     .kind = ValueKind::file,
                                     .group = "Proxies",
                                     .brief = "one line user:password, for the proxies that ask"};
inline constexpr Flag kSendProxy{.name = "send-proxy",
                                 .value = "v1|v2",
                                 .kind = ValueKind::choice,
                                 .group = "Proxies",
                                 .brief = "begin with a PROXY protocol header that names our address",
                                 .choices = "v1|v2"};
inline constexpr Flag kStarttls{
    .name = "starttls",
    .value = "PROTO",
    .kind = ValueKind::choice,
    .group = "TLS",
    .brief =
        "TLS once the server, asked in its protocol, agrees: smtp|imap|pop3|ftp|ldap|postgres|mysql|xmpp",
    .choices = kStarttlsProtocols};
inline constexpr Flag kCheck{
    .name = "check",
    .group = "Reaching",
    .brief = "only connect and report; no data; several endpoints are checked at once"};
inline constexpr Flag kWait{.name = "wait",
                            .value = "D",
                            .kind = ValueKind::duration,
                            .group = "Reaching",
                            .brief = "try again until it is up, for at most D (then 124)"};
inline constexpr Flag kStable{.name = "stable",
                              .value = "D",
                              .kind = ValueKind::duration,
                              .group = "Reaching",
                              .brief = "with --check or --wait: up is what is still open after D"};
inline constexpr Flag kExpect{.name = "expect",
                              .value = "REGEX",
                              .kind = ValueKind::text,
                              .group = "Reaching",
                              .brief = "with --check or --wait: up is what sends a match (as grep -E)"};
inline constexpr Flag kSendText{
    .name = "send-text",
    .value = "TEXT",
    .kind = ValueKind::text,
    .group = "Reaching",
    .brief = "what --expect's answer is asked for by; \\r\\n and \\xHH are bytes"};
inline constexpr Flag kUntilClosed{.name = "until-closed",
                                   .group = "Reaching",
                                   .brief = "try until it refuses (with --wait D: for at most D)"};
inline constexpr Flag kAny{
    .name = "any", .group = "Reaching", .brief = "of several endpoints one that is up is enough"};
inline constexpr Flag kAll{
    .name = "all", .group = "Reaching", .brief = "all of several endpoints must be up (the default)"};
inline constexpr Flag kConnectTimeout{
    .name = "connect-timeout",
    .value = "D",
    .kind = ValueKind::duration,
    .group = "Time",
    .brief = "give up connecting after D (default: the kernel's; with --wait 1s an attempt)"};
inline constexpr Flag kTimeout{.name = "timeout",
                               .value = "D",
                               .kind = ValueKind::duration,
                               .group = "Time",
                               .brief = "end the whole run (124) after D (default: never)"};

}  // namespace pier::client::flag
