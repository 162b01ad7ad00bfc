/* vectors.h: the cases of tests/vectors, which the Python tests read too.
 *
 * A file is {"about": text, "cases": [{...}, ...]}. Tests run in the project's directory. What is
 * broken in a file fails the test that reads it.
 */
#ifndef KEDGE_TESTS_VECTORS_H
#define KEDGE_TESTS_VECTORS_H

#include "kedge/base.h"
#include "kedge/json.h"

typedef struct vector_file {
    uint8_t *data;
    size_t count; /* of the cases read so far */
    kedge_json_reader reader;
} vector_file;

void vector_open(vector_file *file, const char *name);
bool vector_next(vector_file *file, kedge_json_value *entry);

/* To be called when vector_next gave false: the file must have been whole, and not empty. */
void vector_close(vector_file *file);

/* A member of a case, of the kind KEDGE_JSON_KIND_NONE where it is absent. */
kedge_json_value vector_member(kedge_json_value entry, const char *name);

/* Members that must be there. A text ends with a zero. */
uint64_t vector_unsigned(kedge_json_value entry, const char *name);
char *vector_text(kedge_json_value entry, const char *name);
kedge_status vector_status(kedge_json_value entry, const char *name);

/* The bytes of a case in a block of exactly their size, so that an over-read shows under a
 * sanitizer: its member "hex" in hexadecimal; or its "text", repeated "times" times if that is
 * there, between "head" and "tail". */
kedge_span vector_input(kedge_json_value entry);

/* The same for bytes at hand. Both are freed with block_free. */
kedge_span block_copy(const void *data, size_t size);
void block_free(kedge_span block);

#endif
