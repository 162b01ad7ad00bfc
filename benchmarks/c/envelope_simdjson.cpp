/* envelope_simdjson.cpp: simdjson's On-Demand walks the members of a text once; what it steps over
 * is delimited, not checked. */
#include "envelope.h"

#include <simdjson.h>
#include <string>
#include <string_view>

using namespace simdjson;

namespace
{

kedge_span span_of(std::string_view text)
{
    return kedge_span_of(text.data(), text.size());
}

bool take_text(ondemand::value value, kedge_span *text)
{
    std::string_view decoded;
    if (value.get_string().get(decoded) != SUCCESS) {
        return false;
    }
    *text = span_of(decoded);
    return true;
}

bool take_number(ondemand::value value, bench_answer *answer)
{
    answer->numbered = true;
    return value.get_uint64().get(answer->number) == SUCCESS;
}

bool take_id(ondemand::value value, bench_answer *answer)
{
    ondemand::json_type type;
    if (value.type().get(type) != SUCCESS) {
        return false;
    }
    return type == ondemand::json_type::string ? take_text(value, &answer->id)
                                               : take_number(value, answer);
}

bool take_payload(ondemand::value value, bench_answer *answer)
{
    std::string_view raw;
    if (value.raw_json().get(raw) != SUCCESS) {
        return false;
    }
    answer->payload = span_of(raw);
    answer->has_payload = true;
    return true;
}

bool gateway(std::string_view name, ondemand::value value, bench_answer *answer)
{
    if (name == "type") {
        return take_text(value, &answer->type);
    }
    if (name == "seq") {
        return take_number(value, answer);
    }
    bool absent = false;
    if (name == "d" && (value.is_null().get(absent) != SUCCESS || !absent)) {
        return take_payload(value, answer);
    }
    return true;
}

bool flowlayer(std::string_view name, ondemand::value value, bench_answer *answer)
{
    if (name == "type") {
        return take_text(value, &answer->type);
    }
    if (name == "id") {
        return take_text(value, &answer->id);
    }
    if (name == "name") {
        return take_text(value, &answer->name);
    }
    return name != "payload" || take_payload(value, answer);
}

bool messaging(std::string_view name, ondemand::value value, bench_answer *answer)
{
    if (name == "type") {
        return take_text(value, &answer->type);
    }
    if (name == "id") {
        return take_id(value, answer);
    }
    if (name == "eventType" || name == "payloadType") {
        return take_text(value, &answer->name);
    }
    return name != "payload" || take_payload(value, answer);
}

bool blobhub(std::string_view name, ondemand::value value, bench_answer *answer)
{
    if (name == "method") {
        return take_text(value, &answer->type);
    }
    if (name == "id") {
        return take_id(value, answer);
    }
    if (name == "params" || name == "result" || name == "error") {
        return take_payload(value, answer);
    }
    if (name == "jsonrpc") {
        kedge_span version;
        return take_text(value, &version) && kedge_span_equal(version, kedge_text("2.0"));
    }
    return true;
}

} // namespace

extern "C" const char *bench_simdjson_version(void)
{
    static const std::string version =
        std::string(SIMDJSON_VERSION " ") + get_active_implementation()->name();
    return version.c_str();
}

extern "C" bool bench_simdjson(const bench_message *message, bench_answer *answer)
{
    static ondemand::parser parser;
    static bool (*const take[])(std::string_view, ondemand::value,
                                bench_answer *) = {gateway, flowlayer, messaging, blobhub};
    ondemand::document document;
    ondemand::object members;
    const char *text = reinterpret_cast<const char *>(message->text.data);
    size_t size = message->text.size;
    if (parser.iterate(text, size, size + SIMDJSON_PADDING).get(document) != SUCCESS ||
        document.get_object().get(members) != SUCCESS) {
        return false;
    }
    *answer = bench_answer{};
    auto take_member = take[message->protocol];
    for (auto member : members) {
        ondemand::value value;
        std::string_view name;
        if (member.escaped_key().get(name) != SUCCESS || member.value().get(value) != SUCCESS ||
            !take_member(name, value, answer)) {
            return false;
        }
    }
    return document.at_end();
}
