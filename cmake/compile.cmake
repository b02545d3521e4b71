# How every target is compiled and linked.

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(pier_options INTERFACE)
target_include_directories(pier_options INTERFACE ${PROJECT_SOURCE_DIR}/lib)
target_compile_options(pier_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                              -Wnon-virtual-dtor -Werror)
# g++ 12 sees overlaps in optimised `"text" + std::string` that are not there (GCC bug 105651, fixed in 13).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(pier_options INTERFACE -Wno-restrict)
  # And it takes an empty std::optional, copied into a std::function, for a use of what was never written (GCC bug 80635).
  target_compile_options(pier_options INTERFACE -Wno-maybe-uninitialized)
endif()
# std::stable_sort of g++ 12's library uses what its own header calls deprecated, and clang reports that.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(pier_options INTERFACE -Wno-deprecated-declarations)
endif()
# fmt is used without a locale (nothing here formats by locale); its code is compiled once, in base/fmt.cc.
# Time-of-day and file sizes are 64 bits on every architecture.
target_compile_definitions(pier_options INTERFACE FMT_STATIC_THOUSANDS_SEPARATOR=1 _FILE_OFFSET_BITS=64
                                                  PIER_VERSION="${PROJECT_VERSION}")

if(PIER_SANITIZE)
  target_compile_options(pier_options INTERFACE -fsanitize=${PIER_SANITIZE} -fno-omit-frame-pointer
                                                -fno-sanitize-recover=all)
  target_link_options(pier_options INTERFACE -fsanitize=${PIER_SANITIZE})
else()
  # The commands start faster and run on any host with the same C library. Sanitizers want the shared one.
  # A target with PIER_STATIC gets everything statically, see pier_static().
  target_link_options(pier_options INTERFACE
    $<$<NOT:$<BOOL:$<TARGET_PROPERTY:PIER_STATIC>>>:-static-libstdc++>
    $<$<NOT:$<BOOL:$<TARGET_PROPERTY:PIER_STATIC>>>:-static-libgcc>)
endif()
if(PIER_FUZZ)
  target_compile_options(pier_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(PIER_HARDEN)
  include(CheckPIESupported)
  check_pie_supported()
  target_compile_options(pier_options INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
    -fstack-protector-strong -fstack-clash-protection -fcf-protection -ffunction-sections -fdata-sections)
  target_link_options(pier_options INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--gc-sections
                                             -Wl,--as-needed -s)
endif()

# pier_static(NAME): links the program with the C library too, where the host has it as an archive. Loading a shared
# one is a quarter of the time that a short program runs. Not for programs that look up names or users: glibc
# loads the modules for those at run time.
#
# Packed relocations are a page less to read, but a C library before 2.36 cannot apply them to itself: so it is run.
include(CheckCXXSourceCompiles)
include(CheckCXXSourceRuns)
set(CMAKE_REQUIRED_FLAGS -fPIE)
set(CMAKE_REQUIRED_LINK_OPTIONS -static-pie)
check_cxx_source_compiles("int main() {}" PIER_STATIC_PIE_LINKS)
if(PIER_STATIC_PIE_LINKS AND NOT CMAKE_CROSSCOMPILING)
  set(CMAKE_REQUIRED_LINK_OPTIONS -static-pie -Wl,-z,pack-relative-relocs)
  check_cxx_source_runs("int main() {}" PIER_PACKED_RELOCATIONS_RUN)
endif()
unset(CMAKE_REQUIRED_FLAGS)
unset(CMAKE_REQUIRED_LINK_OPTIONS)
function(pier_static name)
  if(TARGET ${name} AND PIER_STATIC_PIE_LINKS AND NOT PIER_SANITIZE)
    set_target_properties(${name} PROPERTIES PIER_STATIC ON)
    target_link_libraries(${name} PRIVATE -static-pie)  # after CMake's own -pie: the last one counts
    if(PIER_PACKED_RELOCATIONS_RUN)
      target_link_options(${name} PRIVATE -Wl,-z,pack-relative-relocs)
    endif()
  endif()
endfunction()

# pier_library(NAME FOLDER…): the static library pier_NAME of every .cc in those folders of lib/, but for the files
# that belong to a library of their own.
function(pier_library name)
  set(sources)
  foreach(folder ${ARGN})
    file(GLOB found CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/lib/${folder}/*.cc)
    list(FILTER found EXCLUDE REGEX "/lib/stream/tls[^/]*$")
    list(APPEND sources ${found})
  endforeach()
  add_library(pier_${name} STATIC ${sources})
  target_link_libraries(pier_${name} PUBLIC pier_options)
endfunction()
