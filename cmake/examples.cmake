# Each examples/*.c is a program of its own; all of them are the target kedge-examples.
add_custom_target(kedge-examples)
file(GLOB KEDGE_EXAMPLE_SOURCES CONFIGURE_DEPENDS examples/*.c)
foreach(source ${KEDGE_EXAMPLE_SOURCES})
    get_filename_component(name ${source} NAME_WE)
    add_executable(example-${name} ${source})
    set_target_properties(example-${name} PROPERTIES OUTPUT_NAME ${name} C_EXTENSIONS OFF
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/examples)
    target_link_libraries(example-${name} PRIVATE kedge_flags kedge_static)
    add_dependencies(kedge-examples example-${name})
endforeach()
