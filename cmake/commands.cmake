# The programs: one file of cmd/ each, and what listen and connect share. A larger one has its parts in the folder
# of the same name beside it.

# pier_command(NAME SOURCE LIBRARY…)
function(pier_command name source)
  if(EXISTS ${PROJECT_SOURCE_DIR}/cmd/${source})
    cmake_path(GET source STEM stem)
    file(GLOB parts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cmd/${stem}/*.cc)
    add_executable(${name} cmd/${source} ${parts})
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(${name} PRIVATE ${ARGN} pier_cli pier_core)
    set_property(GLOBAL APPEND PROPERTY PIER_COMMANDS ${name})
  endif()
endfunction()

add_library(pier_session STATIC cmd/session.cc cmd/local_ends.cc cmd/transfer_progress.cc)
# What TLS needs, apart, for those who speak it.
add_library(pier_tls_options STATIC cmd/tls_options.cc)
target_include_directories(pier_tls_options PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(pier_tls_options PUBLIC pier_cli pier_tls)
target_include_directories(pier_session PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(pier_session PUBLIC pier_cli pier_core)

pier_command(pier pier.cc)
pier_command(pier-listen listen.cc pier_session pier_tls_options pier_host)
pier_command(pier-connect connect.cc pier_session pier_tls_options)
pier_command(pier-scan scan.cc pier_session pier_tls pier_host)
pier_command(pier-whoami-port whoami_port.cc pier_session pier_tls_options pier_host)
pier_command(pier-classify-port classify_port.cc)
pier_command(pier-nc nc.cc)
pier_static(pier-classify-port)
