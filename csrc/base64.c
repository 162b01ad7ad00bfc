#include "base64.h"

#define NO_DIGIT 64

void kedge_base64_encode(kedge_span bytes, uint8_t *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t at = 0; at < bytes.size; at += 3) {
        size_t count = bytes.size - at < 3 ? bytes.size - at : 3;
        uint32_t bits = (uint32_t)bytes.data[at] << 16;
        bits |= count > 1 ? (uint32_t)bytes.data[at + 1] << 8 : 0;
        bits |= count > 2 ? (uint32_t)bytes.data[at + 2] : 0;
        for (size_t i = 0; i < 4; i++) {
            *out++ = i <= count ? (uint8_t)digits[bits >> (18 - 6 * i) & 63] : (uint8_t)'=';
        }
    }
}

static uint32_t digit_of(uint8_t character)
{
    if (character >= 'A' && character <= 'Z') {
        return (uint32_t)character - 'A';
    }
    if (character >= 'a' && character <= 'z') {
        return (uint32_t)character - 'a' + 26;
    }
    if (character >= '0' && character <= '9') {
        return (uint32_t)character - '0' + 52;
    }
    if (character == '+' || character == '-') {
        return 62;
    }
    return character == '/' || character == '_' ? 63 : NO_DIGIT;
}

/* The text without its padding; false if the padding is not what belongs there. */
static bool take_off_padding(kedge_span *text)
{
    size_t padding = 0;
    while (padding < text->size && text->data[text->size - 1 - padding] == '=') {
        padding++;
    }
    if (padding != 0 && (padding > 2 || text->size % 4 != 0)) {
        return false;
    }
    text->size -= padding;
    return text->size % 4 != 1;
}

static bool is_one_alphabet(kedge_span text)
{
    bool standard = false;
    bool url = false;
    for (size_t i = 0; i < text.size; i++) {
        standard = standard || text.data[i] == '+' || text.data[i] == '/';
        url = url || text.data[i] == '-' || text.data[i] == '_';
    }
    return !(standard && url);
}

kedge_status kedge_base64_decode(kedge_span text, uint8_t *out, size_t space, size_t *size)
{
    if (!take_off_padding(&text) || !is_one_alphabet(text)) {
        return KEDGE_CREDENTIALS;
    }
    *size = text.size / 4 * 3 + text.size % 4 * 3 / 4;
    if (*size > space) {
        return KEDGE_NO_SPACE;
    }
    uint32_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint32_t digit = digit_of(text.data[i]);
        if (digit == NO_DIGIT) {
            return KEDGE_CREDENTIALS;
        }
        bits = bits << 6 | digit;
        count += 6;
        if (count >= 8) {
            count -= 8;
            *out++ = (uint8_t)(bits >> count);
            bits &= (1u << count) - 1;
        }
    }
    return bits == 0 ? KEDGE_OK : KEDGE_CREDENTIALS;
}
