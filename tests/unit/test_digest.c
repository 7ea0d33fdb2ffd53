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

/* RFC 4231, cases 2 and 6: a key longer than a block is hashed first. */
static void hmac_gives_the_published_codes(void **state)
{
	static const uint8_t case_2[] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e};
	static const uint8_t case_6[] = {0x60, 0xe4, 0x31, 0x59, 0x1e, 0xe0, 0xb6, 0x7f};
	static const char text[] = "Test Using Larger Than Block-Size Key - Hash Key First";
	uint8_t mac[QRT_SHA256_SIZE], key[131];

	(void)state;
	qrt_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, mac);
	assert_memory_equal(mac, case_2, sizeof(case_2));
	memset(key, 0xaa, sizeof(key));
	qrt_hmac_sha256(key, sizeof(key), text, strlen(text), mac);
	assert_memory_equal(mac, case_6, sizeof(case_6));
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
	    cmocka_unit_test(hmac_gives_the_published_codes),
	    cmocka_unit_test(secrets_are_equal_only_when_every_byte_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
