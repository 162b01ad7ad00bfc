#include <check.h>

#include "random.h"

/* SipHash-2-4 of nothing, 00, 00 01, ... with the key 00 01 ... 0f: the vectors of its authors,
 * confirmed with OpenSSL. */
static const uint64_t vectors[64] = {
    UINT64_C(0x726fdb47dd0e0e31), UINT64_C(0x74f839c593dc67fd), UINT64_C(0x0d6c8009d9a94f5a),
    UINT64_C(0x85676696d7fb7e2d), UINT64_C(0xcf2794e0277187b7), UINT64_C(0x18765564cd99a68d),
    UINT64_C(0xcbc9466e58fee3ce), UINT64_C(0xab0200f58b01d137), UINT64_C(0x93f5f5799a932462),
    UINT64_C(0x9e0082df0ba9e4b0), UINT64_C(0x7a5dbbc594ddb9f3), UINT64_C(0xf4b32f46226bada7),
    UINT64_C(0x751e8fbc860ee5fb), UINT64_C(0x14ea5627c0843d90), UINT64_C(0xf723ca908e7af2ee),
    UINT64_C(0xa129ca6149be45e5), UINT64_C(0x3f2acc7f57c29bdb), UINT64_C(0x699ae9f52cbe4794),
    UINT64_C(0x4bc1b3f0968dd39c), UINT64_C(0xbb6dc91da77961bd), UINT64_C(0xbed65cf21aa2ee98),
    UINT64_C(0xd0f2cbb02e3b67c7), UINT64_C(0x93536795e3a33e88), UINT64_C(0xa80c038ccd5ccec8),
    UINT64_C(0xb8ad50c6f649af94), UINT64_C(0xbce192de8a85b8ea), UINT64_C(0x17d835b85bbb15f3),
    UINT64_C(0x2f2e6163076bcfad), UINT64_C(0xde4daaaca71dc9a5), UINT64_C(0xa6a2506687956571),
    UINT64_C(0xad87a3535c49ef28), UINT64_C(0x32d892fad841c342), UINT64_C(0x7127512f72f27cce),
    UINT64_C(0xa7f32346f95978e3), UINT64_C(0x12e0b01abb051238), UINT64_C(0x15e034d40fa197ae),
    UINT64_C(0x314dffbe0815a3b4), UINT64_C(0x027990f029623981), UINT64_C(0xcadcd4e59ef40c4d),
    UINT64_C(0x9abfd8766a33735c), UINT64_C(0x0e3ea96b5304a7d0), UINT64_C(0xad0c42d6fc585992),
    UINT64_C(0x187306c89bc215a9), UINT64_C(0xd4a60abcf3792b95), UINT64_C(0xf935451de4f21df2),
    UINT64_C(0xa9538f0419755787), UINT64_C(0xdb9acddff56ca510), UINT64_C(0xd06c98cd5c0975eb),
    UINT64_C(0xe612a3cb9ecba951), UINT64_C(0xc766e62cfcadaf96), UINT64_C(0xee64435a9752fe72),
    UINT64_C(0xa192d576b245165a), UINT64_C(0x0a8787bf8ecb74b2), UINT64_C(0x81b3e73d20b49b6f),
    UINT64_C(0x7fa8220ba3b2ecea), UINT64_C(0x245731c13ca42499), UINT64_C(0xb78dbfaf3a8d83bd),
    UINT64_C(0xea1ad565322a1a0b), UINT64_C(0x60e61c23a3795013), UINT64_C(0x6606d7e446282b93),
    UINT64_C(0x6ca4ecb15c5f91e1), UINT64_C(0x9f626da15c9625f3), UINT64_C(0xe51b38608ef25f57),
    UINT64_C(0x958a324ceb064572),
};

static kedge_entropy counting_entropy(void)
{
    kedge_entropy entropy;
    for (size_t i = 0; i < sizeof entropy.bytes; i++) {
        entropy.bytes[i] = (uint8_t)i;
    }
    return entropy;
}

static kedge_random counting_random(void)
{
    kedge_random random;
    kedge_entropy entropy = counting_entropy();
    kedge_random_init(&random, &entropy);
    return random;
}

START_TEST(siphash_gives_the_known_answers)
{
    uint8_t bytes[64];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)i;
    }
    kedge_siphash_key key = kedge_siphash_key_of(bytes);
    for (size_t size = 0; size < 64; size++) {
        ck_assert_uint_eq(kedge_siphash(key, kedge_span_of(bytes, size)), vectors[size]);
    }
    ck_assert_uint_eq(kedge_siphash(key, kedge_text(NULL)), vectors[0]);
}
END_TEST

START_TEST(siphash_counts_the_size_modulo_256)
{
    uint8_t bytes[300];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)i;
    }
    ck_assert_uint_eq(kedge_siphash(kedge_siphash_key_of(bytes), kedge_span_of(bytes, 300)),
                      UINT64_C(0x4b0b710db6117839));
}
END_TEST

START_TEST(siphash_of_pieces_is_that_of_the_whole)
{
    uint8_t bytes[40];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7);
    }
    kedge_siphash_key key = kedge_siphash_key_of(bytes);
    for (size_t first = 0; first <= sizeof bytes; first++) {
        for (size_t second = first; second <= sizeof bytes; second++) {
            kedge_siphasher state = kedge_siphasher_begin(key);
            kedge_siphasher_add(&state, kedge_span_of(bytes, first));
            kedge_siphasher_add(&state, kedge_span_of(bytes + first, second - first));
            kedge_siphasher_add(&state, kedge_span_of(bytes + second, sizeof bytes - second));
            ck_assert_uint_eq(kedge_siphasher_end(state),
                              kedge_siphash(key, kedge_span_of(bytes, sizeof bytes)));
        }
    }
}
END_TEST

START_TEST(siphash_depends_on_every_bit_of_the_key)
{
    const kedge_span text = kedge_text("session");
    uint8_t bytes[16] = {0};
    uint64_t zero = kedge_siphash(kedge_siphash_key_of(bytes), text);
    for (size_t bit = 0; bit < 128; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        ck_assert_uint_ne(kedge_siphash(kedge_siphash_key_of(bytes), text), zero);
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}
END_TEST

/* SipHash of bytes 16 to 31 and a counter of eight bytes, with the key 0 to 15: by OpenSSL. */
START_TEST(random_gives_the_known_answers)
{
    kedge_random random = counting_random();
    ck_assert_uint_eq(kedge_random_u64(&random), UINT64_C(0xf8b4fc7e156568d7));
    ck_assert_uint_eq(kedge_random_u64(&random), UINT64_C(0x1fc4653bf5892fc8));
    ck_assert_uint_eq(kedge_random_u64(&random), UINT64_C(0x20149b7be39c051d));
    ck_assert_uint_eq(kedge_random_u64(&random), UINT64_C(0x46db3432cc94ff3f));
    ck_assert_uint_eq(kedge_random_u64(&random), UINT64_C(0xfb1ddf9322a7d98e));
}
END_TEST

START_TEST(random_depends_on_every_bit_of_the_entropy)
{
    kedge_entropy entropy = {{0}};
    kedge_random random;
    kedge_random_init(&random, &entropy);
    uint64_t zero = kedge_random_u64(&random);
    for (size_t bit = 0; bit < 256; bit++) {
        entropy.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        kedge_random_init(&random, &entropy);
        ck_assert_uint_ne(kedge_random_u64(&random), zero);
        entropy.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}
END_TEST

START_TEST(fill_writes_the_words_in_little_endian_and_no_byte_more)
{
    static const uint8_t expected[16] = {0xd7, 0x68, 0x65, 0x15, 0x7e, 0xfc, 0xb4, 0xf8,
                                         0xc8, 0x2f, 0x89, 0xf5, 0x3b, 0x65, 0xc4, 0x1f};
    for (size_t size = 0; size <= 16; size++) {
        kedge_random random = counting_random();
        uint8_t out[17];
        memset(out, 0xAA, sizeof out);
        kedge_random_fill(&random, out, size);
        ck_assert_mem_eq(out, expected, size);
        ck_assert_uint_eq(out[size], 0xAA);
        ck_assert_uint_eq(random.counter, (size + 7) / 8);
    }
}
END_TEST

START_TEST(unit_is_in_the_half_open_interval)
{
    kedge_random random = counting_random();
    ck_assert(kedge_random_unit(&random) == 0.9715116317578542);
    ck_assert(kedge_random_unit(&random) == 0.12409050668569377);
    double sum = 0;
    bool is_inside = true;
    for (int i = 0; i < 10000; i++) {
        double unit = kedge_random_unit(&random);
        is_inside = is_inside && unit >= 0 && unit < 1;
        sum += unit;
    }
    ck_assert(is_inside);
    ck_assert(sum > 4800 && sum < 5200);
}
END_TEST

START_TEST(below_is_below_and_even)
{
    kedge_random random = counting_random();
    unsigned counts[10] = {0};
    for (int i = 0; i < 10000; i++) {
        uint64_t value = kedge_random_below(&random, 10);
        ck_assert_uint_lt(value, 10);
        counts[value]++;
    }
    for (int i = 0; i < 10; i++) {
        ck_assert(counts[i] > 850 && counts[i] < 1150);
    }
}
END_TEST

START_TEST(below_takes_any_bound)
{
    kedge_random random = counting_random();
    ck_assert_uint_eq(kedge_random_below(&random, 0), 0);
    ck_assert_uint_eq(random.counter, 0);
    ck_assert_uint_eq(kedge_random_below(&random, 1), 0);
    /* Nearly half of all words are refused here: 0x1fc4..., the next one, is the first of them. */
    ck_assert_uint_eq(kedge_random_below(&random, (UINT64_C(1) << 63) + 1),
                      UINT64_C(0xfb1ddf9322a7d98e) - (UINT64_C(1) << 63) - 1);
    ck_assert_uint_eq(random.counter, 5);
    for (int i = 0; i < 1000; i++) {
        ck_assert_uint_le(kedge_random_below(&random, UINT64_MAX), UINT64_MAX - 1);
    }
}
END_TEST

START_TEST(a_derived_key_and_entropy_take_the_next_words)
{
    kedge_random random = counting_random();
    kedge_siphash_key key = kedge_random_key(&random);
    ck_assert_uint_eq(key.words[0], UINT64_C(0xf8b4fc7e156568d7));
    ck_assert_uint_eq(key.words[1], UINT64_C(0x1fc4653bf5892fc8));
    kedge_entropy entropy = kedge_random_entropy(&random);
    ck_assert_uint_eq(entropy.bytes[0], 0x1d);
    ck_assert_uint_eq(entropy.bytes[8], 0x3f);
    ck_assert_uint_eq(random.counter, 6);
}
END_TEST

Suite *kedge_random_suite(void)
{
    Suite *suite = suite_create("random");
    TCase *cases = tcase_create("random");
    tcase_add_test(cases, siphash_gives_the_known_answers);
    tcase_add_test(cases, siphash_counts_the_size_modulo_256);
    tcase_add_test(cases, siphash_of_pieces_is_that_of_the_whole);
    tcase_add_test(cases, siphash_depends_on_every_bit_of_the_key);
    tcase_add_test(cases, random_gives_the_known_answers);
    tcase_add_test(cases, random_depends_on_every_bit_of_the_entropy);
    tcase_add_test(cases, fill_writes_the_words_in_little_endian_and_no_byte_more);
    tcase_add_test(cases, unit_is_in_the_half_open_interval);
    tcase_add_test(cases, below_is_below_and_even);
    tcase_add_test(cases, below_takes_any_bound);
    tcase_add_test(cases, a_derived_key_and_entropy_take_the_next_words);
    suite_add_tcase(suite, cases);
    return suite;
}
