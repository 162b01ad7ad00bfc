/* Runs a harness over files, without libFuzzer: fuzz-NAME FILE... The last line tells how many. A
 * property that does not hold ends the process, behind the name of the file. */
#include <stdio.h>
#include <stdlib.h>

#include "support.h"

static uint8_t *read_file(const char *name, size_t *size)
{
    FILE *file = fopen(name, "rb");
    FUZZ_CHECK(file != NULL);
    FUZZ_CHECK(fseek(file, 0, SEEK_END) == 0);
    long end = ftell(file);
    FUZZ_CHECK(end >= 0);
    rewind(file);
    *size = (size_t)end;
    /* Exactly as large as the input, so that an over-read shows under a sanitizer. */
    uint8_t *data = malloc(*size == 0 ? 1 : *size);
    FUZZ_CHECK(data != NULL);
    FUZZ_CHECK(fread(data, 1, *size, file) == *size);
    fclose(file);
    return data;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        size_t size = 0;
        uint8_t *data = read_file(argv[i], &size);
        fprintf(stderr, "%s\n", argv[i]);
        LLVMFuzzerTestOneInput(data, size);
        free(data);
    }
    printf("%d passed, 0 failed\n", argc - 1);
    return EXIT_SUCCESS;
}
