/* The buffer that results are made in, which is wiped after use, and hex digits. */
#include <string.h>
#include <sodium.h>

#include "internal.h"

unsigned char *pusher_scratch_open(lua_State *L, pusher_scratch *scratch, size_t size)
{
    scratch->size = size;
    scratch->bytes = size <= sizeof(scratch->local) ? scratch->local : lua_newuserdata(L, size);
    return scratch->bytes;
}

void pusher_scratch_wipe(pusher_scratch *scratch)
{
    sodium_memzero(scratch->bytes, scratch->size);
}

int pusher_scratch_push(lua_State *L, pusher_scratch *scratch, size_t used)
{
    lua_pushlstring(L, (const char *)scratch->bytes, used);
    pusher_scratch_wipe(scratch);
    return 1;
}

/* All pairs of digits, so that a byte takes one look-up. */
#define ROW(d)                                                                                     \
    d "0" d "1" d "2" d "3" d "4" d "5" d "6" d "7" d "8" d "9" d "a" d "b" d "c" d "d" d "e" d "f"
static const char hex_pairs[] = ROW("0") ROW("1") ROW("2") ROW("3") ROW("4") ROW("5") ROW("6")
    ROW("7") ROW("8") ROW("9") ROW("a") ROW("b") ROW("c") ROW("d") ROW("e") ROW("f");

void pusher_hex(char *out, const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        memcpy(out + 2 * i, hex_pairs + 2 * (size_t)bytes[i], 2);
}
