// The options, one record each: getopt(3), -h, completions and the check of the man page read this table.
#pragma once

#include <string_view>

namespace pier::nc {

inline constexpr std::string_view kBrief = "the command line of OpenBSD's nc";

struct Letter {
  char letter;
  std::string_view value;  // empty: it takes none
  std::string_view brief;
};

inline constexpr Letter kLetters[] = {
    {'4', "", "IPv4 alone"},
    {'6', "", "IPv6 alone"},
    {'b', "", "datagrams to broadcast addresses"},
    {'C', "", "each LF of the input goes out as CR LF"},
    {'D', "", "SO_DEBUG on the socket"},
    {'d', "", "leave stdin alone"},
    {'F', "", "pass the connected socket to stdout, a Unix socket, and end"},
    {'h', "", "this text"},
    {'I', "length", "receive buffer, in bytes"},
    {'i', "interval", "seconds from line to line of the input, and from port to port"},
    {'k', "", "with -l: the next client once one has gone"},
    {'l', "", "wait for a connection instead of making one"},
    {'M', "ttl", "routers that our packets pass at most"},
    {'m', "minttl", "drop packets that have fewer hops left"},
    {'N', "", "the end of stdin ends our side of the connection"},
    {'n', "", "no names are looked up"},
    {'O', "length", "send buffer, in bytes"},
    {'P', "username", "for an HTTP proxy; the password is asked for on the terminal"},
    {'p', "port", "our own port"},
    {'q', "seconds", "end so long after stdin (implies -N)"},
    {'r', "", "ports of a range in random order"},
    {'S', "", "TCP MD5 signatures; the key is asked for on the terminal"},
    {'s', "address", "our own address; with -uU the path to receive on"},
    {'T', "keyword", "type of service: lowdelay, ef, af11, cs1, 0x10, ..."},
    {'t', "", "refuse a server's Telnet options"},
    {'U', "", "Unix sockets: the destination is a path, or @name"},
    {'u', "", "datagrams: UDP, or with -U of Unix sockets"},
    {'V', "rtable", "always refused: Linux has no routing tables of a socket"},
    {'v', "", "say what happens"},
    {'W', "limit", "end after so many packets received"},
    {'w', "timeout", "seconds for connecting, and of silence after that"},
    {'X', "protocol", "of the proxy: 4, 5 (SOCKS) or connect (HTTP)"},
    {'x', "address[:port]", "connect by way of this proxy"},
    {'Z', "", "always refused: Linux has no DCCP any more"},
    {'z', "", "only see which ports can be connected to"},
};

// Of traditional netcat: refused, with the command that does it. All take a value.
inline constexpr std::string_view kTraditional = "ecoGg";

}  // namespace pier::nc
