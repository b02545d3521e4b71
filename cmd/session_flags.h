// The options that listen and connect have in common, each once.
#pragma once

#include "cli/flags.h"

namespace pier::flag {

inline constexpr Flag kIpv4{.name = "ipv4", .letter = '4', .group = "Transport", .brief = "IPv4 only"};
inline constexpr Flag kIpv6{.name = "ipv6", .letter = '6', .group = "Transport", .brief = "IPv6 only"};
inline constexpr Flag kUdp{.name = "udp",
                           .letter = 'u',
                           .group = "Transport",
                           .brief = "UDP in place of TCP; with -U, Unix datagrams"};
inline constexpr Flag kUnix{.name = "unix",
                            .letter = 'U',
                            .group = "Transport",
                            .brief = "a Unix socket: the operand is its path, or @NAME"};
inline constexpr Flag kSend{.name = "send",
                            .value = "FILE",
                            .kind = ValueKind::file,
                            .group = "Data",
                            .brief = "send this file, in place of stdin"};
inline constexpr Flag kRecv{.name = "recv",
                            .value = "FILE",
                            .kind = ValueKind::file,
                            .group = "Data",
                            .brief = "receive into this file, in place of stdout; named once complete"};
inline constexpr Flag kPartial{
    .name = "partial", .group = "Data", .brief = "keep what --recv has when it is not complete"};
inline constexpr Flag kSendOnly{.name = "send-only",
                                .group = "Data",
                                .brief = "send stdin, receive nothing; end when all is acknowledged"};
inline constexpr Flag kRecvOnly{
    .name = "recv-only", .group = "Data", .brief = "receive only; stdin is never read"};
inline constexpr Flag kNoHalfClose{
    .name = "no-half-close", .group = "Data", .brief = "keep our sending side open after stdin's end"};
inline constexpr Flag kKeepStdin{
    .name = "keep-stdin",
    .group = "Data",
    .brief = "after the peer's end, wait for stdin's end (default: 0.5s of silence)"};
inline constexpr Flag kCrlf{.name = "crlf", .group = "Data", .brief = "send each LF as CR LF"};
inline constexpr Flag kIdleTimeout{.name = "idle-timeout",
                                   .value = "D",
                                   .kind = ValueKind::duration,
                                   .group = "Time",
                                   .brief = "end (124) when no byte has moved for D (default: never)"};
inline constexpr Flag kReplyTimeout{
    .name = "reply-timeout",
    .value = "D",
    .kind = ValueKind::duration,
    .group = "Time",
    .brief = "UDP: after stdin's end or a reply, wait D for more (default: 1s); with --expect: 5s"};
inline constexpr Flag kLimitRate{.name = "limit-rate",
                                 .value = "R",
                                 .kind = ValueKind::rate,
                                 .group = "Data",
                                 .brief = "move at most R bytes a second in each direction"};
inline constexpr Flag kProgress{.name = "progress",
                                .value = "always",
                                .kind = ValueKind::choice,
                                .group = "Output",
                                .brief = "bytes, rate and time left, on a terminal; =always: elsewhere too",
                                .choices = "auto|always",
                                .implied = "auto"};
inline constexpr Flag kHexDump{.name = "hex-dump",
                               .value = "FILE|fd:N",
                               .kind = ValueKind::file,
                               .group = "Output",
                               .brief = "write what is received (<) and sent (>) there, as hexdump -C does"};
inline constexpr Flag kSummary{.name = "summary",
                               .group = "Output",
                               .brief = "bytes each way, duration and who closed first, on stderr"};
inline constexpr Flag kEvents{.name = "events",
                              .value = "FILE|fd:N",
                              .kind = ValueKind::file,
                              .group = "Output",
                              .brief = "write what happens as NDJSON there"};

inline constexpr Flag kExec{.name = "exec",
                            .letter = 'e',
                            .group = "Programs",
                            .brief = "run the words after -- for the peer, as its stdin and stdout"};
inline constexpr Flag kShExec{.name = "sh-exec",
                              .letter = 'c',
                              .value = "CMD",
                              .kind = ValueKind::text,
                              .group = "Programs",
                              .brief = "run CMD by /bin/sh; a peer's reset is SIGHUP, 2s later SIGTERM"};

// Socket options, set before connecting or listening.
inline constexpr Flag kSndbuf{.name = "sndbuf",
                              .value = "S",
                              .kind = ValueKind::size,
                              .group = "Socket",
                              .brief = "the kernel's send buffer (default: sized by the kernel as it goes)"};
inline constexpr Flag kRcvbuf{.name = "rcvbuf",
                              .value = "S",
                              .kind = ValueKind::size,
                              .group = "Socket",
                              .brief = "the kernel's receive buffer, and with it TCP's largest window"};
inline constexpr Flag kMss{.name = "mss",
                           .value = "N",
                           .kind = ValueKind::number,
                           .group = "Socket",
                           .brief = "at most N bytes of data in a TCP segment, either way",
                           .min = 88,      // TCP_MIN_MSS of Linux
                           .max = 32767};  // MAX_TCP_WINDOW of Linux
inline constexpr Flag kNodelay{
    .name = "nodelay", .group = "Socket", .brief = "TCP sends small writes at once (no Nagle algorithm)"};
inline constexpr Flag kCongestion{.name = "congestion",
                                  .value = "NAME",
                                  .kind = ValueKind::text,
                                  .group = "Socket",
                                  .brief = "TCP congestion control: cubic, reno, bbr, what this kernel has"};
inline constexpr Flag kKeepalive{.name = "keepalive",
                                 .group = "Socket",
                                 .brief = "ask a silent TCP peer, at this host's intervals, if it is there"};
inline constexpr Flag kTos{.name = "tos",
                           .value = "N",
                           .kind = ValueKind::number,
                           .group = "Socket",
                           .brief = "mark packets: the TOS byte, or IPv6's traffic class; decimal",
                           .max = 255};

}  // namespace pier::flag
