/* What the targets of the C fuzzer share: the input, calls into Lua, and checks that end the run.
 * `make fuzz` builds all files of this folder, with pusher.core and pusher.curl, into one program
 * of libFuzzer's: fuzz --target=NAME [libFuzzer's arguments...] */
#ifndef PUSHER_FUZZ_HARNESS_H
#define PUSHER_FUZZ_HARNESS_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The rest of the input. */
typedef struct {
    const uint8_t *data;
    size_t size;
} fuzz_input;

typedef struct {
    const char *data;
    size_t size;
} fuzz_bytes;

/* The next byte; 0 at the end. */
uint8_t fuzz_byte(fuzz_input *in);
/* The next `size` bytes, or all that are left. */
fuzz_bytes fuzz_take(fuzz_input *in, size_t size);
/* Bytes whose number the next byte gives; `scale` times as many. */
fuzz_bytes fuzz_take_some(fuzz_input *in, size_t scale);
/* Any double, also NaN and infinity; a small whole number as often. */
double fuzz_number(fuzz_input *in);

/* Ends the run, which libFuzzer reports with the input, unless `ok`. */
void fuzz_check(bool ok, const char *what);

void fuzz_push(lua_State *L, fuzz_bytes bytes);
/* Pushes a function of "core" or "curl". */
void fuzz_function(lua_State *L, const char *module, const char *name);
/* Pushes a method of the object at `index`, and the object. */
void fuzz_method(lua_State *L, int index, const char *name);
/* Calls the function below `count` arguments. Returns the number of results, or -1 when it raised
 * an error about its arguments, which is popped; any other error, and a stack that is not as it
 * must be, ends the run. */
int fuzz_call(lua_State *L, int count);
/* The same for calls that must return. */
int fuzz_call_well(lua_State *L, int count);
/* Checks that the value at `index` is this string. */
void fuzz_expect(lua_State *L, int index, fuzz_bytes expected, const char *what);
fuzz_bytes fuzz_string(lua_State *L, int index);
bool fuzz_equal(fuzz_bytes a, fuzz_bytes b);

/* ---- the targets; each gets an empty Lua stack ---- */

void fuzz_arguments(lua_State *L, fuzz_input *in); /* arguments.c */
void fuzz_form(lua_State *L, fuzz_input *in);      /* text.c */
void fuzz_base64(lua_State *L, fuzz_input *in);
void fuzz_utf8(lua_State *L, fuzz_input *in);
void fuzz_digest(lua_State *L, fuzz_input *in); /* crypto.c */
void fuzz_secretbox(lua_State *L, fuzz_input *in);
void fuzz_rsa_open(lua_State *L);
void fuzz_rsa(lua_State *L, fuzz_input *in);
void fuzz_settings(lua_State *L, fuzz_input *in); /* request.c */
void fuzz_request(lua_State *L, fuzz_input *in);
void fuzz_response(lua_State *L, fuzz_input *in); /* response.c */

#endif
