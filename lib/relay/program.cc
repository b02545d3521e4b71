#include "relay/program.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>

namespace pier {
namespace {

// 0 when the file may be executed, otherwise why not.
int why_not_executable(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return errno;
  if (S_ISDIR(info.st_mode)) return EISDIR;
  if (!S_ISREG(info.st_mode)) return EACCES;
  return ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

bool is_absent(int code) {
  return code == ENOENT || code == ENOTDIR;
}

std::unexpected<Error> cannot(const std::string& name, int code) {
  return system_error("run", quoted(name), code,
                      is_absent(code) ? ErrorKind::not_found : ErrorKind::cannot_run);
}

}  // namespace

Result<Program> find_program(std::vector<std::string> words) {
  const std::string name = words.front();
  if (name.empty()) return fail(ErrorKind::not_found, "run", quoted(name), "an empty name is no program");
  if (name.find('/') != std::string::npos) {
    if (const int code = why_not_executable(name); code != 0) return cannot(name, code);
    return Program{name, std::move(words)};
  }
  const char* const given = std::getenv("PATH");
  std::string_view rest = given != nullptr ? given : "/bin:/usr/bin";
  int denied = 0;  // a file of the name was there, but could not be run
  for (;;) {
    const std::size_t end = rest.find(':');
    std::string folder(rest.substr(0, end));
    if (folder.empty()) folder = ".";  // an empty part is the working directory (environ(7))
    std::string path = folder + "/" + name;
    const int code = why_not_executable(path);
    if (code == 0) return Program{std::move(path), std::move(words)};
    if (!is_absent(code) && code != EISDIR) denied = code;
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  if (denied != 0) return cannot(name, denied);
  return fail(ErrorKind::not_found, "run", quoted(name), "no such program in PATH");
}

Result<Program> shell_program(const std::string& command) {
  auto shell = find_program({"/bin/sh"});
  if (shell) shell->arguments = {"sh", "-c", command};
  return shell;
}

}  // namespace pier
