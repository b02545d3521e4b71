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
  target_link_options(pier_options INTERFACE -static-libstdc++ -static-libgcc)
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

# pier_library(NAME FOLDER…): the static library pier_NAME of every .cc in those folders of lib/.
function(pier_library name)
  set(sources)
  foreach(folder ${ARGN})
    file(GLOB found CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/lib/${folder}/*.cc)
    list(APPEND sources ${found})
  endforeach()
  add_library(pier_${name} STATIC ${sources})
  target_link_libraries(pier_${name} PUBLIC pier_options)
endfunction()
