# Headers, both libraries, kedge.pc and the package that find_package(kedge) reads.
file(GLOB KEDGE_HEADERS CONFIGURE_DEPENDS include/kedge/*.h)
install(FILES ${KEDGE_HEADERS} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/kedge)

set(KEDGE_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/kedge)
install(TARGETS kedge_shared EXPORT kedge-targets
    RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS kedge_static EXPORT kedge-static-targets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT kedge-targets NAMESPACE kedge:: DESTINATION ${KEDGE_PACKAGE_DIR})
install(EXPORT kedge-static-targets NAMESPACE kedge:: DESTINATION ${KEDGE_PACKAGE_DIR})

configure_package_config_file(cmake/kedge-config.cmake.in kedge-config.cmake
    INSTALL_DESTINATION ${KEDGE_PACKAGE_DIR})
write_basic_package_version_file(kedge-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/kedge-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/kedge-config-version.cmake
    DESTINATION ${KEDGE_PACKAGE_DIR})

configure_file(cmake/kedge.pc.in kedge.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/kedge.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
