# One program runs every suite of tests/c.
pkg_check_modules(check REQUIRED IMPORTED_TARGET check)
find_package(Threads REQUIRED)

file(GLOB KEDGE_TEST_SOURCES CONFIGURE_DEPENDS tests/c/*.c)
add_executable(kedge-tests ${KEDGE_TEST_SOURCES})
set_target_properties(kedge-tests PROPERTIES C_EXTENSIONS OFF)
# The private headers too: what is internal is tested where it lives.
target_include_directories(kedge-tests PRIVATE csrc tests/c tests/support)
target_link_libraries(kedge-tests PRIVATE kedge_flags kedge_static PkgConfig::check Threads::Threads)
# Their failures are made by tests/c/zstd_faults.c.
target_link_options(kedge-tests PRIVATE
    -Wl,--wrap=ZSTD_createCCtx -Wl,--wrap=ZSTD_createDCtx -Wl,--wrap=ZSTD_compress2)

# The simulation, a program of its own (tests/sim/main.c).
file(GLOB KEDGE_SIM_SOURCES CONFIGURE_DEPENDS tests/sim/*.c)
add_executable(kedge-sim ${KEDGE_SIM_SOURCES})
set_target_properties(kedge-sim PROPERTIES C_EXTENSIONS OFF)
target_include_directories(kedge-sim PRIVATE csrc tests/sim tests/support)
target_link_libraries(kedge-sim PRIVATE kedge_flags kedge_static)

enable_testing()
add_test(NAME kedge-tests COMMAND kedge-tests WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
