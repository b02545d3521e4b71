# The port registry: data/*.csv becomes a table of constants, made by a small program of the build.
# scripts/update-ports takes a newer registry.
set(registry_csv ${PROJECT_SOURCE_DIR}/data/iana-service-names-port-numbers.csv)
set(PIER_REGISTRY_SOURCE ${PROJECT_BINARY_DIR}/registry_table.cc)

add_executable(generate_registry data/generate_registry.cc)
add_custom_command(
  OUTPUT ${PIER_REGISTRY_SOURCE}
  COMMAND generate_registry ${registry_csv} ${PIER_REGISTRY_SOURCE}
  DEPENDS generate_registry ${registry_csv}
  COMMENT "Generating the port registry"
  VERBATIM)
