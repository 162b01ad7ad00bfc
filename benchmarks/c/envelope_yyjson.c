/* envelope_yyjson.c: yyjson reads a text into a tree, here into memory that is kept, which is its
 * quickest way with a text that must not be written to. */
#include "bench.h"
#include "envelope.h"

#include <yyjson.h>

#define LARGEST ((size_t)8192)

static yyjson_doc *parse(kedge_span text, void **memory)
{
    size_t size = yyjson_read_max_memory_usage(LARGEST, 0);
    if (*memory == NULL) {
        *memory = bench_memory(size);
    }
    yyjson_alc allocator;
    yyjson_alc_pool_init(&allocator, *memory, size);
    /* Without the flag that reads in place nothing is written to the text. */
    return yyjson_read_opts((char *)(uintptr_t)text.data, text.size, 0, &allocator, NULL);
}

static kedge_span text_of(yyjson_val *value)
{
    return kedge_span_of(yyjson_get_str(value), yyjson_get_len(value));
}

static void take_id(bench_answer *answer, yyjson_val *id)
{
    if (yyjson_is_str(id)) {
        answer->id = text_of(id);
    } else if (yyjson_is_uint(id)) {
        answer->number = yyjson_get_uint(id);
        answer->numbered = true;
    }
}

static void take_payload(bench_answer *answer, yyjson_val *payload)
{
    answer->has_payload = true;
    answer->node = payload;
}

/* Each goes over the members once, as one does with yyjson where the order is unknown. */

static bool gateway(yyjson_val *name, yyjson_val *value, bench_answer *answer)
{
    if (yyjson_equals_str(name, "type")) {
        answer->type = text_of(value);
    } else if (yyjson_equals_str(name, "seq")) {
        take_id(answer, value);
    } else if (yyjson_equals_str(name, "d") && !yyjson_is_null(value)) {
        take_payload(answer, value);
    }
    return true;
}

static bool flowlayer(yyjson_val *name, yyjson_val *value, bench_answer *answer)
{
    if (yyjson_equals_str(name, "type")) {
        answer->type = text_of(value);
    } else if (yyjson_equals_str(name, "id")) {
        answer->id = text_of(value);
    } else if (yyjson_equals_str(name, "name")) {
        answer->name = text_of(value);
    } else if (yyjson_equals_str(name, "payload")) {
        take_payload(answer, value);
    }
    return true;
}

static bool messaging(yyjson_val *name, yyjson_val *value, bench_answer *answer)
{
    if (yyjson_equals_str(name, "type")) {
        answer->type = text_of(value);
    } else if (yyjson_equals_str(name, "id")) {
        take_id(answer, value);
    } else if (yyjson_equals_str(name, "eventType") || yyjson_equals_str(name, "payloadType")) {
        answer->name = text_of(value);
    } else if (yyjson_equals_str(name, "payload")) {
        take_payload(answer, value);
    } else if (yyjson_equals_str(name, "timestamp")) {
        return yyjson_is_num(value);
    }
    return true;
}

static bool blobhub(yyjson_val *name, yyjson_val *value, bench_answer *answer)
{
    if (yyjson_equals_str(name, "method")) {
        answer->type = text_of(value);
    } else if (yyjson_equals_str(name, "id")) {
        take_id(answer, value);
    } else if (yyjson_equals_str(name, "params") || yyjson_equals_str(name, "result") ||
               yyjson_equals_str(name, "error")) {
        take_payload(answer, value);
    } else if (yyjson_equals_str(name, "jsonrpc")) {
        return yyjson_equals_str(value, "2.0");
    }
    return true;
}

bool bench_yyjson(const bench_message *message, bench_answer *answer)
{
    static void *memory;
    static bool (*const take[])(yyjson_val *, yyjson_val *, bench_answer *) = {gateway, flowlayer,
                                                                               messaging, blobhub};
    yyjson_doc *document = parse(message->text, &memory);
    yyjson_val *root = yyjson_doc_get_root(document);
    if (!yyjson_is_obj(root)) {
        return false;
    }
    memset(answer, 0, sizeof *answer);
    bool (*take_member)(yyjson_val *, yyjson_val *, bench_answer *) = take[message->protocol];
    yyjson_obj_iter members = yyjson_obj_iter_with(root);
    yyjson_val *name = NULL;
    while ((name = yyjson_obj_iter_next(&members)) != NULL) {
        if (!take_member(name, yyjson_obj_iter_get_val(name), answer)) {
            return false;
        }
    }
    return true;
}

bool bench_yyjson_same(const bench_answer *answer, kedge_span payload)
{
    static void *memory;
    if (answer->node == NULL) {
        return payload.size == 0;
    }
    yyjson_doc *document = parse(payload, &memory);
    /* It only reads both. */
    return yyjson_equals(yyjson_doc_get_root(document), (yyjson_val *)(uintptr_t)answer->node);
}

const char *bench_yyjson_version(void)
{
    return YYJSON_VERSION_STRING;
}
