/* Ed25519 against the vectors of RFC 8032, HMAC against another program, and what must not pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "sallyport/wire/signing.h"

static void from_hex(uint8_t *to, const char *hex) {
    for (; *hex; hex += 2) {
        char two[3] = {hex[0], hex[1], '\0'};
        *to++ = (uint8_t)strtoul(two, NULL, 16);
    }
}

static struct signing_key *key_of(uint8_t seed_byte) {
    uint8_t seed[SIGNING_SEED_SIZE];
    struct signing_key *key = NULL;
    memset(seed, seed_byte, sizeof(seed));
    assert_int_equal(signing_key_new(seed, &key), 0);
    return key;
}

/* RFC 8032 section 7.1, test 2: that public key belongs to that seed. */
static void test_public_key(void **state) {
    uint8_t seed[32], want[32];
    struct signing_key *key;
    (void)state;
    from_hex(seed, "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    from_hex(want, "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    assert_int_equal(signing_key_new(seed, &key), 0);
    assert_memory_equal(signing_key_public(key), want, 32);
    signing_key_free(key);
    signing_key_free(NULL);
}

/* Made by another program (openssl pkeyutl) over "sallyport test", a zero byte and "abc": what is signed is a contract. */
static void test_signature(void **state) {
    struct signing_key *key = key_of(7);
    uint8_t signature[SIGNING_SIGNATURE_SIZE], want[SIGNING_SIGNATURE_SIZE];
    (void)state;
    from_hex(want, "e73c4e632782bb21340eb012cbfd7de0a779b33c9c5876932765fe38d98386ed"
                   "3d5781d0ab9bffd0cdc357876666b3ffa40bed746fe0416bbba304e3e26c0902");
    assert_int_equal(signing_sign(key, "sallyport test", "abc", 3, signature), 0);
    assert_memory_equal(signature, want, sizeof(want));
    assert_int_equal(signing_check(signing_key_public(key), "sallyport test", "abc", 3, signature), 0);
    signing_key_free(key);
}

static void test_refused(void **state) {
    struct signing_key *key = key_of(1), *other = key_of(2);
    const uint8_t *public_key = signing_key_public(key);
    uint8_t signature[SIGNING_SIGNATURE_SIZE], none[SIGNING_PUBLIC_SIZE] = {0};
    (void)state;
    assert_int_equal(signing_sign(key, "one", "message", 7, signature), 0);
    assert_int_equal(signing_check(public_key, "one", "message", 7, signature), 0);
    assert_int_equal(signing_check(public_key, "two", "message", 7, signature), SP_ECRYPTO);
    assert_int_equal(signing_check(public_key, "on", "e\0message", 9, signature), SP_ECRYPTO);
    assert_int_equal(signing_check(public_key, "one", "messagf", 7, signature), SP_ECRYPTO);
    assert_int_equal(signing_check(public_key, "one", "message", 6, signature), SP_ECRYPTO);
    assert_int_equal(signing_check(public_key, "one", "message", 8, signature), SP_ECRYPTO);
    assert_int_equal(signing_check(signing_key_public(other), "one", "message", 7, signature), SP_ECRYPTO);
    assert_int_equal(signing_check(none, "one", "message", 7, signature), SP_ECRYPTO);
    for (size_t i = 0; i < sizeof(signature); i++) {
        signature[i] ^= 1;
        assert_int_equal(signing_check(public_key, "one", "message", 7, signature), SP_ECRYPTO);
        signature[i] ^= 1;
    }
    memset(signature, 0, sizeof(signature));
    assert_int_equal(signing_check(public_key, "one", "message", 7, signature), SP_ECRYPTO);
    signing_key_free(key);
    signing_key_free(other);
}

static void test_empty_message(void **state) {
    struct signing_key *key = key_of(3);
    uint8_t signature[SIGNING_SIGNATURE_SIZE];
    (void)state;
    assert_int_equal(signing_sign(key, "", "", 0, signature), 0);
    assert_int_equal(signing_check(signing_key_public(key), "", "", 0, signature), 0);
    assert_int_equal(signing_check(signing_key_public(key), "", "\0", 1, signature), SP_ECRYPTO);
    signing_key_free(key);
}

/* Made by another program with a key of 32 bytes 0x0b. */
static void test_mac(void **state) {
    uint8_t key[32], mac[SIGNING_MAC_SIZE], want[SIGNING_MAC_SIZE];
    (void)state;
    memset(key, 0x0b, sizeof(key));
    from_hex(want, "198a607eb44bfbc69903a0f1cf2bbdc5ba0aa3f3d9ae3c1c7a3b1696a0b68cf7");
    assert_int_equal(signing_mac(key, "Hi There", 8, mac), 0);
    assert_memory_equal(mac, want, sizeof(want));
    key[31] ^= 1;
    assert_int_equal(signing_mac(key, "Hi There", 8, mac), 0);
    assert_memory_not_equal(mac, want, sizeof(want));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_public_key),    cmocka_unit_test(test_signature), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_empty_message), cmocka_unit_test(test_mac),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
