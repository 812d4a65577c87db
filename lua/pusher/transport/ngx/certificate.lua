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

local function check(session, address)
  local peer = ffi.C.SSL_SESSION_get0_peer(session)
  return peer ~= nil and ffi.C.X509_check_ip_asc(peer, address, 0) == 1
end

--- Checks the certificate of a TLS session.
-- @tparam cdata|nil session as socket:sslhandshake returns it
-- @tparam string address without brackets
-- @treturn boolean false also when the certificate cannot be checked
function certificate.is_for(session, address)
  if not has_ffi or type(session) ~= "cdata" or session == nil then
    return false
  end
  -- Raises where a build of nginx hides OpenSSL's functions.
  local ok, matches = pcall(check, session, address)
  return ok and matches
end

return certificate
