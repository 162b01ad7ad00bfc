#include "kedge/mask.h"

#include <check.h>
#include <stdlib.h>

#include "levels.h"

enum { LONGEST = 40, MARGIN = 8 };

static const uint8_t key[4] = {0x37, 0xFA, 0x21, 0x3D};

static uint8_t sample(size_t i)
{
    return (uint8_t)(i * 151 + 43);
}

/* RFC 6455, section 5.7: "Hello", masked. */
START_TEST(the_example_of_the_standard)
{
    const uint8_t masked[5] = {0x7F, 0x9F, 0x4D, 0x51, 0x58};
    uint8_t text[5];
    kedge_mask(text, masked, sizeof text, key, 0);
    ck_assert_mem_eq(text, "Hello", 5);
}
END_TEST

/* The bytes lie at the very end of a block of their own, `alignment` bytes from
 * its start: what reads or writes beyond shows under a sanitizer. */
static void check_apart(size_t size, size_t alignment, size_t key_offset)
{
    uint8_t *from = malloc(alignment + size);
    uint8_t *to = malloc(MARGIN - alignment + size);
    ck_assert((from != NULL && to != NULL) || size == 0);
    for (size_t i = 0; i < size; i++) {
        from[alignment + i] = sample(i);
    }
    kedge_mask(to + MARGIN - alignment, from + alignment, size, key, key_offset);
    for (size_t i = 0; i < size; i++) {
        ck_assert_uint_eq(to[MARGIN - alignment + i], sample(i) ^ key[(key_offset + i) % 4]);
        ck_assert_uint_eq(from[alignment + i], sample(i));
    }
    free(from);
    free(to);
}

static void check_in_place(size_t size, size_t alignment, size_t key_offset)
{
    uint8_t *block = malloc(alignment + size + 1);
    ck_assert_ptr_nonnull(block);
    block[alignment + size] = 0x5A;
    for (size_t i = 0; i < size; i++) {
        block[alignment + i] = sample(i);
    }
    kedge_mask(block + alignment, block + alignment, size, key, key_offset);
    for (size_t i = 0; i < size; i++) {
        ck_assert_uint_eq(block[alignment + i], sample(i) ^ key[(key_offset + i) % 4]);
    }
    ck_assert_uint_eq(block[alignment + size], 0x5A);
    free(block);
}

START_TEST(any_size_alignment_and_place_in_the_key)
{
    for (size_t size = 0; size <= LONGEST; size++) {
        for (size_t alignment = 0; alignment < MARGIN; alignment++) {
            for (size_t key_offset = 0; key_offset < 6; key_offset++) {
                check_apart(size, alignment, key_offset);
                check_in_place(size, alignment, key_offset);
            }
        }
    }
}
END_TEST

START_TEST(pieces_give_what_the_whole_gives)
{
    uint8_t whole[LONGEST];
    uint8_t pieces[LONGEST];
    for (size_t i = 0; i < LONGEST; i++) {
        whole[i] = pieces[i] = sample(i);
    }
    kedge_mask(whole, whole, LONGEST, key, 0);
    for (size_t cut = 0; cut <= LONGEST; cut++) {
        kedge_mask(pieces, pieces, cut, key, 0);
        kedge_mask(pieces + cut, pieces + cut, LONGEST - cut, key, cut);
        ck_assert_mem_eq(pieces, whole, LONGEST);
        kedge_mask(pieces, whole, LONGEST, key, 0);
    }
}
END_TEST

START_TEST(only_the_offset_modulo_four_counts)
{
    uint8_t text[5] = "abcde";
    kedge_mask(NULL, NULL, 0, key, 3);
    kedge_mask(text, text, sizeof text, key, SIZE_MAX);
    ck_assert_uint_eq(text[0], 'a' ^ key[3]);
    ck_assert_uint_eq(text[1], 'b' ^ key[0]);
    ck_assert_uint_eq(text[4], 'e' ^ key[3]);
}
END_TEST

static void add_tests(TCase *cases)
{
    tcase_add_test(cases, the_example_of_the_standard);
    tcase_add_test(cases, any_size_alignment_and_place_in_the_key);
    tcase_add_test(cases, pieces_give_what_the_whole_gives);
    tcase_add_test(cases, only_the_offset_modulo_four_counts);
}

Suite *kedge_mask_suite(void);

Suite *kedge_mask_suite(void)
{
    Suite *suite = suite_create("mask");
    levels_add(suite, add_tests);
    return suite;
}
