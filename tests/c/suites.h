/* Every suite of the C tests, one a layer: SUITE(layer) stands for `Suite *kedge_layer_suite(void)` of
 * tests/c/test_layer.c. Sorted; the build compiles every tests/c/test_*.c. */
SUITE(base)
SUITE(envelope)
SUITE(frame)
SUITE(json)
SUITE(mask)
SUITE(publication)
SUITE(random)
SUITE(reader)
SUITE(table)
SUITE(timers)
SUITE(utf8)
SUITE(zstd)
