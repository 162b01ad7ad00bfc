# The C programs of `make bench`: each compares a group of functions with peers. The sources of those
# that no system package has are where tools/setup.sh puts them, for `make bench` alone.
enable_language(CXX)
set(KEDGE_PEERS ${PROJECT_SOURCE_DIR}/build/peers CACHE PATH "Where the peers' sources are")

add_library(kedge_bench OBJECT benchmarks/c/bench.c)
target_link_libraries(kedge_bench PRIVATE kedge_flags kedge_static)

# kedge_bench_program(NAME SOURCE...) builds bench-NAME.
function(kedge_bench_program name)
    add_executable(bench-${name} EXCLUDE_FROM_ALL ${ARGN})
    target_include_directories(bench-${name} PRIVATE benchmarks/c)
    target_link_libraries(bench-${name} PRIVATE kedge_bench kedge_static)
    target_link_options(bench-${name} PRIVATE ${KEDGE_LTO_LINK}) # the library as a shared one has it
endfunction()

kedge_bench_program(mask benchmarks/c/mask.c)
kedge_bench_program(utf8 benchmarks/c/utf8.c)
kedge_bench_program(zstd benchmarks/c/zstd.c)
target_link_libraries(bench-zstd PRIVATE PkgConfig::kedge_libzstd)
kedge_bench_program(hub benchmarks/c/hub.c)
target_link_libraries(bench-hub PRIVATE PkgConfig::kedge_libzstd)
kedge_bench_program(frame benchmarks/c/frame.c)
target_link_libraries(bench-frame PRIVATE wslay)
if(CMAKE_SYSTEM_NAME STREQUAL Linux) # epoll
    add_executable(bench-load EXCLUDE_FROM_ALL benchmarks/c/load.c)
    target_link_libraries(bench-load PRIVATE kedge_flags)
    target_compile_definitions(bench-load PRIVATE _GNU_SOURCE)
endif()

# What is ours compiles without the peers.
add_library(bench-envelope-ours OBJECT EXCLUDE_FROM_ALL benchmarks/c/envelope.c)
target_link_libraries(bench-envelope-ours PRIVATE kedge_flags kedge_static)

if(EXISTS ${KEDGE_PEERS})
    kedge_bench_program(envelope $<TARGET_OBJECTS:bench-envelope-ours>
        benchmarks/c/envelope_yyjson.c
        benchmarks/c/envelope_simdjson.cpp ${KEDGE_PEERS}/yyjson/yyjson/yyjson.c
        ${KEDGE_PEERS}/pysimdjson/simdjson/simdjson.cpp)
    target_include_directories(bench-envelope SYSTEM PRIVATE
        ${KEDGE_PEERS}/yyjson/yyjson ${KEDGE_PEERS}/pysimdjson/simdjson)
    target_compile_features(bench-envelope PRIVATE cxx_std_17)
endif()
