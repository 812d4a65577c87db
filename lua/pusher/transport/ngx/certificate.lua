--- Whether a server's certificate was issued for an IP address (RFC 2818 3.1).
--
-- nginx compares names only (X509_check_host), so it would reject any server that is addressed by its number. OpenSSL,
-- which nginx has loaded, can compare addresses.

local certificate = {}

local has_ffi, ffi = pcall(require, "ffi") -- LuaJIT, as in nginx

if has_ffi then
  ffi.cdef [[
    void *SSL_SESSION_get0_peer(void *session);
    int X509_check_ip_asc(void *certificate, const char *address, unsigned int flags);
  ]]
end

-- In stream {}, as in ngx_lua before 0.10.22, a session is a userdata that holds the pointer.
local function check(session, address)
  local pointer = type(session) == "userdata" and ffi.cast("void **", session)[0] or session
  if pointer == nil then
    return false
  end
  local peer = ffi.C.SSL_SESSION_get0_peer(pointer)
  return peer ~= nil and ffi.C.X509_check_ip_asc(peer, address, 0) == 1
end

--- Checks the certificate of a TLS session.
-- @tparam cdata|userdata|nil session as socket:sslhandshake returns it
-- @tparam string address without brackets
-- @treturn boolean false also when the certificate cannot be checked
function certificate.is_for(session, address)
  if not has_ffi or (type(session) ~= "cdata" and type(session) ~= "userdata") then
    return false
  end
  -- Raises where a build of nginx hides OpenSSL's functions.
  local ok, matches = pcall(check, session, address)
  return ok and matches
end

return certificate
