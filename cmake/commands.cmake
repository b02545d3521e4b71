# The programs: one file of cmd/ each.

# pier_command(NAME SOURCE LIBRARY…)
function(pier_command name source)
  if(EXISTS ${PROJECT_SOURCE_DIR}/cmd/${source})
    add_executable(${name} cmd/${source})
    target_link_libraries(${name} PRIVATE pier_cli ${ARGN} pier_core)
    set_property(GLOBAL APPEND PROPERTY PIER_COMMANDS ${name})
  endif()
endfunction()

pier_command(pier pier.cc)
pier_command(pier-listen listen.cc pier_host)
pier_command(pier-connect connect.cc)
pier_command(pier-scan scan.cc)
pier_command(pier-whoami-port whoami_port.cc pier_host)
pier_command(pier-classify-port classify_port.cc)
