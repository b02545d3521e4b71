// pier-nc: OpenBSD netcat's command line, over the same library as the other commands.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <exception>

#include "base/standard_fds.h"
#include "cmd/nc/help.h"
#include "cmd/nc/run.h"
#include "cmd/nc/secret.h"
#include "out/writer.h"

namespace pier::nc {
namespace {

void print(int fd, const std::string& text) {
  Writer out(fd);
  out.put(text);
  out.flush();
}

int start(int argc, char** argv) {
  const std::string path = argc > 0 ? argv[0] : "nc";
  const std::string program = path.substr(path.find_last_of('/') + 1);
  if (const auto answer = answer_for_build({argv + std::min(argc, 1), argv + argc})) {
    print(STDOUT_FILENO, *answer);
    return 0;
  }
  bool help = false;
  auto options = read_options(argc, argv, help);
  if (!options) {
    if (!options.error().message.empty()) Voice(program, false).warn(options.error().message);
    if (options.error().usage) print(STDERR_FILENO, usage_text(program));
    return kFailed;
  }
  if (help) {
    print(STDERR_FILENO, help_text(program));
    return 0;
  }
  const Voice voice(program, options->verbose);
  if (options->signed_segments) {
    auto key = ask_secret("TCP MD5 key: ");
    if (!key || key->empty()) {
      voice.warn("Unable to read TCP MD5SIG password");
      return kFailed;
    }
    options->socket.md5_key = std::move(*key);
  }
  return options->listen ? run_server(*options, voice) : run_client(*options, voice);
}

}  // namespace
}  // namespace pier::nc

int main(int argc, char** argv) {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) (void)pier::occupy(fd);
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return pier::nc::start(argc, argv);
  } catch (const std::exception& bug) {
    pier::nc::print(STDERR_FILENO, std::string("pier-nc: internal error: ") + bug.what() + "\n");
    return pier::nc::kFailed;
  }
}
