# One program for each harness of tests/fuzz, fuzz/NAME of tests/fuzz/fuzz_NAME.c. It replays files; with
# KEDGE_FUZZ, which takes clang, it is libFuzzer's. All of them are the target kedge-fuzz.
option(KEDGE_FUZZ "Build the harnesses of tests/fuzz for libFuzzer" OFF)

file(GLOB KEDGE_FUZZ_SUPPORT CONFIGURE_DEPENDS tests/fuzz/*.c)
list(FILTER KEDGE_FUZZ_SUPPORT EXCLUDE REGEX "/(fuzz_[^/]*|replay)\\.c$")
add_library(fuzz_support OBJECT ${KEDGE_FUZZ_SUPPORT})
if(NOT KEDGE_FUZZ)
    target_sources(fuzz_support PRIVATE tests/fuzz/replay.c)
endif()
target_include_directories(fuzz_support PRIVATE csrc tests/support)
target_link_libraries(fuzz_support PUBLIC kedge_flags kedge_static)

add_custom_target(kedge-fuzz)
file(GLOB KEDGE_HARNESSES CONFIGURE_DEPENDS tests/fuzz/fuzz_*.c)
foreach(source ${KEDGE_HARNESSES})
    get_filename_component(name ${source} NAME_WE)
    string(REPLACE fuzz_ "" output ${name})
    add_executable(${name} EXCLUDE_FROM_ALL ${source} $<TARGET_OBJECTS:fuzz_support>)
    set_target_properties(${name} PROPERTIES OUTPUT_NAME ${output} C_EXTENSIONS OFF
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
    target_include_directories(${name} PRIVATE csrc tests/support)
    target_link_libraries(${name} PRIVATE kedge_flags kedge_static PkgConfig::kedge_libzstd)
    if(KEDGE_FUZZ)
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    endif()
    add_dependencies(kedge-fuzz ${name})
endforeach()
