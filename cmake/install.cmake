# Where Debian expects each kind of file: the programs, their man pages, and a completion script for each shell,
# which the built programs print themselves.
get_property(commands GLOBAL PROPERTY PIER_COMMANDS)
if(commands)
  install(TARGETS ${commands} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

file(GLOB pages_1 CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/man/*.1)
file(GLOB pages_7 CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/man/*.7)
install(FILES ${pages_1} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${pages_7} DESTINATION ${CMAKE_INSTALL_MANDIR}/man7)

# pier_completion(COMMAND SHELL FILE FOLDER): generates FILE in the build tree and installs it in share/FOLDER.
function(pier_completion command shell file folder)
  set(path ${PROJECT_BINARY_DIR}/completions/${shell}/${file})
  add_custom_command(
    OUTPUT ${path}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/completions/${shell}
    COMMAND sh -c "\"$1\" --print-completion \"$2\" >\"$3\"" sh $<TARGET_FILE:${command}> ${shell} ${path}
    DEPENDS ${command}
    COMMENT "Completion of ${command} for ${shell}"
    VERBATIM)
  set_property(GLOBAL APPEND PROPERTY PIER_COMPLETIONS ${path})
  install(FILES ${path} DESTINATION ${CMAKE_INSTALL_DATADIR}/${folder})
endfunction()

# The programs of another machine can't be asked here.
if(NOT CMAKE_CROSSCOMPILING)
  foreach(command ${commands})
    pier_completion(${command} bash ${command} bash-completion/completions)
    pier_completion(${command} zsh _${command} zsh/site-functions)
    pier_completion(${command} fish ${command}.fish fish/vendor_completions.d)
  endforeach()
  get_property(completions GLOBAL PROPERTY PIER_COMPLETIONS)
  add_custom_target(completions ALL DEPENDS ${completions})
endif()
