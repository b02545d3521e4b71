# Where Debian expects each kind of file.
get_property(commands GLOBAL PROPERTY PIER_COMMANDS)
if(commands)
  install(TARGETS ${commands} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
