# A toolchain for 32-bit x86 by the machine's own gcc, with the libraries that tools/sysroot.sh gathered.
# Programs are static, so that they need no loader of that kind.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR i686)
get_filename_component(project ${CMAKE_CURRENT_LIST_DIR} DIRECTORY)
set(CMAKE_SYSROOT ${project}/build/i386/root)
file(GLOB compiler_files ${CMAKE_SYSROOT}/usr/lib/gcc/i686-linux-gnu/*)
set(CMAKE_C_COMPILER gcc)
set(CMAKE_C_FLAGS_INIT "-m32 -B${compiler_files}")
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_C_STANDARD_LIBRARIES "-lsubunit -lrt -lm") # what a static libcheck needs
set(CMAKE_TRY_COMPILE_TARGET_TYPE EXECUTABLE)
set(ENV{PKG_CONFIG_LIBDIR} ${CMAKE_SYSROOT}/usr/lib/i386-linux-gnu/pkgconfig)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${CMAKE_SYSROOT})
