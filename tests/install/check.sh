#!/usr/bin/env bash
# Installs the C library by `make install`, and builds and runs programs outside the tree against it.
set -uo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
prefix=$root/build/installed
outside=$root/build/outside
version=$(sed -n 's/^#define KEDGE_VERSION "\(.*\)"$/\1/p' include/kedge/base.h)
passed=0
failed=0

# check NAME COMMAND...
check() {
    local name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $name"
    fi
}

library_folder() { dirname "$(find "$prefix" -name libkedge.a)"; }

says_version() { [ "$("$@")" = "$version OK" ]; }

needs_library() { readelf -d "$1" | grep -q 'NEEDED.*libkedge'; }

compile() { ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Werror "$@"; }

installs() { make --no-print-directory install PREFIX="$prefix"; }

every_header_is_installed() {
    diff <(ls "$root/include/kedge") <(ls "$prefix/include/kedge")
}

pkg_config_tells_the_version() { [ "$(pkg-config --modversion kedge)" = "$version" ]; }

# Every symbol that the shared library exports is one that a public header declares.
exports_only_what_headers_declare() {
    local symbol
    while read -r symbol; do
        grep -rqw "$symbol" "$prefix/include/kedge" || { echo "exported: $symbol"; return 1; }
    done < <(nm -D --defined-only "$(library_folder)/libkedge.so" | awk '{ print $3 }')
}

soname_is_major_and_minor() {
    readelf -d "$(library_folder)/libkedge.so" |
        grep -q "SONAME.*\[libkedge\.so\.${version%.*}\]"
}

pkg_config_shared() {
    # shellcheck disable=SC2046  # words on purpose
    compile program.c $(pkg-config --cflags --libs kedge) -o shared &&
        needs_library shared && says_version env LD_LIBRARY_PATH="$(library_folder)" ./shared
}

pkg_config_static() {
    # shellcheck disable=SC2046  # words on purpose
    compile program.c $(pkg-config --static --cflags kedge) -Wl,-Bstatic -lkedge -Wl,-Bdynamic \
        $(pkg-config --static --libs kedge) -o static &&
        ! needs_library static && says_version ./static
}

find_package_builds() {
    cmake -S . -B cmake -DCMAKE_PREFIX_PATH="$prefix" -DWANTED_VERSION="$version" &&
        cmake --build cmake
}

find_package_shared() { needs_library cmake/with-shared && says_version cmake/with-shared; }
find_package_static() { ! needs_library cmake/with-static && says_version cmake/with-static; }

find_package_refuses_another_version() {
    ! cmake -S . -B cmake-other -DCMAKE_PREFIX_PATH="$prefix" -DWANTED_VERSION=999.0 >other.log 2>&1 &&
        grep -q 'considered but not accepted' other.log
}

# The lines of the README's first block of that language.
readme_block() { sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/{//d;p}" "$root/README.md"; }

readme_program_does_what_it_says() {
    readme_block c >readme.c && readme_block text >expected
    # shellcheck disable=SC2046  # words on purpose
    compile readme.c $(pkg-config --cflags --libs kedge) -o readme &&
        LD_LIBRARY_PATH="$(library_folder)" ./readme >said && [ -s said ] && diff expected said
}

rm -rf "$prefix" "$outside"
mkdir -p "$outside"
check 'make install' installs
cp tests/install/program.c tests/install/CMakeLists.txt "$outside"
cd "$outside" || exit 1
PKG_CONFIG_PATH=$(library_folder)/pkgconfig
export PKG_CONFIG_PATH
check 'headers' every_header_is_installed
check 'kedge.pc: version' pkg_config_tells_the_version
check 'exports' exports_only_what_headers_declare
check 'soname' soname_is_major_and_minor
check 'pkg-config, shared' pkg_config_shared
check 'the program in the README' readme_program_does_what_it_says
check 'pkg-config, static' pkg_config_static
check 'find_package' find_package_builds
check 'find_package, shared' find_package_shared
check 'find_package, static' find_package_static
check 'find_package, another version' find_package_refuses_another_version
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
