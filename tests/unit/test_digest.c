/* Digests against published vectors, and the comparison of secrets. */
#include "tests/lib/test.h"

#include <string.h>

#include <qrt/digest.h>

static void sha256_gives_the_published_digests(void **state)
{
	char hex[QRT_SHA256_HEX_SIZE];
	uint8_t raw[QRT_SHA256_SIZE];

	(void)state;
	qrt_sha256_hex("abc", 3, hex);
	assert_string_equal(hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	qrt_sha256_hex(NULL, 0, hex);
	assert_string_equal(hex,
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	qrt_sha256("abc", 3, raw);
	assert_int_equal(raw[0], 0xba);
	assert_int_equal(raw[QRT_SHA256_SIZE - 1], 0xad);
}

static void secrets_are_equal_only_when_every_byte_is(void **state)
{
	(void)state;
	assert_true(qrt_equal_ct("secret", "secret", 6));
	assert_false(qrt_equal_ct("secret", "secreT", 6));
	assert_false(qrt_equal_ct("Secret", "secret", 6));
	assert_true(qrt_equal_ct("secret", "secreT", 5));
	assert_true(qrt_equal_ct("a", "b", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sha256_gives_the_published_digests),
	    cmocka_unit_test(secrets_are_equal_only_when_every_byte_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
