/* What a path names. Opening a pipe waits for a writer, so it is looked at first. */
#include <sys/stat.h>

#include "internal.h"

/* is_file(path) -> whether it names something that can be read to its end at once: nil when there
 * is nothing to be found, false for a pipe, a device or a directory. */
static int l_is_file(lua_State *L)
{
    struct stat status;
    if (stat(luaL_checkstring(L, 1), &status) != 0)
        return 0;
    lua_pushboolean(L, S_ISREG(status.st_mode));
    return 1;
}

const luaL_Reg pusher_file_functions[] = {
    {"is_file", l_is_file},
    {NULL,      NULL     },
};
