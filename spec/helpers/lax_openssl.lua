--- An OpenSSL that allows TLS 1.0, as an old or a careless system's configuration does (config(5), SSL_CONF_cmd(3)).

local lax_openssl = {}

local CONFIGURATION = [[
openssl_conf = top
[top]
ssl_conf = ssl
[ssl]
system_default = every_context
[every_context]
MinProtocol = TLSv1
CipherString = ALL:@SECLEVEL=0
]]

--- Calls a function with the file to name in the environment's OPENSSL_CONF; the file is removed afterwards. A process
-- reads it once, so only new processes are affected.
-- @tparam function body function(path)
-- @return what it returns
function lax_openssl.with(body)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(CONFIGURATION)
  file:close()
  local ok, result = pcall(body, path)
  os.remove(path)
  return ok and result or error(result, 0)
end

--- Runs a program of Lua code with it.
-- @tparam string interpreter
-- @tparam string code
-- @treturn string what it prints
function lax_openssl.run(interpreter, code)
  return lax_openssl.with(function(path)
    local program = os.tmpname()
    local file = assert(io.open(program, "w"))
    file:write(code)
    file:close()
    local pipe = assert(io.popen(("OPENSSL_CONF='%s' %s '%s' 2>&1"):format(path, interpreter, program)))
    local output = pipe:read("*a")
    pipe:close()
    os.remove(program)
    return output
  end)
end

--- The version that a client without any minimum of its own speaks with a server under this configuration; to show that
-- the server can be reached.
-- @tparam number port
-- @treturn string such as "TLSv1.1"
function lax_openssl.version(port)
  return lax_openssl.run("env -u LUA_PATH -u LUA_CPATH luajit", ([[
    local socket = require("cqueues.socket").connect("127.0.0.1", %d)
    socket:starttls(require("openssl.ssl.context").new("TLS", false))
    io.write(socket:checktls() and socket:checktls():getVersion() == 0x302 and "TLSv1.1" or "none")
  ]]):format(port))
end

return lax_openssl
