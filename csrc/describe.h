/* csrc/describe.h: one line of text in a caller's memory, for people. What does not fit is cut at a
 * character; the size is counted on. A control character becomes a question mark. */
#ifndef KEDGE_PRIVATE_DESCRIBE_H
#define KEDGE_PRIVATE_DESCRIBE_H

#include <kedge/base.h>

typedef struct kedge_line {
    char *buffer; /* null with a capacity of 0: it is only measured */
    size_t capacity;
    size_t size;
} kedge_line;

void kedge_line_text(kedge_line *line, const char *text);
void kedge_line_span(kedge_line *line, kedge_span text);
void kedge_line_number(kedge_line *line, uint64_t number);

/* The number, and what it counts: "1 link", "2 links". */
void kedge_line_count(kedge_line *line, uint64_t number, const char *one);

/* "in 1.500 s", or "overdue". */
void kedge_line_until(kedge_line *line, kedge_time at, kedge_time now);

/* As much of a session's id as tells it from others, and no more: an id is half of what a resume takes. */
void kedge_line_id(kedge_line *line, kedge_span id);

/* Ends the text with a zero and returns its size, without that. */
size_t kedge_line_end(kedge_line *line);

#endif
