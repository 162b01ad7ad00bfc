# Each docs/pages/NAME.c writes docs/protocols/NAME.md from the tables of the code; `make docs` puts
# the output there, and a test holds it against the page.
file(GLOB KEDGE_PAGES CONFIGURE_DEPENDS docs/pages/*.c)
list(REMOVE_ITEM KEDGE_PAGES ${PROJECT_SOURCE_DIR}/docs/pages/page.c) # what they share
foreach(source ${KEDGE_PAGES})
    get_filename_component(name ${source} NAME_WE)
    add_executable(page-${name} ${source} docs/pages/page.c)
    set_target_properties(page-${name} PROPERTIES OUTPUT_NAME ${name} C_EXTENSIONS OFF
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/pages)
    target_include_directories(page-${name} PRIVATE csrc)
    target_link_libraries(page-${name} PRIVATE kedge_flags kedge_static)
endforeach()
